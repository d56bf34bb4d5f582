#include "emulator/control_plane/invoke_api.h"

#include "emulator/control_plane/invoke_stream.h"
#include "emulator/control_plane/snap_start.h"
#include "emulator/front_doors/request_target.h"
#include "emulator/functions/base64.h"
#include "emulator/invoke/error_body.h"
#include "emulator/invoke/json_syntax.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace emulator::control_plane {
namespace {

using front_doors::header_value;
using front_doors::Reply;
using front_doors::Request;

// Source: service model, NamespacedFunctionName and the qualifier's shape.
constexpr std::string_view kNamePattern =
    R"((arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?)"
    R"(([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?)";
constexpr std::string_view kQualifierPattern = R"((\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_$]+))";
constexpr std::string_view kTenantIdPattern = R"([a-zA-Z0-9\._:\/=+\-@ ]+)";
constexpr std::string_view kMustMatch = "Member must satisfy regular expression pattern: ";

struct RoutePattern {
  InvokeOperation operation;
  std::string_view prefix;
  std::string_view suffix;
};

constexpr RoutePattern kRoutes[] = {
    {InvokeOperation::invoke, "/2015-03-31/functions/", "/invocations"},
    {InvokeOperation::invoke_async, "/2014-11-13/functions/", "/invoke-async"},
    {InvokeOperation::response_stream, "/2021-11-15/functions/", "/response-streaming-invocations"},
};

ServiceError pattern_failure(std::string_view value,
                             std::string_view member,
                             std::string_view pattern) {
  return validation_failure(value, member, std::string(kMustMatch).append(pattern));
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

// The enumeration's wording is unverified.
tl::expected<InvocationType, ServiceError> parse_type(const Request& request,
                                                      const InvokeRoute& route) {
  if (route.operation == InvokeOperation::invoke_async) return InvocationType::event;
  const bool streamed = route.operation == InvokeOperation::response_stream;
  const auto type = header_value(request, "X-Amz-Invocation-Type");
  if (!type || *type == "RequestResponse") return InvocationType::request_response;
  if (*type == "Event" && !streamed) return InvocationType::event;
  if (*type == "DryRun") return InvocationType::dry_run;
  return tl::unexpected(
      validation_failure(*type,
                         "invocationType",
                         streamed ? "Member must satisfy enum value set: [RequestResponse, DryRun]"
                                  : "Member must satisfy enum value set: [Event, RequestResponse, "
                                    "DryRun]"));
}

tl::expected<invoke::ReleaseAt, ServiceError> parse_log_type(const Request& request) {
  const auto type = header_value(request, "X-Amz-Log-Type");
  if (!type || *type == "None") return invoke::ReleaseAt::response;
  if (*type == "Tail") return invoke::ReleaseAt::report;
  return tl::unexpected(
      validation_failure(*type, "logType", "Member must satisfy enum value set: [None, Tail]"));
}

// Name and qualifier, from the path and the query.
tl::expected<void, ServiceError> parse_target(const InvokeRoute& route, InvokeCall& call) {
  auto& into = call.request;
  const auto name = front_doors::percent_decoded(route.encoded_name);
  auto reference = name ? functions::parse_function_reference(*name) : std::nullopt;
  if (!reference) {
    return tl::unexpected(pattern_failure(
        name.value_or(std::string(route.encoded_name)), "functionName", kNamePattern));
  }
  auto qualifier = front_doors::query_value(route.query, "Qualifier");
  if (qualifier && qualifier->empty()) qualifier.reset();
  if (qualifier && !functions::is_valid_qualifier(*qualifier)) {
    return tl::unexpected(pattern_failure(*qualifier, "qualifier", kQualifierPattern));
  }
  if (qualifier && reference->qualifier && *qualifier != *reference->qualifier) {
    return tl::unexpected(
        invalid_parameter_value("The derived qualifier from the function name does not match the "
                                "specified qualifier."));
  }
  call.region = std::move(reference->region);
  call.account = std::move(reference->account);
  into.function_name = std::move(reference->name);
  into.qualifier = qualifier ? std::move(qualifier) : std::move(reference->qualifier);
  return {};
}

// The texts are unverified; the exception is the one that the model gives for unreadable requests.
tl::expected<std::optional<std::string>, ServiceError> parse_client_context(
    const Request& request) {
  const auto encoded = header_value(request, "X-Amz-Client-Context");
  if (!encoded || encoded->empty()) return std::nullopt;
  if (encoded->size() > kMaxClientContextBytes) {
    return tl::unexpected(invalid_request_content("Client context must be no more than " +
                                                  std::to_string(kMaxClientContextBytes) +
                                                  " bytes of base64-encoded data."));
  }
  auto context = functions::base64_decoded(*encoded);
  if (!context || invoke::find_json_fault(*context)) {
    return tl::unexpected(
        invalid_request_content("Client context must be a valid Base64-encoded JSON object."));
  }
  return std::optional(std::move(*context));
}

tl::expected<void, ServiceError> parse_headers(const Request& request,
                                               invoke::InvocationRequest& into) {
  if (const auto id = header_value(request, "x-amzn-RequestId")) {
    if (!is_uuid(*id)) {
      return tl::unexpected(invalid_request_content(
          "The request id in the header x-amzn-RequestId is not a UUID; leave the header out"));
    }
    into.request_id = *id;
  }
  auto context = parse_client_context(request);
  if (!context) return tl::unexpected(std::move(context.error()));
  into.client_context = std::move(*context);
  if (const auto trace = header_value(request, "X-Amzn-Trace-Id"); trace && !trace->empty()) {
    into.trace_id = std::string(*trace);
  }
  if (const auto tenant = header_value(request, "X-Amz-Tenant-Id")) {
    if (!is_tenant_id(*tenant)) {
      return tl::unexpected(pattern_failure(*tenant, "tenantId", kTenantIdPattern));
    }
    into.tenant_id = std::string(*tenant);
  }
  return {};
}

tl::expected<void, ServiceError> parse_payload(std::string body, invoke::InvocationRequest& into) {
  if (body.empty()) body = "{}";
  if (const auto fault = invoke::find_json_fault(body)) {
    return tl::unexpected(invalid_request_content(
        "Could not parse request body into json: Could not parse payload into json: " +
        describe(*fault, body)));
  }
  into.payload = std::move(body);
  return {};
}

Reply empty_reply(int status, std::string_view request_id) {
  Reply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.headers.push_back({"x-amzn-RequestId", std::string(request_id)});
  return reply;
}

std::string qualified_arn(const invoke::InvocationRequest& request, const InvokeApi& api) {
  return functions::function_arn(
      api.region,
      api.account,
      request.function_name,
      request.qualifier ? std::string_view(*request.qualifier) : functions::kLatestVersion);
}

Reply run(InvokeCall call, const InvokeRoute& route, const InvokeApi& api) {
  const auto id = call.request.request_id;
  const auto arn = qualified_arn(call.request, api);
  const auto refused = [&](const invoke::Refusal& refusal) {
    return error_reply(from_refusal(refusal, arn), id);
  };
  if (call.type == InvocationType::dry_run) {
    const auto found = api.resolve(call.request);
    return found ? empty_reply(204, id) : refused(found.error());
  }
  if (call.type == InvocationType::event) {
    const auto accepted = api.invoke_async(std::move(call.request));
    if (!accepted) return refused(accepted.error());
    auto reply = empty_reply(202, id);
    if (!accepted->empty()) reply.headers.push_back({"X-Amzn-Trace-Id", *accepted});
    return reply;
  }
  const auto release_at = call.request.release_at;
  if (route.operation == InvokeOperation::response_stream) {
    const auto pace = api.pace ? api.pace() : invoke::StreamPace{};
    auto reply = stream_invocation(std::move(call.request), api.invoke, pace);
    return reply ? std::move(*reply) : refused(reply.error());
  }
  auto result = api.invoke(std::move(call.request));
  if (!result) return refused(result.error());
  const auto trace = std::move(result->trace_header);
  return invocation_reply(std::move(*result), release_at, id, trace);
}

}  // namespace

bool is_tenant_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTenantIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._:/=+-@ ").find(c) != std::string_view::npos;
         });
}

std::optional<InvokeRoute> match_invoke_route(const Request& head) {
  if (head.method != "POST") return std::nullopt;
  auto [path, query] = front_doors::split_target(head.target);
  for (const auto& [operation, prefix, suffix] : kRoutes) {
    if (!path.starts_with(prefix)) continue;
    auto rest = path.substr(prefix.size());
    // The model writes this one operation's path with a trailing slash.
    if (operation == InvokeOperation::invoke_async && rest.ends_with('/')) rest.remove_suffix(1);
    if (!rest.ends_with(suffix)) return std::nullopt;
    rest.remove_suffix(suffix.size());
    if (rest.empty() || rest.find('/') != std::string_view::npos) return std::nullopt;
    return InvokeRoute{operation, rest, query};
  }
  return std::nullopt;
}

std::size_t max_request_bytes(const Request& head, const InvokeRoute& route) {
  const bool event = route.operation == InvokeOperation::invoke_async ||
                     (route.operation == InvokeOperation::invoke &&
                      header_value(head, "X-Amz-Invocation-Type") == "Event");
  return event ? kMaxAsyncRequestBytes : kMaxSyncRequestBytes;
}

tl::expected<InvokeCall, ServiceError> parse_invoke(Request request,
                                                    const InvokeRoute& route,
                                                    std::string fresh_request_id) {
  InvokeCall call;
  call.request.request_id = std::move(fresh_request_id);
  if (const auto limit = max_request_bytes(request, route); request.body.size() > limit) {
    return tl::unexpected(request_too_large(limit));
  }
  const auto type = parse_type(request, route);
  if (!type) return tl::unexpected(type.error());
  call.type = *type;
  const auto release_at = parse_log_type(request);
  if (!release_at) return tl::unexpected(release_at.error());
  // "Applies to synchronously invoked functions only" (service model).
  if (*type == InvocationType::request_response) call.request.release_at = *release_at;
  if (auto target = parse_target(route, call); !target) {
    return tl::unexpected(std::move(target.error()));
  }
  if (auto headers = parse_headers(request, call.request); !headers) {
    return tl::unexpected(std::move(headers.error()));
  }
  // "Lambda passes the ClientContext object to your function for synchronous invocations only."
  if (*type != InvocationType::request_response) call.request.client_context.reset();
  if (auto payload = parse_payload(std::move(request.body), call.request); !payload) {
    return tl::unexpected(std::move(payload.error()));
  }
  return call;
}

Reply invocation_reply(invoke::InvocationResult result,
                       invoke::ReleaseAt release_at,
                       std::string_view request_id,
                       std::string_view trace_header) {
  if (const auto* unrestored = std::get_if<environment::RestoreFailed>(&result.outcome)) {
    return error_reply(from_restore_failure(*unrestored), request_id);
  }
  auto reply = empty_reply(200, request_id);
  reply.headers.push_back({"X-Amzn-Remapped-Content-Length", "0"});
  reply.headers.push_back({"X-Amz-Executed-Version", std::move(result.executed_version)});
  if (!trace_header.empty()) {
    reply.headers.push_back({"X-Amzn-Trace-Id", std::string(trace_header)});
  }
  if (release_at == invoke::ReleaseAt::report) {
    reply.headers.push_back({"X-Amz-Log-Result", functions::base64_encoded(result.log_tail)});
  }
  if (auto* responded = std::get_if<environment::Responded>(&result.outcome)) {
    reply.body = std::move(responded->body);
  } else {
    reply.headers.push_back({"X-Amz-Function-Error", "Unhandled"});
    reply.body = invoke::error_body(result.outcome, request_id, invoke::Profile::aws);
  }
  return reply;
}

Reply answer_invoke(Request request, const InvokeRoute& route, const InvokeApi& api) {
  auto fresh_id = api.new_request_id();
  auto call = parse_invoke(std::move(request), route, fresh_id);
  if (!call) return error_reply(call.error(), fresh_id);
  if (call->region && *call->region != api.region) {
    return error_reply(other_region(*call->region, api.region), call->request.request_id);
  }
  if (call->account && *call->account != api.account) {
    return error_reply(other_account(*call->account, api.account), call->request.request_id);
  }
  return run(std::move(*call), route, api);
}

}  // namespace emulator::control_plane
