// The routes of the Runtime API: which call a request line means, and what each call answers.
// Parsing is pure; the calls act on a Session and know no HTTP library.
//
// Any thread.
#pragma once

#include "runtime_api/reply.h"
#include "runtime_api/session.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace runtime_api {

struct PingCall {};
struct NextCall {};
struct ResponseCall {
  std::string request_id;
};
struct ErrorCall {
  std::string request_id;
};
struct InitErrorCall {};
struct TelemetryCall {};  // answered as local environments do: 202, not supported
struct LogsCall {};
struct UnknownPath {};
struct WrongMethod {
  std::string allowed;
};

using Call = std::variant<PingCall,
                          NextCall,
                          ResponseCall,
                          ErrorCall,
                          InitErrorCall,
                          TelemetryCall,
                          LogsCall,
                          UnknownPath,
                          WrongMethod>;

// `path` is percent-decoded and without a query string; a trailing slash is another path.
Call parse_call(std::string_view method, std::string_view path);

// The parts of a posted request that the calls read. Header values are empty when absent.
struct PostedRequest {
  std::string content_type;
  std::string error_type;
  std::optional<std::string> response_mode;
  // Reads the body once; returns its bytes up to `max_bytes`, what was sent in all, and whether the
  // announced end was reached.
  struct Body {
    std::string bytes;
    std::uint64_t size_bytes = 0;
    enum class End { reached, broken } end = End::reached;
  };
  std::function<Body(std::uint64_t max_bytes)> read_body;
};

RuntimeReply answer_simple(const Call& call);
RuntimeReply answer_next(Session& session, const std::function<bool()>& connected);
RuntimeReply answer_response(Session& session,
                             const ResponseCall& call,
                             const PostedRequest& posted);
RuntimeReply answer_error(Session& session, const ErrorCall& call, const PostedRequest& posted);
RuntimeReply answer_init_error(Session& session, const PostedRequest& posted);

}  // namespace runtime_api
