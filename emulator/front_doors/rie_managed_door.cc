#include "emulator/front_doors/rie_managed_door.h"

#include "emulator/front_doors/request_target.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace emulator::front_doors {
namespace {

constexpr std::string_view kJson = "application/json";

// What came from a header may be no UTF-8, and has no place in a header of ours then.
std::string document(std::string_view type, const std::string& message = {}) {
  nlohmann::ordered_json body = {{"errorType", type}};
  if (!message.empty()) body["errorMessage"] = message;
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Reply failure(int status, std::string_view type, std::string body) {
  return {status, std::string(kJson), {{"Error-Type", std::string(type)}}, std::move(body)};
}

std::optional<std::string> copied(const Request& request, std::string_view name) {
  const auto value = header_value(request, name);
  if (!value || value->empty()) return std::nullopt;
  return std::string(*value);
}

std::string_view type_of(const invoke::Refusal& refusal) {
  using environment::ThrottleReason;
  if (refusal.kind == invoke::Refusal::Kind::shutting_down) {
    return "Client.ExecutionEnvironmentShutDown";
  }
  if (refusal.reason == ThrottleReason::shutting_down) return "Client.ExecutionEnvironmentShutDown";
  if (refusal.reason == ThrottleReason::duplicate_id) return "Client.DuplicatedInvokeId";
  return "Runtime.Unavailable";
}

}  // namespace

Reply managed_rie_reply(invoke::InvocationResult result) {
  auto& outcome = result.outcome;
  if (auto* responded = std::get_if<environment::Responded>(&outcome)) {
    auto type = responded->content_type.empty() ? "application/octet-stream"
                                                : std::move(responded->content_type);
    return {200,
            std::move(type),
            {{"Lambda-Runtime-Function-Response-Mode", "buffered"}},
            std::move(responded->body)};
  }
  const std::string type(environment::error_type(outcome));
  if (const auto* timed_out = std::get_if<environment::TimedOut>(&outcome)) {
    return failure(200, type, document(type, environment::describe(*timed_out)));
  }
  auto* error = std::get_if<environment::FunctionError>(&outcome);
  if (error != nullptr && error->phase == environment::FailurePhase::invoke) {
    return failure(200, type, std::move(error->body));
  }
  return failure(200, type, document(type));
}

Reply managed_rie_refusal_reply(const invoke::Refusal& refusal) {
  const auto type = type_of(refusal);
  return failure(400, type, document(type));
}

Reply answer_managed_rie(Request request, const RieFrontDoor& door) {
  if (!is_rie_invocation(request)) return rie_path_reply(request);
  if (request.method != "POST") return {405, {}, {{"Allow", "POST"}}, {}};
  invoke::InvocationRequest invocation;
  invocation.request_id = copied(request, "X-Amzn-RequestId").value_or(std::string());
  if (invocation.request_id.empty()) invocation.request_id = door.new_request_id();
  invocation.function_name = door.function_name;
  invocation.client_context = copied(request, "X-Amz-Client-Context");
  invocation.trace_id = copied(request, "X-Amzn-Trace-Id");
  invocation.payload = std::move(request.body);
  auto result = door.invoke(std::move(invocation));
  if (!result) return managed_rie_refusal_reply(result.error());
  return managed_rie_reply(std::move(*result));
}

}  // namespace emulator::front_doors
