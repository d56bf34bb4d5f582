#include "runtime_api/runtime_routes.h"

#include "runtime_api/error_type.h"

#include <nlohmann/json.hpp>

namespace runtime_api {
namespace {

constexpr std::string_view kErrorCause = "application/vnd.aws.lambda.error.cause+json";
constexpr std::string_view kInvocation = "/2018-06-01/runtime/invocation/";

RuntimeReply refused(const CallRefused& refusal, RuntimeState wanted) {
  if (refusal.reason == CallRefused::Reason::invalid_request_id) {
    return error_reply(400, "InvalidRequestID", "Invalid request ID");
  }
  std::string message = "State transition from ";
  message.append(printed_name(refusal.from)).append(" to ").append(printed_name(wanted));
  message += " failed for runtime. Error: State transition is not allowed";
  return error_reply(403, "InvalidStateTransition", message);
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

// A body that announces streaming is collected like any other until streaming is served; an unknown
// mode is refused. "buffered" is what an absent header means.
bool is_known_mode(const std::optional<std::string>& mode) {
  return !mode || *mode == "streaming" || *mode == "buffered";
}

std::string error_body(const PostedRequest& posted, std::string bytes) {
  return posted.content_type == kErrorCause ? without_cause(bytes) : std::move(bytes);
}

RuntimeReply truncated(Session& session, RuntimeAnswer answer) {
  answer.kind = RuntimeAnswer::Kind::truncated;
  answer.error_type = "Runtime.TruncatedResponse";
  session.complete_answer(std::move(answer));
  return session_over_reply();
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

RuntimeReply answer_next(Session& session, const std::function<bool()>& connected) {
  auto taken = session.take(connected);
  if (const auto* refusal = std::get_if<CallRefused>(&taken)) {
    return refused(*refusal, RuntimeState::ready);
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

RuntimeReply answer_response(Session& session,
                             const ResponseCall& call,
                             const PostedRequest& posted) {
  if (const auto begun = session.begin_answer(call.request_id, AnswerKind::response); !begun) {
    return refused(begun.error(), RuntimeState::invocation_response);
  }
  if (!is_known_mode(posted.response_mode)) {
    session.refuse_answer();
    return error_reply(400, "InvalidFunctionResponseMode", "Invalid function response mode");
  }
  auto body = posted.read_body(kMaxResponseBytes);
  RuntimeAnswer answer;
  answer.size_bytes = body.size_bytes;
  answer.content_type = posted.content_type;
  if (body.end == PostedRequest::Body::End::broken) return truncated(session, std::move(answer));
  if (body.size_bytes > kMaxResponseBytes) {
    answer.kind = RuntimeAnswer::Kind::too_large;
    answer.error_type = "Function.ResponseSizeTooLarge";
    session.complete_answer(std::move(answer));
    return error_reply(
        413,
        "RequestEntityTooLarge",
        "Exceeded maximum allowed payload size (" + std::to_string(kMaxResponseBytes) + " bytes).");
  }
  answer.body = std::move(body.bytes);
  session.complete_answer(std::move(answer));
  return accepted_reply();
}

RuntimeReply answer_error(Session& session, const ErrorCall& call, const PostedRequest& posted) {
  if (const auto begun = session.begin_answer(call.request_id, AnswerKind::error); !begun) {
    return refused(begun.error(), RuntimeState::invocation_error_response);
  }
  auto body = posted.read_body(kMaxErrorBytes);
  RuntimeAnswer answer;
  answer.size_bytes = body.size_bytes;
  if (body.end == PostedRequest::Body::End::broken) return truncated(session, std::move(answer));
  answer.kind = RuntimeAnswer::Kind::error;
  answer.content_type = posted.content_type;
  answer.error_type = safe_error_type(posted.error_type);
  answer.body = error_body(posted, std::move(body.bytes));
  session.complete_answer(std::move(answer));
  return accepted_reply();
}

RuntimeReply answer_init_error(Session& session, const PostedRequest& posted) {
  auto body = posted.read_body(kMaxErrorBytes);
  // Half a report is none: how the process ends says more.
  if (body.end == PostedRequest::Body::End::broken) return session_over_reply();
  InitError error{safe_error_type(posted.error_type), error_body(posted, std::move(body.bytes))};
  if (const auto reported = session.report_init_error(std::move(error)); !reported) {
    return refused(reported.error(), RuntimeState::init_error);
  }
  return accepted_reply();
}

}  // namespace runtime_api
