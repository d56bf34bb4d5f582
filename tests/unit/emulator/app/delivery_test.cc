#include "emulator/app/delivery.h"

#include "emulator/app/delivery_request.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

using namespace emulator;
using app::DeliveryPlaces;
using app::DeliveryRoutes;
using invoke::Delivery;
using invoke::DeliveryError;
using invoke::Refusal;

namespace {

Delivery to(std::string target) {
  Delivery delivery;
  delivery.target_arn = std::move(target);
  delivery.function_name = "resize";
  delivery.function_arn = "arn:aws:lambda:us-east-1:012345678901:function:resize:$LATEST";
  delivery.request_id = "id";
  delivery.condition = invoke::Condition::retries_exhausted;
  delivery.made = std::chrono::sys_days(std::chrono::year(2026) / 1 / 13);
  delivery.body = R"({"a":1})";
  return delivery;
}

tl::expected<std::string, Refusal> no_function(const invoke::InvocationRequest&) {
  return tl::unexpected(Refusal{.kind = Refusal::Kind::function_not_found, .message = "none"});
}

std::string header(const app::EndpointRequest& request, std::string_view name) {
  for (const auto& [each, value] : request.headers) {
    if (each == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("an endpoint is a service and an address of http", "[events]") {
  const auto sqs = app::parse_endpoint("sqs=http://127.0.0.1:9324");
  REQUIRE(sqs);
  CHECK(sqs->service == invoke::TargetKind::sqs);
  CHECK(sqs->host == "127.0.0.1");
  CHECK(sqs->port == 9324);
  CHECK(sqs->path.empty());
  const auto s3 = app::parse_endpoint("s3=http://[::1]/base/");
  REQUIRE(s3);
  CHECK(s3->host == "::1");
  CHECK(s3->port == 80);
  CHECK(s3->path == "/base");
  for (const auto* wrong : {"",
                            "sqs",
                            "sqs=",
                            "kinesis=http://h",
                            "sqs=https://h",
                            "sqs=http://",
                            "sqs=http://:80",
                            "sqs=http://h:",
                            "sqs=http://h:0",
                            "sqs=http://h:65536",
                            "sqs=http://h:80x",
                            "sqs=http://u:p@h",
                            "sqs=http://h/?a=b",
                            "sqs=http://[::1",
                            "other=http://h"}) {
    INFO(wrong);
    const auto refused = app::parse_endpoint(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().exit_status == app::kWrongUsage);
    CHECK(refused.error().message.find("SERVICE=http://HOST:PORT") != std::string::npos);
  }
}

TEST_CASE("each service gets its own request", "[events]") {
  const auto request_to = [](const std::string& target) {
    auto delivery = to(target);
    if (target.find(":sqs:") != std::string::npos || target.find(":sns:") != std::string::npos) {
      delivery.attributes["RequestID"] = {"String", "i d"};
    }
    return app::endpoint_request(delivery, "http://h:1/base", "/base");
  };
  SECTION("a queue: SendMessage") {
    const auto request = request_to("arn:aws:sqs:eu-west-1:210987654321:jobs");
    CHECK(request.method == "POST");
    CHECK(request.path == "/base/");
    CHECK(request.content_type == "application/x-amz-json-1.0");
    CHECK(header(request, "X-Amz-Target") == "AmazonSQS.SendMessage");
    CHECK(header(request, "X-Amz-Date") == "20260113T000000Z");
    CHECK(header(request, "Authorization")
              .starts_with("AWS4-HMAC-SHA256 "
                           "Credential=210987654321/20260113/eu-west-1/sqs/aws4_request, "));
    CHECK(request.body ==
          R"({"QueueUrl":"http://h:1/base/210987654321/jobs","MessageBody":"{\"a\":1}",)"
          R"("MessageAttributes":{"RequestID":{"DataType":"String","StringValue":"i d"}}})");
  }
  SECTION("a topic: Publish") {
    const auto request = request_to("arn:aws:sns:eu-west-1:210987654321:news");
    CHECK(request.body ==
          "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A210987654321"
          "%3Anews&Message=%7B%22a%22%3A1%7D&MessageAttributes.entry.1.Name=RequestID&"
          "MessageAttributes.entry.1.Value.DataType=String&"
          "MessageAttributes.entry.1.Value.StringValue=i%20d");
  }
  SECTION("an event bus: PutEvents") {
    const auto request = request_to("arn:aws:events:us-east-1:012345678901:event-bus/default");
    CHECK(header(request, "X-Amz-Target") == "AWSEvents.PutEvents");
    const auto json = nlohmann::json::parse(request.body);
    REQUIRE(json["Entries"].size() == 1);
    CHECK(json["Entries"][0]["Detail"] == R"({"a":1})");
  }
  SECTION("a bucket: PutObject") {
    const auto request = request_to("arn:aws:s3:::failed");
    CHECK(request.method == "PUT");
    CHECK(request.path == "/base/failed/aws/lambda/async/resize/2026/01/13/2026-01-13T00.00.00-id");
    CHECK(request.body == R"({"a":1})");
    CHECK(header(request, "Authorization").find("012345678901/20260113/us-east-1/s3/") !=
          std::string::npos);
  }
  SECTION("a function elsewhere: Invoke as an event") {
    const auto request = request_to("arn:aws:lambda:us-east-1:012345678901:function:next:live");
    CHECK(request.path == "/base/2015-03-31/functions/next/invocations?Qualifier=live");
    CHECK(header(request, "X-Amz-Invocation-Type") == "Event");
  }
}

TEST_CASE("an entry that an event bus did not take is a failure in an answer that looks good",
          "[events]") {
  const auto reason = [](std::string_view answer) {
    return app::refused_in_answer(invoke::TargetKind::events, answer);
  };
  CHECK(reason(R"({"FailedEntryCount":0,"Entries":[{"EventId":"1"}]})").empty());
  CHECK_FALSE(reason(R"({"FailedEntryCount":1,"Entries":[{"ErrorCode":"x"}]})").empty());
  CHECK(reason("nonsense").empty());
  CHECK(app::refused_in_answer(invoke::TargetKind::sqs, R"({"FailedEntryCount":1})").empty());
}

TEST_CASE("without an endpoint a delivery is a line in the target's file, for its owner only",
          "[events]") {
  const tests::ScratchFolder scratch;
  DeliveryRoutes routes(
      {.endpoints = {}, .folder = scratch.path() / "deliveries"}, no_function, {});
  auto delivery = to("arn:aws:sqs:us-east-1:012345678901:jobs");
  delivery.attributes["ErrorCode"] = {"Number", "200"};
  const auto where = routes.deliver(delivery);
  REQUIRE(where);
  REQUIRE(routes.deliver(to("arn:aws:sqs:us-east-1:012345678901:jobs")));
  const auto file = scratch.path() / "deliveries" / "sqs-jobs.jsonl";
  CHECK(*where == file.string());
  CHECK(scratch.read("deliveries/sqs-jobs.jsonl") ==
        app::delivery_line(delivery) + "\n" +
            app::delivery_line(to("arn:aws:sqs:us-east-1:012345678901:jobs")) + "\n");
  CHECK(app::delivery_line(delivery) ==
        R"({"time":"2026-01-13T00:00:00.000Z",)"
        R"("target":"arn:aws:sqs:us-east-1:012345678901:jobs","role":"on-failure",)"
        R"("function":"arn:aws:lambda:us-east-1:012345678901:function:resize:$LATEST",)"
        R"("requestId":"id","condition":"RetriesExhausted",)"
        R"("attributes":{"ErrorCode":{"DataType":"Number","StringValue":"200"}},)"
        R"("body":"{\"a\":1}"})");
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(::stat((scratch.path() / "deliveries").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a target's name cannot lead a file elsewhere", "[events]") {
  CHECK(app::delivery_file_name("arn:aws:sqs:r:a:../../etc/x y") == "sqs-.._.._etc_x_y.jsonl");
  CHECK(app::delivery_file_name("arn:aws:sns:r:a:" + std::string(400, 'n')).size() < 255);
  CHECK(app::delivery_file_name("arn:aws:events:r:a:event-bus/default") == "events-default.jsonl");
}

TEST_CASE("a file that cannot be written is told with its name, and may be tried again",
          "[events]") {
  const tests::ScratchFolder scratch;
  scratch.write("taken", "");
  DeliveryRoutes routes({.endpoints = {}, .folder = scratch.path() / "taken"}, no_function, {});
  const auto refused = routes.deliver(to("arn:aws:sqs:us-east-1:012345678901:jobs"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == DeliveryError::Kind::passing);
  CHECK(refused.error().message.find("sqs-jobs.jsonl") != std::string::npos);
}

TEST_CASE("without endpoint and folder a delivery is only listed", "[events]") {
  DeliveryRoutes routes({}, no_function, {});
  const auto where = routes.deliver(to("arn:aws:sns:us-east-1:012345678901:news"));
  REQUIRE(where);
  CHECK(where->starts_with("nowhere"));
}

TEST_CASE("a destination that is a function here is invoked as an event, with its chain",
          "[events]") {
  std::vector<invoke::InvocationRequest> accepted;
  std::optional<Refusal::Kind> refusal;
  DeliveryRoutes routes(
      {},
      [&](invoke::InvocationRequest request) -> tl::expected<std::string, Refusal> {
        if (refusal) return tl::unexpected(Refusal{.kind = *refusal, .message = "why"});
        accepted.push_back(std::move(request));
        return {};
      },
      [] { return "new-id"; });
  auto delivery = to("arn:aws:lambda:us-east-1:012345678901:function:next:live");
  delivery.lineage = {{"resize", 3}};
  REQUIRE(routes.deliver(delivery));
  REQUIRE(accepted.size() == 1);
  CHECK(accepted[0].function_name == "next");
  CHECK(accepted[0].qualifier == "live");
  CHECK(accepted[0].request_id == "new-id");
  CHECK(accepted[0].payload == delivery.body);
  CHECK(accepted[0].lineage == delivery.lineage);
  CHECK(accepted[0].kind == environment::InvocationKind::event);

  const auto kind_of = [&](Refusal::Kind kind) {
    refusal = kind;
    const auto result = routes.deliver(delivery);
    REQUIRE_FALSE(result);
    return result.error().kind;
  };
  CHECK(kind_of(Refusal::Kind::shutting_down) == DeliveryError::Kind::stopping);
  CHECK(kind_of(Refusal::Kind::concurrency_exceeded) == DeliveryError::Kind::passing);
  CHECK(kind_of(Refusal::Kind::function_not_found) == DeliveryError::Kind::permanent);

  // A function of another region is none of ours.
  refusal.reset();
  const auto elsewhere = routes.deliver(to("arn:aws:lambda:eu-west-1:012345678901:function:next"));
  REQUIRE(elsewhere);
  CHECK(elsewhere->starts_with("nowhere"));
  CHECK(accepted.size() == 1);
}
