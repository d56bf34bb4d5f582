// Resource-based policies as the service keeps and shows them.
//
// Pure; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// Of a whole policy as JSON. Source: MODEL, ResourcePolicy; the refusal's text is recorded.
inline constexpr std::size_t kMaxPolicyBytes = 20'480;

// {"Version":"2012-10-17","Id":"default","Statement":[]}
Document empty_policy();

// The statement that AddPermission's input stands for. Source of shapes, the order of members and
// the refusals: recorded.
tl::expected<Document, ServiceError> statement_of(const Document& input, std::string_view resource);

// A policy that a caller wrote, as members: refused when it is no JSON object with statements.
tl::expected<Document, ServiceError> policy_from(const std::string& text);

tl::expected<void, ServiceError> check_policy_size(const Document& policy);

}  // namespace emulator::control_plane
