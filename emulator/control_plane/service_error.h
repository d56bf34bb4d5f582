// The exceptions of Lambda's own API: a name, a status, and a JSON body in the shape each has.
//
// Source: the public service model (names, statuses, members), and responses recorded from the
// service where a comment says so. Values only; any thread.
#pragma once

#include "emulator/front_doors/http_message.h"
#include "emulator/invoke/invocation.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// How an exception names its text: the model is not consistent.
enum class MessageKey { lower_case, capital };

struct ServiceError {
  std::string_view exception;  // "ResourceNotFoundException"; a string literal
  int status = 400;
  MessageKey key = MessageKey::lower_case;
  std::string_view type = "User";  // member "Type"; empty: the exception has none
  std::string message;
  std::string_view reason;                 // member "Reason" of TooManyRequestsException
  std::optional<int> retry_after_seconds;  // header Retry-After
  bool overtaken = false;  // somebody else changed what was read; the operation may be run again
};

ServiceError invalid_parameter_value(std::string message);
// The same without the member Type, as some operations answer. Source: recorded.
ServiceError invalid_parameter_value_untyped(std::string message);
ServiceError invalid_request_content(std::string message);

// The text the service's request validation gives. Source: recorded.
ServiceError validation_failure(std::string_view value,
                                std::string_view member,
                                std::string_view constraint);

// "Request must be smaller than N bytes for the InvokeFunction operation". Source: service model.
ServiceError request_too_large(std::size_t limit_bytes);

// `arn` with its qualifier, as the service has written it since 2025. Source: recorded.
ServiceError function_not_found(std::string_view arn);

// Source of the body: recorded for reserved concurrency; that the other reasons share its text is
// unverified. Retry-After: modelled; its value of at least one second is ours.
ServiceError concurrency_exceeded(const invoke::Refusal& refusal);

// "Function already exist: NAME". Source: recorded.
ServiceError function_exists(std::string_view name);

// 409, with the text as it is.
ServiceError resource_conflict(std::string message);

// 404, with the text as it is.
ServiceError resource_not_found(std::string message);

// A function's ARN of another region, or of another account. Source: recorded for the region and
// for the account's name and status; the account's text is ours.
ServiceError other_region(std::string_view named, std::string_view own);
ServiceError other_account(std::string_view named, std::string_view own);

// A RevisionId that is not the newest; `operation` says what to call for that. Source: recorded.
ServiceError revision_mismatch(std::string_view operations);

// A body that is not what the operation's members are. Source: recorded.
ServiceError serialization_failure(std::string message);

// A package over the limit of what may be sent directly. Source: recorded.
ServiceError zip_too_large(std::int64_t limit_bytes);

// No operation has this method and path. Source of name, status and text: recorded. The service
// sends the body as XML; ours is JSON, which more clients can read.
ServiceError unknown_operation();

// A body over the limit of its operation. Source: recorded, for those that bring a package along.
ServiceError operation_too_large(std::size_t limit_bytes, std::string_view operation);

// A defect of ours, or a request during the stop. 500, which SDKs retry.
ServiceError service_exception(std::string message);

// 502: this host has not what the function needs; the text says how to get it.
ServiceError invalid_runtime(std::string message);

// How the API shows that an invocation was not run. `arn` is the function's, with qualifier.
ServiceError from_refusal(const invoke::Refusal& refusal, std::string_view arn);

// Status, body, x-amzn-ErrorType and x-amzn-RequestId.
front_doors::Reply error_reply(const ServiceError& error, std::string_view request_id);

}  // namespace emulator::control_plane
