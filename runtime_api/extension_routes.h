// The routes of the Extensions API 2020-01-01: which call a request line means, and what each call
// answers. Parsing is pure; the calls act on a hub and know no HTTP library.
//
// Any thread.
#pragma once

#include "runtime_api/extension_hub.h"
#include "runtime_api/reply.h"
#include "runtime_api/runtime_routes.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace runtime_api {

// The largest body of a registration. Our choice: a list of two words needs a hundred bytes.
inline constexpr std::uint64_t kMaxRegistrationBytes = 64 * 1024;

// Our choice: the longest name that a file can have is 255 bytes, and the service's own limit is
// not documented.
inline constexpr std::size_t kMaxExtensionNameBytes = 255;

struct RegisterCall {};
struct NextEventCall {};
struct ExtensionErrorCall {
  ExtensionErrorPhase phase;
};

using ExtensionCall = std::variant<RegisterCall, NextEventCall, ExtensionErrorCall, WrongMethod>;

// `path` as for parse_call(). Nothing: no path of this API.
std::optional<ExtensionCall> parse_extension_call(std::string_view method, std::string_view path);

// The parts of a request that the calls read; header values are empty when absent.
struct ExtensionRequest {
  std::string name;
  std::string accepted_features;
  std::optional<std::string> identifier;
  std::string error_type;
  std::function<PostedRequest::Body(std::uint64_t max_bytes)> read_body;  // of a post
};

// What a Lambda-Extension-Identifier header names, in lower case. A missing one and one that is no
// UUID have the answers that all calls of extensions share.
tl::expected<std::string, RuntimeReply> identifier_in(const std::optional<std::string>& header);

RuntimeReply answer_register(ExtensionHub& hub, const ExtensionRequest& request);
RuntimeReply answer_next_event(ExtensionHub& hub,
                               const ExtensionRequest& request,
                               const std::function<bool()>& connected);
RuntimeReply answer_extension_error(ExtensionHub& hub,
                                    const ExtensionErrorCall& call,
                                    const ExtensionRequest& request);

}  // namespace runtime_api
