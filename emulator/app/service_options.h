// From the flags of hearth serve to what the service is built with.
#pragma once

#include "emulator/app/serve_command.h"
#include "emulator/app/service.h"

#include <tl/expected.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::app {

// How much of the account must stay unreserved where nobody said: 100 as on AWS, or a tenth of a
// smaller account, which is ours. Source of the 100: AWS Lambda quotas.
std::size_t default_unreserved_minimum(std::size_t account_concurrency);

// "2026-01-13T08:00:00Z", or the same with a fraction of a second.
std::optional<std::chrono::system_clock::time_point> parse_moment(std::string_view text);

// `emulator` and `deployment` are complete. Fails with a sentence about the flag that is wrong.
tl::expected<ServiceOptions, AppError> service_options(const ServeOptions& options,
                                                       EmulatorOptions emulator,
                                                       DeploymentWorld deployment);

}  // namespace emulator::app
