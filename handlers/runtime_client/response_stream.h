// One streamed response of a handler: the loop's half that is not for handlers.
//
// Threads: everything happens on the caller's.
#pragma once

#include "handlers/runtime_client/http_connection.h"
#include "handlers/runtime_client/runtime_client.h"

#include <optional>
#include <string>
#include <string_view>

namespace runtime_client {

// Calls the handler and posts what it writes while it writes it. The status of the Runtime API's
// reply; nullopt: it has gone away.
std::optional<int> stream_response(Connection& connection,
                                   const Invocation& invocation,
                                   const std::string& request_id,
                                   const StreamHandler& handler);

// Posts an error object to `path`.
std::optional<int> post_error(Connection& connection,
                              std::string_view path,
                              std::string_view type,
                              std::string_view message);

// Text as a header's value, which may hold no control character.
std::string header_value(std::string_view text);

// Standard alphabet, padded.
std::string base64_encoded(std::string_view bytes);

}  // namespace runtime_client
