// The routes of the Runtime API: which call a request line means, and what each call answers.
// Parsing is pure; the calls act on a Session and know no HTTP library.
//
// Any thread.
#pragma once

#include "runtime_api/concurrent_session.h"
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
  std::string error_cause{};  // X-Ray's, as it was sent; empty: none
  std::optional<std::string> response_mode;
  bool announces_error_trailer = false;  // in its Trailer header; looked for without a mode only
  // What was read of a body.
  struct Body {
    std::string bytes{};           // as far as they are kept
    std::uint64_t size_bytes = 0;  // what was sent in all
    enum class End { reached, broken } end = End::reached;
    // What followed it, if its end was reached: the trailers of the same name as the header of an
    // error's type, and of its base64-encoded body. Empty when absent.
    std::string error_type_trailer{};
    std::string error_body_trailer{};
  };
  // Either may be called, and once. The first keeps the bytes up to `max_bytes`. The second hands
  // each piece on as it arrives, and keeps none; where `accept` wants no more, the body is broken.
  std::function<Body(std::uint64_t max_bytes)> read_body;
  enum class Wanted { more, no_more };
  std::function<Body(const std::function<Wanted(std::string_view piece)>& accept)> pass_body;
};

// How a call to get to `wanted` is refused.
RuntimeReply refused_reply(const CallRefused& refusal, RuntimeState wanted);

RuntimeReply answer_simple(const Call& call);
RuntimeReply answer_next(Session& session, const std::function<bool()>& connected);
// A response in streaming mode goes through the invocation's stream, if it has one. So does one
// that names no mode and announces the trailer of an error's type: AWS's client for Go, whose
// responses Lambda streams, tells of them in no other way (aws-lambda-go; that Lambda goes by the
// trailer is INF).
RuntimeReply answer_response(Session& session,
                             const ResponseCall& call,
                             const PostedRequest& posted);
RuntimeReply answer_error(Session& session, const ErrorCall& call, const PostedRequest& posted);
RuntimeReply answer_init_error(Session& session, const PostedRequest& posted);

// The same of a runtime that serves several invocations at once. Source of the statuses: the
// emulator that AWS publishes, in its mode for Managed Instances: 400 InvalidRequestID for an id
// that is unknown or has its answer, 410 InvokeTimeout once for one that has timed out; an unknown
// response mode ends the invocation with Runtime.InvalidResponseModeHeader.
RuntimeReply answer_next(ConcurrentSession& session, const std::function<bool()>& connected);
RuntimeReply answer_response(ConcurrentSession& session,
                             const ResponseCall& call,
                             const PostedRequest& posted);
RuntimeReply answer_error(ConcurrentSession& session,
                          const ErrorCall& call,
                          const PostedRequest& posted);
RuntimeReply answer_init_error(ConcurrentSession& session, const PostedRequest& posted);

// The runtime's calls as a listener serves them, whichever session is behind. What it refers to
// must outlive it.
struct RuntimeDesk {
  std::function<RuntimeReply(const std::function<bool()>& connected)> next;
  std::function<RuntimeReply(const ResponseCall&, const PostedRequest&)> response;
  std::function<RuntimeReply(const ErrorCall&, const PostedRequest&)> error;
  std::function<RuntimeReply(const PostedRequest&)> init_error;
  std::size_t polls = 1;  // calls for an invocation that may be parked at a time
};
RuntimeDesk desk_of(Session& session);
RuntimeDesk desk_of(ConcurrentSession& session, std::size_t polls);

}  // namespace runtime_api
