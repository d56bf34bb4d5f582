#include "runtime_api/runtime_routes.h"

#include "runtime_api/error_cause.h"
#include "runtime_api/error_trailers.h"
#include "runtime_api/error_type.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace runtime_api {
namespace {

constexpr std::string_view kErrorCause = "application/vnd.aws.lambda.error.cause+json";
constexpr std::string_view kInvocation = "/2018-06-01/runtime/invocation/";

// Of an error whose body has its cause in it.
std::string cause_in(const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("errorCause")) return {};
  return parsed["errorCause"].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// An error with its cause: the caller sees the three fields it knows, the cause is for tracing.
std::string without_cause(const std::string& body) {
  const auto parsed = nlohmann::ordered_json::parse(body, nullptr, false);
  if (!parsed.is_object()) return "\"Invalid error body\"";
  nlohmann::ordered_json kept = nlohmann::ordered_json::object();
  for (const auto* key : {"errorMessage", "errorType", "stackTrace"}) {
    if (parsed.contains(key)) kept[key] = parsed[key];
  }
  return kept.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

constexpr std::string_view kStreaming = "streaming";

// An unknown mode is refused. "buffered" is what an absent header means.
bool is_known_mode(const std::optional<std::string>& mode, ResponseRules rules) {
  if (!mode || *mode == kStreaming) return true;
  return rules == ResponseRules::service && *mode == "buffered";
}

std::vector<CausingException> exceptions_of(const PostedRequest& posted,
                                            const std::string& body,
                                            const std::string& error_type) {
  if (!posted.error_cause.empty()) return read_error_cause(posted.error_cause, error_type);
  if (posted.content_type != kErrorCause) return {};
  return read_error_cause(cause_in(body), error_type);
}

std::string error_body(const PostedRequest& posted, std::string bytes) {
  return posted.content_type == kErrorCause ? without_cause(bytes) : std::move(bytes);
}

// An answer that a session has opened, whichever kind of session.
struct OpenAnswer {
  SharedInvocation invocation;
  std::function<void(RuntimeAnswer)> complete;
  std::function<void()> refuse;  // in place of that: its mode is unknown
};

OpenAnswer open_answer(Session& session, SharedInvocation invocation) {
  return {std::move(invocation),
          [&session](RuntimeAnswer answer) { session.complete_answer(std::move(answer)); },
          [&session] { session.refuse_answer(); }};
}

OpenAnswer open_answer(ConcurrentSession& session, SharedInvocation invocation) {
  const auto* const id = &invocation->request_id;
  return {std::move(invocation),
          [&session, id](RuntimeAnswer answer) { session.complete_answer(*id, std::move(answer)); },
          [&session, id] {
            RuntimeAnswer answer;
            answer.kind = RuntimeAnswer::Kind::error;
            answer.error_type = "Runtime.InvalidResponseModeHeader";
            answer.body = R"({"errorType":"Runtime.InvalidResponseModeHeader"})";
            session.complete_answer(*id, std::move(answer));
          }};
}

RuntimeReply refused(AnswerRefusal refusal) {
  if (refusal == AnswerRefusal::timed_out)
    return error_reply(410, "InvokeTimeout", "Invoke timeout");
  return error_reply(400, "InvalidRequestID", "Invalid request ID");
}

RuntimeReply truncated(const OpenAnswer& open, RuntimeAnswer answer) {
  answer.kind = RuntimeAnswer::Kind::truncated;
  answer.error_type = "Runtime.TruncatedResponse";
  open.complete(std::move(answer));
  auto reply = session_over_reply();
  reply.connection = RuntimeReply::Connection::ends;
  return reply;
}

bool is_streamed(const PostedRequest& posted) {
  return posted.response_mode ? *posted.response_mode == kStreaming
                              : posted.announces_error_trailer;
}

RuntimeAnswer too_large(std::uint64_t size_bytes, std::uint64_t limit_bytes) {
  RuntimeAnswer answer;
  answer.kind = RuntimeAnswer::Kind::too_large;
  answer.error_type = "Function.ResponseSizeTooLarge";
  answer.size_bytes = size_bytes;
  answer.limit_bytes = limit_bytes;
  return answer;
}

RuntimeReply told_too_large(std::uint64_t limit_bytes) {
  return error_reply(
      413,
      "RequestEntityTooLarge",
      "Exceeded maximum allowed payload size (" + std::to_string(limit_bytes) + " bytes).");
}

// Makes an answer an error where trailers say so.
void heed_trailers(const NextInvocation& invocation,
                   const PostedRequest::Body& body,
                   RuntimeAnswer& answer) {
  if (invocation.rules == ResponseRules::published_emulator) return;
  auto error = read_error_trailers(body.error_type_trailer, body.error_body_trailer);
  if (!error) return;
  answer.kind = RuntimeAnswer::Kind::error;
  answer.error_type = std::move(error->error_type);
  answer.body = std::move(error->body);
}

// Takes a response into the invocation's stream, piece by piece as it arrives.
RuntimeReply pass_on(const OpenAnswer& open, const PostedRequest& posted) {
  const auto& invocation = *open.invocation;
  auto& stream = *invocation.stream;
  stream.begin(posted.content_type);
  std::uint64_t passed = 0;
  enum class Length { within, exceeded } length = Length::within;
  const auto body = posted.pass_body([&](std::string_view piece) {
    // What exceeds the limit is read and dropped, so that the runtime gets to hear of it.
    if (length == Length::exceeded) return PostedRequest::Wanted::more;
    const auto room = std::min<std::uint64_t>(piece.size(), kMaxStreamedBytes - passed);
    const auto accepted = stream.write(piece.substr(0, room));
    if (accepted == ResponseStream::Accepted::ended) return PostedRequest::Wanted::no_more;
    passed += room;
    if (room < piece.size()) {
      length = Length::exceeded;
      // The caller need not wait for what it is not given.
      open.complete(too_large(passed + 1, kMaxStreamedBytes));
    }
    return PostedRequest::Wanted::more;
  });
  if (length == Length::exceeded) return told_too_large(kMaxStreamedBytes);
  RuntimeAnswer answer;
  answer.size_bytes = body.size_bytes;
  answer.content_type = posted.content_type;
  if (body.end == PostedRequest::Body::End::broken) return truncated(open, std::move(answer));
  heed_trailers(invocation, body, answer);
  open.complete(std::move(answer));
  return accepted_reply();
}

RuntimeReply take_response(const OpenAnswer& open, const PostedRequest& posted) {
  if (!is_known_mode(posted.response_mode, open.invocation->rules)) {
    open.refuse();
    return error_reply(400, "InvalidFunctionResponseMode", "Invalid function response mode");
  }
  if (is_streamed(posted) && open.invocation->stream) return pass_on(open, posted);
  auto body = posted.read_body(kMaxResponseBytes);
  RuntimeAnswer answer;
  answer.size_bytes = body.size_bytes;
  answer.content_type = posted.content_type;
  if (body.end == PostedRequest::Body::End::broken) return truncated(open, std::move(answer));
  if (body.size_bytes > kMaxResponseBytes) {
    open.complete(too_large(body.size_bytes, kMaxResponseBytes));
    return told_too_large(kMaxResponseBytes);
  }
  answer.body = std::move(body.bytes);
  if (is_streamed(posted)) heed_trailers(*open.invocation, body, answer);
  open.complete(std::move(answer));
  return accepted_reply();
}

RuntimeReply take_error(const OpenAnswer& open, const PostedRequest& posted) {
  auto body = posted.read_body(kMaxErrorBytes);
  RuntimeAnswer answer;
  answer.size_bytes = body.size_bytes;
  if (body.end == PostedRequest::Body::End::broken) return truncated(open, std::move(answer));
  answer.kind = RuntimeAnswer::Kind::error;
  answer.content_type = posted.content_type;
  answer.error_type = safe_error_type(posted.error_type);
  answer.exceptions = exceptions_of(posted, body.bytes, answer.error_type);
  answer.body = error_body(posted, std::move(body.bytes));
  open.complete(std::move(answer));
  return accepted_reply();
}

}  // namespace

Call parse_call(std::string_view method, std::string_view path) {
  const auto only = [method](std::string_view allowed, Call call) -> Call {
    if (method == allowed) return call;
    return WrongMethod{std::string(allowed)};
  };
  if (path.starts_with(kInvocation)) {
    const auto rest = path.substr(kInvocation.size());
    if (rest == "next") return only("GET", NextCall{});
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || slash == 0) return UnknownPath{};
    const std::string id(rest.substr(0, slash));
    const auto verb = rest.substr(slash + 1);
    if (verb == "response") return only("POST", ResponseCall{id});
    if (verb == "error") return only("POST", ErrorCall{id});
    return UnknownPath{};
  }
  if (path == "/2018-06-01/runtime/init/error") return only("POST", InitErrorCall{});
  if (path == "/2018-06-01/ping") return only("GET", PingCall{});
  if (path == "/2022-07-01/telemetry") return only("PUT", TelemetryCall{});
  if (path == "/2020-08-15/logs") return only("PUT", LogsCall{});
  return UnknownPath{};
}

RuntimeReply refused_reply(const CallRefused& refusal, RuntimeState wanted) {
  if (refusal.reason == CallRefused::Reason::invalid_request_id) {
    return error_reply(400, "InvalidRequestID", "Invalid request ID");
  }
  std::string message = "State transition from ";
  message.append(printed_name(refusal.from)).append(" to ").append(printed_name(wanted));
  message += " failed for runtime. Error: State transition is not allowed";
  return error_reply(403, "InvalidStateTransition", message);
}

RuntimeReply answer_simple(const Call& call) {
  RuntimeReply reply;
  if (std::holds_alternative<PingCall>(call)) {
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = "pong";
    return reply;
  }
  if (std::holds_alternative<TelemetryCall>(call)) {
    return error_reply(202, "Telemetry.NotSupported", "Telemetry API is not supported");
  }
  if (std::holds_alternative<LogsCall>(call)) {
    return error_reply(202, "Logs.NotSupported", "Logs API is not supported");
  }
  if (const auto* wrong = std::get_if<WrongMethod>(&call)) {
    reply.status = 405;
    reply.headers.emplace_back("Allow", wrong->allowed);
    return reply;
  }
  reply.status = 404;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = "404 page not found\n";
  reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return reply;
}

namespace {

RuntimeReply reply_to_next(TakeResult taken) {
  if (const auto* refusal = std::get_if<CallRefused>(&taken)) {
    return refused_reply(*refusal, RuntimeState::ready);
  }
  auto* invocation = std::get_if<SharedInvocation>(&taken);
  if (invocation == nullptr) return session_over_reply();
  RuntimeReply reply;
  const auto& next = **invocation;
  reply.content_type = kJsonType;
  reply.headers.emplace_back("Lambda-Runtime-Aws-Request-Id", next.request_id);
  reply.headers.emplace_back("Lambda-Runtime-Deadline-Ms", std::to_string(next.deadline_ms));
  reply.headers.emplace_back("Lambda-Runtime-Invoked-Function-Arn", next.function_arn);
  const auto add = [&](const char* name, const std::optional<std::string>& value) {
    if (value && !value->empty()) reply.headers.emplace_back(name, *value);
  };
  add("Lambda-Runtime-Trace-Id", next.trace_id);
  add("Lambda-Runtime-Client-Context", next.client_context);
  add("Lambda-Runtime-Cognito-Identity", next.cognito_identity);
  add("Lambda-Runtime-Aws-Tenant-Id", next.tenant_id);
  reply.invocation = std::move(*invocation);
  return reply;
}

template <typename AnySession>
RuntimeReply reply_to_init_error(AnySession& session, const PostedRequest& posted) {
  auto body = posted.read_body(kMaxErrorBytes);
  // Half a report is none: how the process ends says more.
  if (body.end == PostedRequest::Body::End::broken) return session_over_reply();
  InitError error{safe_error_type(posted.error_type), error_body(posted, std::move(body.bytes))};
  if (const auto reported = session.report_init_error(std::move(error)); !reported) {
    return refused_reply(reported.error(), RuntimeState::init_error);
  }
  return accepted_reply();
}

template <typename AnySession>
RuntimeDesk desk_of_any(AnySession& session, std::size_t polls) {
  return {
      .next = [&session](const auto& connected) { return answer_next(session, connected); },
      .response =
          [&session](const ResponseCall& call, const PostedRequest& posted) {
            return answer_response(session, call, posted);
          },
      .error = [&session](
                   const ErrorCall& call,
                   const PostedRequest& posted) { return answer_error(session, call, posted); },
      .init_error =
          [&session](const PostedRequest& posted) { return answer_init_error(session, posted); },
      .polls = polls};
}

}  // namespace

RuntimeReply answer_next(Session& session, const std::function<bool()>& connected) {
  return reply_to_next(session.take(connected));
}

RuntimeReply answer_response(Session& session,
                             const ResponseCall& call,
                             const PostedRequest& posted) {
  auto begun = session.begin_answer(call.request_id, AnswerKind::response);
  if (!begun) return refused_reply(begun.error(), RuntimeState::invocation_response);
  return take_response(open_answer(session, std::move(*begun)), posted);
}

RuntimeReply answer_error(Session& session, const ErrorCall& call, const PostedRequest& posted) {
  auto begun = session.begin_answer(call.request_id, AnswerKind::error);
  if (!begun) return refused_reply(begun.error(), RuntimeState::invocation_error_response);
  return take_error(open_answer(session, std::move(*begun)), posted);
}

RuntimeReply answer_init_error(Session& session, const PostedRequest& posted) {
  return reply_to_init_error(session, posted);
}

RuntimeDesk desk_of(Session& session) { return desk_of_any(session, 1); }

// ---- Of several invocations at once.

RuntimeReply answer_next(ConcurrentSession& session, const std::function<bool()>& connected) {
  return reply_to_next(session.take(connected));
}

RuntimeReply answer_response(ConcurrentSession& session,
                             const ResponseCall& call,
                             const PostedRequest& posted) {
  auto begun = session.begin_answer(call.request_id);
  if (!begun) return refused(begun.error());
  return take_response(open_answer(session, std::move(*begun)), posted);
}

RuntimeReply answer_error(ConcurrentSession& session,
                          const ErrorCall& call,
                          const PostedRequest& posted) {
  auto begun = session.begin_answer(call.request_id);
  if (!begun) return refused(begun.error());
  return take_error(open_answer(session, std::move(*begun)), posted);
}

RuntimeReply answer_init_error(ConcurrentSession& session, const PostedRequest& posted) {
  return reply_to_init_error(session, posted);
}

RuntimeDesk desk_of(ConcurrentSession& session, std::size_t polls) {
  return desk_of_any(session, polls);
}

}  // namespace runtime_api
