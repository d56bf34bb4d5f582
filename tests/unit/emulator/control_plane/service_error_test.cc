#include "emulator/control_plane/service_error.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using emulator::environment::ThrottleReason;
using emulator::front_doors::Header;
using emulator::invoke::Refusal;

namespace {

const std::string kArn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";

Refusal throttle(ThrottleReason reason) {
  return {.kind = Refusal::Kind::concurrency_exceeded, .message = "why", .reason = reason};
}

}  // namespace

TEST_CASE("each service exception has its status, name and body, byte for byte",
          "[control_plane]") {
  struct Row {
    ServiceError error;
    int status;
    const char* name;
    std::string body;
  };
  const Row rows[] = {
      {function_not_found(kArn),
       404,
       "ResourceNotFoundException",
       R"({"Type":"User","Message":"Function not found: )" + kArn + R"("})"},
      {concurrency_exceeded(throttle(ThrottleReason::account_exceeded)),
       429,
       "TooManyRequestsException",
       R"({"Reason":"ConcurrentInvocationLimitExceeded","Type":"User",)"
       R"("message":"Rate Exceeded."})"},
      {concurrency_exceeded(throttle(ThrottleReason::reserved_exceeded)),
       429,
       "TooManyRequestsException",
       R"({"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User",)"
       R"("message":"Rate Exceeded."})"},
      {concurrency_exceeded(throttle(ThrottleReason::function_rate)),
       429,
       "TooManyRequestsException",
       R"({"Reason":"FunctionInvocationRateLimitExceeded","Type":"User",)"
       R"("message":"Rate Exceeded."})"},
      {concurrency_exceeded(throttle(ThrottleReason::reserved_rate)),
       429,
       "TooManyRequestsException",
       R"({"Reason":"ReservedFunctionInvocationRateLimitExceeded","Type":"User",)"
       R"("message":"Rate Exceeded."})"},
      {request_too_large(6291456),
       413,
       "RequestTooLargeException",
       R"({"Type":"User","message":"Request must be smaller than 6291456 bytes for the )"
       R"(InvokeFunction operation"})"},
      {invalid_request_content("no \"json\""),
       400,
       "InvalidRequestContentException",
       R"({"Type":"User","message":"no \"json\""})"},
      {invalid_parameter_value("x"),
       400,
       "InvalidParameterValueException",
       R"({"Type":"User","message":"x"})"},
      {validation_failure("a b", "functionName", "C"),
       400,
       "ValidationException",
       R"({"message":"1 validation error detected: Value 'a b' at 'functionName' failed to )"
       R"(satisfy constraint: C"})"},
      {service_exception("sorry"),
       500,
       "ServiceException",
       R"({"Type":"Service","Message":"sorry"})"},
  };
  for (const auto& row : rows) {
    const auto reply = error_reply(row.error, "id-1");
    CHECK(reply.status == row.status);
    CHECK(reply.body == row.body);
    CHECK(reply.content_type == "application/json");
    REQUIRE(reply.headers.size() >= 2);
    CHECK(reply.headers[0] == Header{"x-amzn-RequestId", "id-1"});
    CHECK(reply.headers[1] == Header{"x-amzn-ErrorType", row.name});
  }
}

TEST_CASE("a throttled caller is told when to come back", "[control_plane]") {
  auto refusal = throttle(ThrottleReason::function_rate);
  const auto retry_after = [&] {
    const auto reply = error_reply(concurrency_exceeded(refusal), "id");
    REQUIRE(reply.headers.size() == 3);
    return reply.headers[2];
  };
  CHECK(retry_after() == Header{"Retry-After", "1"});
  refusal.retry_after = std::chrono::milliseconds{2'001};
  CHECK(retry_after() == Header{"Retry-After", "3"});
}

TEST_CASE("an invocation that was not run becomes the service's exception", "[control_plane]") {
  const auto shown = [](Refusal::Kind kind) {
    return from_refusal({.kind = kind, .message = "why"}, kArn);
  };
  CHECK(shown(Refusal::Kind::function_not_found).status == 404);
  CHECK(shown(Refusal::Kind::qualifier_not_found).exception == "ResourceNotFoundException");
  CHECK(shown(Refusal::Kind::concurrency_exceeded).status == 429);
  CHECK(shown(Refusal::Kind::not_runnable).status == 502);
  CHECK(shown(Refusal::Kind::not_runnable).exception == "InvalidRuntimeException");
  CHECK(shown(Refusal::Kind::shutting_down).status == 500);
  CHECK(shown(Refusal::Kind::shutting_down).message == "why");
}
