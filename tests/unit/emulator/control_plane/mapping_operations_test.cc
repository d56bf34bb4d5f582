#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <thread>
#include <vector>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const std::string kFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:f";
const std::string kQueue = "arn:aws:sqs:us-east-1:123456789012:q";
const std::string kStream = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
const std::string kTable = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(mapping_operations(), name, input);
}

Document from(const std::string& source, const Document& more = Document::object()) {
  Document input = {{"FunctionName", "f"}, {"EventSourceArn", source}};
  input.update(more);
  return input;
}

std::string refusal(ServiceParts& parts, const Document& input) {
  const auto answer = run(parts, "CreateEventSourceMapping", input);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().exception == "InvalidParameterValueException");
  return answer.error().message;
}

Document named(const Document& mapping) { return {{"UUID", mapping["UUID"]}}; }

}  // namespace

TEST_CASE("a mapping of a queue is creating in the answer and enabled the moment after",
          "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  const auto created = run(parts, "CreateEventSourceMapping", from(kQueue)).value();
  CHECK(created["State"] == "Creating");
  CHECK(created["StateTransitionReason"] == "USER_INITIATED");
  CHECK(created["BatchSize"] == 10);
  CHECK(created["FunctionArn"] == kFunctionArn);
  CHECK(created["MaximumBatchingWindowInSeconds"] == 0);
  CHECK(created["FunctionResponseTypes"] == Document::array());
  CHECK(created["LastModified"] == 1768262400.0);
  CHECK(created["EventSourceMappingArn"] ==
        "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:" +
            created["UUID"].get<std::string>());
  auto read = run(parts, "GetEventSourceMapping", named(created)).value();
  CHECK(read["State"] == "Enabled");
  read["State"] = "Creating";
  CHECK(read == created);
}

TEST_CASE("a mapping of a stream has the members of shards", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  const auto created = run(parts,
                           "CreateEventSourceMapping",
                           from(kStream, {{"StartingPosition", "LATEST"}, {"Enabled", false}}))
                           .value();
  CHECK(created["BatchSize"] == 100);
  CHECK(created["StateTransitionReason"] == "User action");
  CHECK(created["LastProcessingResult"] == "No records processed");
  CHECK(created["MaximumRecordAgeInSeconds"] == -1);
  CHECK(created["MaximumRetryAttempts"] == -1);
  CHECK(created["ParallelizationFactor"] == 1);
  CHECK(created["DestinationConfig"] == Document{{"OnFailure", Document::object()}});
  CHECK(run(parts, "GetEventSourceMapping", named(created)).value()["State"] == "Disabled");
}

TEST_CASE("an update says what it does to the state", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  parts.create("g");
  const auto mapping = run(parts, "CreateEventSourceMapping", from(kQueue)).value();
  const auto update = [&](const Document& changes) {
    auto input = named(mapping);
    input.update(changes);
    return run(parts, "UpdateEventSourceMapping", input).value();
  };
  CHECK(update({{"Enabled", false}})["State"] == "Disabling");
  CHECK(update({{"BatchSize", 5}})["State"] == "Updating");
  CHECK(run(parts, "GetEventSourceMapping", named(mapping)).value()["State"] == "Disabled");
  CHECK(update({{"Enabled", true}})["State"] == "Enabling");
  const auto moved = update({{"FunctionName", "g"}});
  CHECK(moved["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:g");
  CHECK(moved["BatchSize"] == 5);
  auto wrong = named(mapping);
  wrong["BatchSize"] = 11;
  CHECK(run(parts, "UpdateEventSourceMapping", wrong).error().status == 400);
  wrong = {{"UUID", mapping["UUID"]}, {"FunctionName", "none"}};
  CHECK(run(parts, "UpdateEventSourceMapping", wrong).error().message == "Function does not exist");
}

TEST_CASE("a mapping that is deleted is gone", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  const auto mapping = run(parts, "CreateEventSourceMapping", from(kQueue)).value();
  CHECK(run(parts, "DeleteEventSourceMapping", named(mapping)).value()["State"] == "Deleting");
  for (const auto* name :
       {"GetEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping"}) {
    const auto gone = run(parts, name, named(mapping)).error();
    CHECK(gone.status == 404);
    CHECK(gone.message == "The resource you requested does not exist.");
  }
}

TEST_CASE("what cannot be mapped is refused as recorded", "[mappings]") {
  ServiceParts parts;
  CHECK(refusal(parts, from(kQueue)) == "Function does not exist");
  parts.create("f");
  CHECK(refusal(parts, from(kQueue, {{"FunctionName", "f:live"}})) == "Function does not exist");
  CHECK(refusal(parts, {{"FunctionName", "f"}}) == "Unrecognized event source.");
  CHECK(refusal(parts, from("arn:aws:s3:::bucket")) == "Unrecognized event source.");
  CHECK(refusal(parts, from(kStream)) ==
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
        "constraint: Member must not be null.");
  const Document timestamp = {{"StartingPosition", "LATEST"}, {"StartingPositionTimestamp", 1.0}};
  CHECK(refusal(parts, from(kStream, timestamp)) ==
        "Timestamp only valid with StartingPosition AT_TIMESTAMP");
  CHECK(refusal(parts, from(kTable, {{"StartingPosition", "AT_TIMESTAMP"}})) ==
        "Unsupported starting position for arn type: " + kTable);
  CHECK(refusal(parts, from(kQueue, {{"StartingPosition", "LATEST"}})) ==
        "StartingPosition is not valid for SQS event sources.");
  CHECK(refusal(parts, from(kQueue, {{"BatchSize", 11}})) ==
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
        "than 10");
  CHECK(run(parts,
            "CreateEventSourceMapping",
            from(kQueue, {{"BatchSize", 11}, {"MaximumBatchingWindowInSeconds", 1}})));
  CHECK(refusal(parts, from(kQueue + ".fifo", {{"MaximumBatchingWindowInSeconds", 1}})) ==
        "Batching window is not supported for FIFO queues");
  CHECK(refusal(parts, from(kQueue + ".fifo", {{"BatchSize", 11}})) ==
        "Batch size must be at most 10 for FIFO queues");
  CHECK(refusal(parts, from(kQueue, {{"ParallelizationFactor", 2}})) ==
        "ParallelizationFactor is not valid for SQS event sources.");
}

TEST_CASE("filters are patterns, five at most", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  const auto filters = [](const std::vector<std::string>& patterns) {
    auto list = Document::array();
    for (const auto& pattern : patterns) list.push_back({{"Pattern", pattern}});
    return Document{{"FilterCriteria", {{"Filters", list}}}};
  };
  for (const auto* wrong : {"", "{", "[]", "{}", R"({"a":1})", R"({"a":[]})", R"({"a":{"b":2}})"}) {
    INFO(wrong);
    CHECK(refusal(parts, from(kQueue, filters({wrong}))) == "Invalid filter pattern definition.");
  }
  const std::string good = R"({"body":{"a":[1,{"exists":true}]}})";
  CHECK(refusal(parts, from(kQueue, filters({good, good, good, good, good, good})))
            .starts_with("An event source mapping has at most 5 filters"));
  const auto mapping =
      run(parts, "CreateEventSourceMapping", from(kQueue, filters({good}))).value();
  CHECK(mapping["FilterCriteria"]["Filters"][0]["Pattern"] == good);
  auto none = named(mapping);
  none["FilterCriteria"] = {{"Filters", Document::array()}};
  CHECK_FALSE(run(parts, "UpdateEventSourceMapping", none).value().contains("FilterCriteria"));
}

TEST_CASE("one source feeds one function once", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  parts.create("g");
  const auto first = run(parts, "CreateEventSourceMapping", from(kQueue)).value();
  const auto second = run(parts, "CreateEventSourceMapping", from(kQueue)).error();
  CHECK(second.status == 409);
  CHECK(second.message ==
        "An event source mapping with SQS arn (\" " + kQueue +
            " \") and function (\" f \") already exists. Please update or delete the existing "
            "mapping with UUID " +
            first["UUID"].get<std::string>());
  CHECK(run(parts, "CreateEventSourceMapping", from(kQueue, {{"FunctionName", "g"}})));
}

TEST_CASE("mappings are listed by source and by function, in pages", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  parts.create("g");
  for (const auto* function : {"f", "g"}) {
    REQUIRE(run(parts, "CreateEventSourceMapping", from(kQueue, {{"FunctionName", function}})));
  }
  REQUIRE(run(parts, "CreateEventSourceMapping", from(kQueue + "2")));
  const auto count = [&](const Document& input) {
    return run(parts, "ListEventSourceMappings", input).value()["EventSourceMappings"].size();
  };
  CHECK(count(Document::object()) == 3);
  CHECK(count({{"EventSourceArn", kQueue}}) == 2);
  CHECK(count({{"FunctionName", "f"}}) == 2);
  CHECK(count({{"FunctionName", kFunctionArn}, {"EventSourceArn", kQueue}}) == 1);
  const auto page = run(parts, "ListEventSourceMappings", {{"MaxItems", 2}}).value();
  CHECK(page["EventSourceMappings"].size() == 2);
  CHECK(count({{"Marker", page["NextMarker"]}}) == 1);
}

TEST_CASE("of callers who ask for the same mapping at once, one has it", "[mappings]") {
  ServiceParts parts;
  parts.create("f");
  std::atomic<int> made = 0;
  for (int round = 0; round < 20; ++round) {
    const auto input = from(kQueue + std::to_string(round));
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        if (run(parts, "CreateEventSourceMapping", input)) ++made;
      });
    }
  }
  CHECK(made == 20);
}
