#include "emulator/control_plane/service_error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace emulator::control_plane {
namespace {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ServiceError lower_case(std::string_view exception, int status, std::string message) {
  ServiceError error;
  error.exception = exception;
  error.status = status;
  error.message = std::move(message);
  return error;
}

// Source: service model, ThrottleReason.
std::string_view reason_of(const invoke::Refusal& refusal) {
  using environment::ThrottleReason;
  switch (refusal.reason.value_or(ThrottleReason::account_exceeded)) {
    case ThrottleReason::account_exceeded:
      return "ConcurrentInvocationLimitExceeded";
    case ThrottleReason::reserved_exceeded:
      return "ReservedFunctionConcurrentInvocationLimitExceeded";
    case ThrottleReason::function_rate:
      return "FunctionInvocationRateLimitExceeded";
    case ThrottleReason::reserved_rate:
      return "ReservedFunctionInvocationRateLimitExceeded";
    // The model has no reason of its own for these.
    case ThrottleReason::no_idle_poll:
    case ThrottleReason::duplicate_id:
    case ThrottleReason::shutting_down:
      return "ConcurrentInvocationLimitExceeded";
  }
  return {};
}

std::string error_body(const ServiceError& error) {
  std::string body = "{";
  if (!error.reason.empty())
    body.append(R"("Reason":)").append(json_string(error.reason)).append(",");
  if (!error.type.empty()) body.append(R"("Type":)").append(json_string(error.type)).append(",");
  body.append(error.key == MessageKey::capital ? R"("Message":)" : R"("message":)");
  return body.append(json_string(error.message)).append("}");
}

}  // namespace

ServiceError invalid_parameter_value(std::string message) {
  return lower_case("InvalidParameterValueException", 400, std::move(message));
}

ServiceError invalid_parameter_value_untyped(std::string message) {
  auto error = invalid_parameter_value(std::move(message));
  error.type = {};
  return error;
}

ServiceError invalid_request_content(std::string message) {
  return lower_case("InvalidRequestContentException", 400, std::move(message));
}

ServiceError validation_failure(std::string_view value,
                                std::string_view member,
                                std::string_view constraint) {
  std::string message = "1 validation error detected: Value '";
  message.append(value).append("' at '").append(member);
  message.append("' failed to satisfy constraint: ").append(constraint);
  auto error = lower_case("ValidationException", 400, std::move(message));
  error.type = {};
  return error;
}

ServiceError request_too_large(std::size_t limit_bytes) {
  return lower_case("RequestTooLargeException",
                    413,
                    "Request must be smaller than " + std::to_string(limit_bytes) +
                        " bytes for the InvokeFunction operation");
}

ServiceError function_not_found(std::string_view arn) {
  auto error =
      lower_case("ResourceNotFoundException", 404, "Function not found: " + std::string(arn));
  error.key = MessageKey::capital;
  return error;
}

ServiceError concurrency_exceeded(const invoke::Refusal& refusal) {
  auto error = lower_case("TooManyRequestsException", 429, "Rate Exceeded.");
  error.reason = reason_of(refusal);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(refusal.retry_after).count();
  error.retry_after_seconds = static_cast<int>(std::max<std::int64_t>(seconds, 1));
  return error;
}

ServiceError function_exists(std::string_view name) {
  return resource_conflict("Function already exist: " + std::string(name));
}

ServiceError resource_conflict(std::string message) {
  return lower_case("ResourceConflictException", 409, std::move(message));
}

ServiceError resource_not_found(std::string message) {
  auto error = lower_case("ResourceNotFoundException", 404, std::move(message));
  error.key = MessageKey::capital;
  return error;
}

ServiceError other_region(std::string_view named, std::string_view own) {
  return resource_not_found("Functions from '" + std::string(named) +
                            "' are not reachable in this region ('" + std::string(own) + "')");
}

ServiceError other_account(std::string_view named, std::string_view own) {
  auto error =
      lower_case("AccessDeniedException",
                 403,
                 "Account " + std::string(own) + " is not authorized for functions of account " +
                     std::string(named) + " because no resource-based policy allows it");
  error.key = MessageKey::capital;
  error.type = {};
  return error;
}

ServiceError revision_mismatch(std::string_view operations) {
  return lower_case("PreconditionFailedException",
                    412,
                    "The Revision Id provided does not match the latest Revision Id. Call the " +
                        std::string(operations) + " API to retrieve the latest Revision Id");
}

ServiceError serialization_failure(std::string message) {
  auto error = lower_case("SerializationException", 400, std::move(message));
  error.key = MessageKey::capital;
  error.type = {};
  return error;
}

ServiceError zip_too_large(std::int64_t limit_bytes) {
  return lower_case("RequestEntityTooLargeException",
                    413,
                    "Zipped size must be smaller than " + std::to_string(limit_bytes) + " bytes");
}

ServiceError unknown_operation() {
  auto error = lower_case(
      "AccessDeniedException", 403, "Unable to determine service/operation name to be authorized");
  error.key = MessageKey::capital;
  error.type = {};
  return error;
}

ServiceError operation_too_large(std::size_t limit_bytes, std::string_view operation) {
  return lower_case("RequestEntityTooLargeException",
                    413,
                    "Request must be smaller than " + std::to_string(limit_bytes) +
                        " bytes for the " + std::string(operation) + " operation");
}

ServiceError service_exception(std::string message) {
  auto error = lower_case("ServiceException", 500, std::move(message));
  error.key = MessageKey::capital;
  error.type = "Service";
  return error;
}

// Source of name, status and members: service model.
ServiceError invalid_runtime(std::string message) {
  auto error = lower_case("InvalidRuntimeException", 502, std::move(message));
  error.key = MessageKey::capital;
  error.type = "Service";
  return error;
}

ServiceError from_refusal(const invoke::Refusal& refusal, std::string_view arn) {
  switch (refusal.kind) {
    case invoke::Refusal::Kind::function_not_found:
    case invoke::Refusal::Kind::qualifier_not_found:
      return function_not_found(arn);
    case invoke::Refusal::Kind::concurrency_exceeded:
      return concurrency_exceeded(refusal);
    case invoke::Refusal::Kind::not_runnable:
      return invalid_runtime(refusal.message);
    case invoke::Refusal::Kind::tenant_missing:
    case invoke::Refusal::Kind::tenant_unexpected:
    case invoke::Refusal::Kind::not_invocable:
      return invalid_parameter_value(refusal.message);
    case invoke::Refusal::Kind::snapshot_not_ready: {
      auto error = lower_case("SnapStartNotReadyException", 409, refusal.message);
      error.key = MessageKey::capital;
      return error;
    }
    case invoke::Refusal::Kind::snapshot_failed:
      return resource_conflict(refusal.message);
    case invoke::Refusal::Kind::shutting_down:
    case invoke::Refusal::Kind::not_kept:
      break;
  }
  return service_exception(refusal.message);
}

front_doors::Reply error_reply(const ServiceError& error, std::string_view request_id) {
  front_doors::Reply reply;
  reply.status = error.status;
  reply.content_type = "application/json";
  reply.headers.push_back({"x-amzn-RequestId", std::string(request_id)});
  reply.headers.push_back({"x-amzn-ErrorType", std::string(error.exception)});
  if (error.retry_after_seconds) {
    reply.headers.push_back({"Retry-After", std::to_string(*error.retry_after_seconds)});
  }
  reply.body = error_body(error);
  return reply;
}

}  // namespace emulator::control_plane
