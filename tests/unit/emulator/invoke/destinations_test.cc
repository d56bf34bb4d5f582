#include "emulator/invoke/destinations.h"

#include "emulator/invoke/stored_delivery.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace emulator::invoke;

namespace {

const std::string kArn = "arn:aws:lambda:us-east-1:012345678901:function:resize";
const std::string kId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
const WallTime kAt = std::chrono::sys_days(std::chrono::year(2026) / 1 / 13) +
                     std::chrono::hours(9) + std::chrono::minutes(5) +
                     std::chrono::milliseconds(7'042);

InvocationRequest request(std::string payload) {
  InvocationRequest request;
  request.function_name = "resize";
  request.request_id = kId;
  request.payload = std::move(payload);
  return request;
}

LastAnswer failure(std::string payload) {
  return {.executed_version = "$LATEST",
          .function = LastAnswer::Function::failed,
          .payload = std::move(payload)};
}

EndedEvent ended(const InvocationRequest& request,
                 Condition condition,
                 int attempts,
                 std::optional<LastAnswer> answer) {
  return {request, kArn + ":$LATEST", condition, attempts, std::move(answer), kAt};
}

Terms terms() {
  return {.function_arn = kArn,
          .on_success = "arn:aws:sqs:us-east-1:012345678901:good",
          .on_failure = "arn:aws:sqs:us-east-1:012345678901:bad",
          .dead_letter = "arn:aws:sqs:us-east-1:012345678901:dead"};
}

const std::string kHead =
    R"({"version":"1.0","timestamp":"2026-01-13T09:05:07.042Z","requestContext":{"requestId":")" +
    kId + R"(","functionArn":")" + kArn + R"(:$LATEST","condition":)";

}  // namespace

TEST_CASE("the record of a success holds event and response as they were, byte for byte",
          "[events]") {
  const auto event = request("{ \"b\" : 1,\n\"a\":2.50 }");
  const auto record =
      invocation_record(ended(event,
                              Condition::success,
                              1,
                              LastAnswer{.executed_version = "7",
                                         .function = LastAnswer::Function::succeeded,
                                         .payload = "[ 1.0 ]"}));
  CHECK(record == kHead + R"("Success","approximateInvokeCount":1},)" +
                      "\"requestPayload\":{ \"b\" : 1,\n\"a\":2.50 },"
                      R"("responseContext":{"statusCode":200,"executedVersion":"7"},)"
                      R"("responsePayload":[ 1.0 ]})");
}

TEST_CASE("the record of exhausted retries names the function error", "[events]") {
  const auto event = request("{}");
  CHECK(invocation_record(
            ended(event, Condition::retries_exhausted, 3, failure(R"({"errorMessage":"oops"})"))) ==
        kHead + R"("RetriesExhausted","approximateInvokeCount":3},"requestPayload":{},)"
                R"("responseContext":{"statusCode":200,"executedVersion":"$LATEST",)"
                R"("functionError":"Unhandled"},"responsePayload":{"errorMessage":"oops"}})");
}

TEST_CASE("the record of an event that was not run has neither response nor its context",
          "[events]") {
  const auto event = request("[]");
  CHECK(invocation_record(ended(event, Condition::zero_reserved_concurrency, 0, std::nullopt)) ==
        kHead + R"("ZeroReservedConcurrency","approximateInvokeCount":0},"requestPayload":[]})");
  CHECK(invocation_record(
            ended(event, Condition::event_age_exceeded, 0, LastAnswer{.status_code = 429})) ==
        kHead + R"("EventAgeExceeded","approximateInvokeCount":0},"requestPayload":[],)"
                R"("responseContext":{"statusCode":429}})");
}

TEST_CASE("bytes that are no JSON are a string in a record, and none are null", "[events]") {
  const auto event = request("plain \"text\" \xff");
  const auto record = invocation_record(ended(event, Condition::success, 1, failure("")));
  const auto json = nlohmann::json::parse(record);
  CHECK(json["requestPayload"] == "plain \"text\" \xEF\xBF\xBD");
  CHECK(json["responsePayload"].is_null());
}

TEST_CASE("a success goes to its destination, a failure to destination and dead-letter queue",
          "[events]") {
  const auto event = request("{ }");
  const auto good = deliveries_for(ended(event, Condition::success, 1, failure("{}")), terms());
  REQUIRE(good.size() == 1);
  CHECK(good[0].target_arn == terms().on_success);
  CHECK(good[0].role == DeliveryRole::on_success);

  const auto bad = deliveries_for(
      ended(event, Condition::retries_exhausted, 3, failure(R"({"errorMessage":"oops"})")),
      terms());
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].role == DeliveryRole::on_failure);
  CHECK(bad[1].role == DeliveryRole::dead_letter);
  CHECK(bad[1].body == "{ }");
  const std::map<std::string, MessageAttribute> attributes = {{"RequestID", {"String", kId}},
                                                              {"ErrorCode", {"Number", "200"}},
                                                              {"ErrorMessage", {"String", "oops"}}};
  CHECK(bad[1].attributes == attributes);
  CHECK(deliveries_for(ended(event, Condition::success, 1, {}), {.function_arn = kArn}).empty());
}

TEST_CASE("a dead-letter message has the first kilobyte of the error, in whole characters",
          "[events]") {
  const auto event = request("{}");
  std::string message = std::string(1023, 'x') + "\xC3\xA9";  // é lies on the edge
  const auto document = nlohmann::json{{"errorMessage", message}}.dump();
  const auto sent =
      deliveries_for(ended(event, Condition::retries_exhausted, 3, failure(document)), terms());
  CHECK(sent[1].attributes.at("ErrorMessage").value == std::string(1023, 'x'));
}

TEST_CASE("a dead-letter message of an event that was not run says why, without a status",
          "[events]") {
  const auto event = request("{}");
  const auto sent =
      deliveries_for(ended(event, Condition::zero_reserved_concurrency, 0, {}), terms());
  REQUIRE(sent.size() == 2);
  CHECK_FALSE(sent[1].attributes.contains("ErrorCode"));
  CHECK(sent[1].attributes.at("ErrorMessage").value.find("reserved concurrency is zero") !=
        std::string::npos);
  const auto throttled = deliveries_for(
      ended(event, Condition::event_age_exceeded, 0, LastAnswer{.status_code = 429}), terms());
  CHECK(throttled[1].attributes.at("ErrorCode").value == "429");
  CHECK(throttled[1].attributes.at("ErrorMessage").value == "Rate Exceeded.");
}

TEST_CASE("a record too large for a topic is sent there without its payloads", "[events]") {
  const auto event = request("\"" + std::string(kMostSnsMessageBytes, 'x') + "\"");
  auto to = terms();
  to.on_failure = "arn:aws:sns:us-east-1:012345678901:bad";
  to.dead_letter.clear();
  const auto end = ended(event, Condition::retries_exhausted, 3, failure("{}"));
  const auto sent = deliveries_for(end, to);
  CHECK(sent[0].body ==
        kHead + R"("RetriesExhausted","approximateInvokeCount":3},"responseContext":)"
                R"({"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"}})");
  to.on_failure = terms().on_failure;
  CHECK(deliveries_for(end, to)[0].body.size() > kMostSnsMessageBytes);
}

TEST_CASE("a destination that is a function is told how often the chain invoked each function",
          "[events]") {
  auto event = request("{}");
  event.lineage = {{"resize", 2}, {"other", 1}};
  auto to = terms();
  to.on_success = kArn;
  const auto sent = deliveries_for(ended(event, Condition::success, 1, failure("{}")), to);
  CHECK(sent[0].lineage == Lineage{{"resize", 3}, {"other", 1}});
}

TEST_CASE("the parts of a target's ARN are found", "[events]") {
  const auto queue = parse_target("arn:aws:sqs:eu-west-1:012345678901:jobs");
  CHECK(queue.kind == TargetKind::sqs);
  CHECK(queue.region == "eu-west-1");
  CHECK(queue.account == "012345678901");
  CHECK(queue.name == "jobs");
  const auto bus = parse_target("arn:aws:events:eu-west-1:012345678901:event-bus/default");
  CHECK(bus.kind == TargetKind::events);
  CHECK(bus.name == "default");
  const auto bucket = parse_target("arn:aws:s3:::failed");
  CHECK(bucket.kind == TargetKind::s3);
  CHECK(bucket.name == "failed");
  const auto function = parse_target(kArn + ":live");
  CHECK(function.kind == TargetKind::lambda);
  CHECK(function.name == "resize");
  CHECK(function.qualifier == "live");
  for (const auto* wrong : {"",
                            "arn",
                            "arn:aws:sqs",
                            "arn:aws:sqs:r:a:",
                            "x:aws:sqs:r:a:n",
                            "arn:aws:kinesis:r:a:stream/n",
                            ":::::::::"}) {
    INFO(wrong);
    CHECK(parse_target(wrong).kind == TargetKind::other);
  }
}

TEST_CASE("targets that cannot take a delivery are named with the reason", "[events]") {
  const auto reason = [](std::string arn, DeliveryRole role) {
    Delivery delivery;
    delivery.target_arn = std::move(arn);
    delivery.role = role;
    return refused_target(delivery);
  };
  using enum DeliveryRole;
  CHECK(reason("arn:aws:sqs:r:a:q", dead_letter).empty());
  CHECK(reason("arn:aws:s3:::b", on_failure).empty());
  CHECK_FALSE(reason("arn:aws:s3:::b", on_success).empty());
  CHECK_FALSE(reason("arn:aws:s3:::b", dead_letter).empty());
  CHECK_FALSE(reason("arn:aws:sqs:r:a:q.fifo", on_failure).empty());
  CHECK_FALSE(reason("arn:aws:sns:r:a:t.fifo", dead_letter).empty());
  CHECK_FALSE(reason("arn:aws:kinesis:r:a:stream/s", on_failure).empty());
}

TEST_CASE("an entry on an event bus names source, kind of result and both ARNs", "[events]") {
  const auto event = request("{}");
  auto to = terms();
  to.on_failure = "arn:aws:events:us-east-1:012345678901:event-bus/default";
  const auto sent =
      deliveries_for(ended(event, Condition::retries_exhausted, 3, failure("{}")), to);
  const auto entry = nlohmann::json::parse(event_entry(sent[0]));
  CHECK(entry["Source"] == "lambda");
  CHECK(entry["DetailType"] == "Lambda Function Invocation Result - Failure");
  CHECK(entry["Detail"] == sent[0].body);
  CHECK(entry["Resources"] == nlohmann::json{to.on_failure, kArn + ":$LATEST"});
  CHECK(entry["EventBusName"] == to.on_failure);
}

TEST_CASE("an object's name has function, day, second and request id", "[events]") {
  const auto event = request("{}");
  auto to = terms();
  to.on_failure = "arn:aws:s3:::failed";
  const auto sent =
      deliveries_for(ended(event, Condition::retries_exhausted, 3, failure("{}")), to);
  CHECK(object_key(sent[0]) == "aws/lambda/async/resize/2026/01/13/2026-01-13T09.05.07-" + kId);
}

TEST_CASE("a delivery is the same after it was stored and read", "[events]") {
  auto event = request(std::string("raw\0\n\xff bytes", 12));
  const auto sent = deliveries_for(
      ended(event, Condition::retries_exhausted, 3, failure(R"({"errorMessage":"o"})")), terms());
  auto read = read_delivery(stored_delivery(sent[1]));
  REQUIRE(read);
  CHECK(read->target_arn == sent[1].target_arn);
  CHECK(read->role == DeliveryRole::dead_letter);
  CHECK(read->condition == Condition::retries_exhausted);
  CHECK(read->made == sent[1].made);
  CHECK(read->body == event.payload);
  CHECK(read->attributes == sent[1].attributes);
  auto over = *read;
  over.state = Delivery::State::failed;
  over.tries = 3;
  over.error = "no answer";
  REQUIRE(read_result(stored_result(over), *read));
  CHECK(read->state == Delivery::State::failed);
  CHECK(read->tries == 3);
  CHECK(read->error == "no answer");
  for (const auto* wrong : {"", "{}", "{}\n", "[\n", "{\"target\":1}\nx"}) {
    INFO(wrong);
    CHECK_FALSE(read_delivery(wrong));
  }
  CHECK_FALSE(read_result("{", *read));
}
