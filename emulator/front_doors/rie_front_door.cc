#include "emulator/front_doors/rie_front_door.h"

#include "emulator/front_doors/content_sniffing.h"
#include "emulator/front_doors/request_target.h"
#include "emulator/functions/base64.h"
#include "emulator/invoke/error_body.h"

#include <optional>
#include <utility>
#include <variant>

namespace emulator::front_doors {
namespace {

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

Reply plain_text(int status, std::string text) {
  return {
      status, std::string(kPlainText), {{"X-Content-Type-Options", "nosniff"}}, std::move(text)};
}

std::optional<std::string> copied_header(const Request& request, std::string_view name) {
  const auto value = header_value(request, name);
  if (!value || value->empty()) return std::nullopt;
  return std::string(*value);
}

// Characters that a path may show as they are; the rest is percent-encoded in a Location.
std::string encoded_path(std::string_view path) {
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/$&+,:;=@";
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4U]);
      encoded.push_back(kHex[byte & 15U]);
    }
  }
  return encoded;
}

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped.append("&amp;");
        break;
      case '<':
        escaped.append("&lt;");
        break;
      case '>':
        escaped.append("&gt;");
        break;
      case '"':
        escaped.append("&#34;");
        break;
      case '\'':
        escaped.append("&#39;");
        break;
      default:
        escaped.push_back(c);
    }
  }
  return escaped;
}

bool failed_before_ready(const environment::Outcome& outcome) {
  if (const auto* error = std::get_if<environment::FunctionError>(&outcome)) {
    return error->phase == environment::FailurePhase::init;
  }
  return false;
}

// 502 when the processes ended, or could not be used; 200 for everything a function can do wrong.
int status_of(const environment::Outcome& outcome) {
  const bool ended = std::holds_alternative<environment::RuntimeExited>(outcome) ||
                     std::holds_alternative<environment::NeverStarted>(outcome) ||
                     std::holds_alternative<environment::ExtensionFailed>(outcome) ||
                     std::holds_alternative<environment::RestoreFailed>(outcome) ||
                     std::holds_alternative<environment::ResponseTruncated>(outcome);
  return ended || failed_before_ready(outcome) ? 502 : 200;
}

}  // namespace

bool is_rie_invocation(const Request& head) {
  const auto path = split_target(head.target).path;
  if (path == kRieInvocationPath) return true;
  return path.find('%') != std::string_view::npos && percent_decoded(path) == kRieInvocationPath;
}

Reply rie_path_reply(const Request& head) {
  const auto [path, query] = split_target(head.target);
  const auto decoded = percent_decoded(path);
  if (!decoded) return plain_text(400, "400 Bad Request");
  const auto clean = cleaned_path(*decoded);
  if (clean == *decoded) return plain_text(404, "404 page not found\n");
  auto location = encoded_path(clean);
  if (!query.empty()) location.append("?").append(query);
  Reply reply{301, {}, {{"Location", location}}, {}};
  if (head.method == "GET" || head.method == "HEAD") {
    reply.content_type = "text/html; charset=utf-8";
    reply.body = "<a href=\"" + html_escaped(location) + "\">Moved Permanently</a>.\n\n";
  }
  return reply;
}

Reply rie_too_large_reply() {
  return plain_text(413,
                    "The request body is larger than " + std::to_string(kMaxRieRequestBytes) +
                        " bytes, the most that a function can be given; make the event smaller\n");
}

tl::expected<invoke::InvocationRequest, Reply> parse_rie_request(Request request,
                                                                 std::string request_id,
                                                                 std::string function_name) {
  invoke::InvocationRequest invocation;
  if (const auto encoded = header_value(request, "X-Amz-Client-Context");
      encoded && !encoded->empty()) {
    auto context = functions::base64_decoded(*encoded);
    if (!context) return tl::unexpected(Reply{500, {}, {}, {}});
    if (!context->empty()) invocation.client_context = std::move(*context);
  }
  invocation.function_name = std::move(function_name);
  invocation.request_id = std::move(request_id);
  invocation.trace_id = copied_header(request, "X-Amzn-Trace-Id");
  invocation.tenant_id = copied_header(request, "X-Amz-Tenant-Id");
  invocation.payload = std::move(request.body);
  return invocation;
}

Reply rie_reply(invoke::InvocationResult result, std::string_view request_id) {
  Reply reply;
  reply.status = status_of(result.outcome);
  if (auto* responded = std::get_if<environment::Responded>(&result.outcome)) {
    reply.body = std::move(responded->body);
  } else {
    reply.headers.push_back({"X-Amz-Function-Error", "Unhandled"});
    reply.body = invoke::error_body(result.outcome, request_id, invoke::Profile::rie);
  }
  if (!reply.body.empty()) reply.content_type = sniffed_content_type(reply.body);
  return reply;
}

Reply rie_refusal_reply(const invoke::Refusal& refusal) {
  int status = 500;
  switch (refusal.kind) {
    case invoke::Refusal::Kind::function_not_found:
    case invoke::Refusal::Kind::qualifier_not_found:
      status = 404;
      break;
    case invoke::Refusal::Kind::concurrency_exceeded:
      status = 429;
      break;
    case invoke::Refusal::Kind::not_runnable:
      status = 502;
      break;
    case invoke::Refusal::Kind::tenant_missing:
    case invoke::Refusal::Kind::tenant_unexpected:
    case invoke::Refusal::Kind::not_invocable:
      status = 400;
      break;
    case invoke::Refusal::Kind::snapshot_not_ready:
    case invoke::Refusal::Kind::snapshot_failed:
      status = 409;
      break;
    case invoke::Refusal::Kind::shutting_down:
      status = 503;
      break;
    case invoke::Refusal::Kind::not_kept:
      break;
  }
  return plain_text(status, refusal.message + "\n");
}

Reply answer_rie(Request request, const RieFrontDoor& door) {
  if (!is_rie_invocation(request)) return rie_path_reply(request);
  const auto request_id = door.new_request_id();
  auto invocation = parse_rie_request(std::move(request), request_id, door.function_name);
  if (!invocation) return std::move(invocation.error());
  auto result = door.invoke(std::move(*invocation));
  if (!result) return rie_refusal_reply(result.error());
  return rie_reply(std::move(*result), request_id);
}

}  // namespace emulator::front_doors
