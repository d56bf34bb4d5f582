// Replies of Hearth's own paths, and what their requests ask for.
//
// Pure; any thread.
#pragma once

#include "emulator/front_doors/http_message.h"

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::app {

front_doors::Reply json_reply(int status, const nlohmann::ordered_json& body);

// {"message": sentence}
front_doors::Reply message_reply(int status, const std::string& sentence);

std::string_view path_of(const front_doors::Request& request);

// As sent, not decoded.
std::optional<std::string> query_value(const front_doors::Request& request, std::string_view name);

// The number in the query's "limit", or `otherwise`; the error is the reply to give.
tl::expected<std::size_t, front_doors::Reply> limit_of(const front_doors::Request& request,
                                                       std::size_t otherwise);

}  // namespace emulator::app
