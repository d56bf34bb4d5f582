#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const std::string kArn = "arn:aws:lambda:us-east-1:123456789012:function:f";
const std::string kQueue = "arn:aws:sqs:us-east-1:123456789012:q";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(event_invoke_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

Document with(const Document& more) {
  Document input = {{"FunctionName", "f"}};
  input.update(more);
  return input;
}

Document destination(const char* end, const std::string& arn) {
  return with({{"DestinationConfig", {{end, {{"Destination", arn}}}}}});
}

}  // namespace

TEST_CASE("an asynchronous configuration is put, updated in part, read and deleted",
          "[event invoke]") {
  ServiceParts parts;
  parts.create("f");
  const auto put =
      run(parts, "PutFunctionEventInvokeConfig", with({{"MaximumRetryAttempts", 1}})).value();
  CHECK(put == Document{{"LastModified", 1768262400.0},
                        {"FunctionArn", kArn + ":$LATEST"},
                        {"MaximumRetryAttempts", 1},
                        {"DestinationConfig",
                         {{"OnSuccess", Document::object()}, {"OnFailure", Document::object()}}}});
  const auto updated =
      run(parts,
          "UpdateFunctionEventInvokeConfig",
          with({{"MaximumEventAgeInSeconds", 60},
                {"DestinationConfig", {{"OnFailure", {{"Destination", kQueue}}}}}}))
          .value();
  CHECK(updated["MaximumRetryAttempts"] == 1);
  CHECK(updated["MaximumEventAgeInSeconds"] == 60);
  CHECK(updated["DestinationConfig"]["OnFailure"] == Document{{"Destination", kQueue}});
  CHECK(parts.world.registry.find("f")->event_invoke.at("$LATEST").on_failure == kQueue);
  const auto replaced =
      run(parts, "PutFunctionEventInvokeConfig", with({{"MaximumEventAgeInSeconds", 70}})).value();
  CHECK_FALSE(replaced.contains("MaximumRetryAttempts"));
  CHECK(run(parts, "GetFunctionEventInvokeConfig", with({{"Qualifier", "$LATEST"}})).value() ==
        replaced);
  REQUIRE(run(parts, "DeleteFunctionEventInvokeConfig", with(Document::object())));
  CHECK(refusal(parts, "GetFunctionEventInvokeConfig", with(Document::object())).message ==
        "The function " + kArn + ":$LATEST doesn't have an EventInvokeConfig");
}

TEST_CASE("an asynchronous configuration of nothing, or with nothing in it, is refused",
          "[event invoke]") {
  ServiceParts parts;
  const auto one = with({{"MaximumRetryAttempts", 1}});
  CHECK(refusal(parts, "PutFunctionEventInvokeConfig", one).message ==
        "The function doesn't exist.");
  CHECK(refusal(parts, "ListFunctionEventInvokeConfigs", with(Document::object())).message ==
        "The function doesn't exist.");
  parts.create("f");
  CHECK(refusal(parts, "PutFunctionEventInvokeConfig", with(Document::object())).message ==
        "You must specify at least one of error handling or destination setting.");
  CHECK(refusal(parts, "UpdateFunctionEventInvokeConfig", one).message ==
        "The function " + kArn + ":$LATEST doesn't have an EventInvokeConfig");
  CHECK(refusal(parts,
                "PutFunctionEventInvokeConfig",
                with({{"Qualifier", "live"}, {"MaximumRetryAttempts", 1}}))
            .status == 404);
}

TEST_CASE("a destination is a queue, a topic, a bus, another function, or for failures a bucket",
          "[event invoke]") {
  ServiceParts parts;
  parts.create("f");
  parts.create("g");
  const auto put = [&](const char* end, const std::string& arn) {
    return run(parts, "PutFunctionEventInvokeConfig", destination(end, arn)).has_value();
  };
  const std::string account = ":us-east-1:123456789012:";
  CHECK(put("OnSuccess", "arn:aws:sns" + account + "t"));
  CHECK(put("OnSuccess", "arn:aws:events" + account + "event-bus/default"));
  CHECK(put("OnSuccess", "arn:aws:lambda" + account + "function:g"));
  CHECK(put("OnFailure", "arn:aws:s3:::bucket"));
  CHECK_FALSE(put("OnSuccess", "arn:aws:s3:::bucket"));
  CHECK_FALSE(put("OnFailure", "arn:aws:dynamodb" + account + "table/t"));
  CHECK_FALSE(put("OnFailure", "kafka://topic"));
  const auto fifo = "arn:aws:sqs" + account + "q.fifo";
  CHECK(refusal(parts, "PutFunctionEventInvokeConfig", destination("OnSuccess", fifo)).message ==
        "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=" +
            fifo + "), onFailure=null) is invalid.");
  CHECK(refusal(parts,
                "PutFunctionEventInvokeConfig",
                destination("OnSuccess", "arn:aws:lambda" + account + "function:none"))
            .message ==
        "The destination ARN arn:aws:lambda:us-east-1:123456789012:function:none is invalid.");
  CHECK(refusal(parts, "PutFunctionEventInvokeConfig", destination("OnFailure", kArn)).message ==
        "You can't specify the function as a destination for itself.");
}

TEST_CASE("each qualifier has its own asynchronous configuration, listed in pages",
          "[event invoke]") {
  ServiceParts parts;
  parts.create("f", {{"Publish", true}});
  for (const auto* qualifier : {"$LATEST", "1"}) {
    REQUIRE(run(parts,
                "PutFunctionEventInvokeConfig",
                with({{"Qualifier", qualifier}, {"MaximumRetryAttempts", 0}})));
  }
  const auto page = run(parts, "ListFunctionEventInvokeConfigs", with({{"MaxItems", 1}})).value();
  CHECK(page["FunctionEventInvokeConfigs"].size() == 1);
  const auto rest =
      run(parts, "ListFunctionEventInvokeConfigs", with({{"Marker", page["NextMarker"]}})).value();
  CHECK(rest["FunctionEventInvokeConfigs"][0]["FunctionArn"] == kArn + ":1");
  CHECK_FALSE(rest.contains("NextMarker"));
}
