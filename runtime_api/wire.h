// Values on the wire between Lambda and a runtime, as the Runtime API 2018-06-01 has them.
//
// Values only; any thread.
#pragma once

#include "runtime_api/error_cause.h"
#include "runtime_api/response_stream.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runtime_api {

// The largest response body that Lambda accepts: 6 MiB and 100 bytes.
// Source: the service's own error text, recorded 2025-11.
inline constexpr std::uint64_t kMaxResponseBytes = 6'291'556;

// The longest streamed response: 200 MB, counted like the 6 MB of a request. Source: developer
// guide, quotas; since 2025-08.
inline constexpr std::uint64_t kMaxStreamedBytes = std::uint64_t{200} * 1024 * 1024;

// The largest error body that is kept; what exceeds it is cut off. Our choice: the same limit,
// because an error body reaches the caller like a response does.
inline constexpr std::uint64_t kMaxErrorBytes = kMaxResponseBytes;

// Whose rules a response is taken by: Lambda's, which honours an error behind a response that is
// streamed; or those of the emulator that AWS publishes, which takes what came before it for a
// success, and knows no mode by name but "streaming".
enum class ResponseRules : std::uint8_t { service, published_emulator };

// What a runtime gets from /runtime/invocation/next, and how its answer is taken. Absent values are
// not sent at all: clients parse a header that is present, even an empty one.
struct NextInvocation {
  std::string request_id;
  std::int64_t deadline_ms = 0;  // Unix time
  std::string function_arn;
  std::optional<std::string> trace_id;
  std::optional<std::string> client_context;    // JSON text
  std::optional<std::string> cognito_identity;  // JSON text
  std::optional<std::string> tenant_id;
  std::string payload;  // the event's bytes

  // Where a response that is streamed goes while it arrives. Nothing: it is collected like any
  // other. Shared, because the thread that reads the runtime's body may outlast the invocation.
  std::shared_ptr<ResponseStream> stream;
  ResponseRules rules = ResponseRules::service;
};

// What a runtime sent back for one invocation.
struct RuntimeAnswer {
  enum class Kind {
    response,
    error,      // by /runtime/invocation/{id}/error, or behind a streamed response
    too_large,  // a response over `limit_bytes`; `body` is empty
    truncated,  // the connection broke before the announced end; `body` is empty
  };
  Kind kind = Kind::response;
  std::string body;  // empty for a response that went through NextInvocation::stream
  std::string content_type;
  std::string error_type;                      // filtered, for errors
  std::vector<CausingException> exceptions{};  // that led to an error, for the trace
  std::uint64_t size_bytes = 0;  // of the body as it was sent, as far as it was looked at
  std::uint64_t limit_bytes = kMaxResponseBytes;  // for one that is too large
};

// What a runtime reported with /runtime/init/error.
struct InitError {
  std::string error_type;  // filtered
  std::string body;
};

}  // namespace runtime_api
