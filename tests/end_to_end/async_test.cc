// Asynchronous invocation in virtual time: six hours pass in as long as the functions run.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::LambdaApi;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;
using namespace std::chrono_literals;

namespace {

constexpr const char* kQueue = "arn:aws:sqs:us-east-1:123456789012:dead";
constexpr const char* kTopic = "arn:aws:sns:us-east-1:123456789012:failures";

Words at_virtual_time(const Words& more = {}) {
  Words words = {"--clock", "virtual", "--clock-start", "2026-01-01T00:00:00Z"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

json on_failure(const std::string& target) {
  return {{"DestinationConfig", {{"OnFailure", {{"Destination", target}}}}}};
}

// The delivery to that target; throws when there is none.
json delivery_to(const LambdaApi& api, const std::string& target) {
  for (auto& delivery : api.shown("deliveries")) {
    if (delivery.at("target") == target) return delivery;
  }
  throw std::runtime_error("nothing was delivered to " + target);
}

// Stands in for the service that queues belong to, and keeps what it is sent.
class Queues {
 public:
  Queues() {
    server_.Post(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      received_.push_back({request.get_header_value("X-Amz-Target"), request.body});
      response.set_content(R"({"MessageId":"1"})", "application/x-amz-json-1.0");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  Queues(const Queues&) = delete;
  Queues& operator=(const Queues&) = delete;
  ~Queues() { server_.stop(); }

  struct Received {
    std::string operation;
    std::string body;
  };
  std::string flag() const { return "sqs=http://127.0.0.1:" + std::to_string(port_); }
  std::vector<Received> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  mutable std::mutex mutex_;  // guards received_
  std::vector<Received> received_;
  httplib::Server server_;
  int port_ = 0;
  std::jthread thread_;
};

// A function that fails, asked three times; what Hearth shows of it, but for the ids.
json failing_run() {
  Serving serving(at_virtual_time());
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "function_error"));
  api.event_invoke("f", on_failure(kQueue));
  for (const auto* payload : {"1", "2", "3"}) {
    api.send_event("f", payload);
    api.advance(1s);
  }
  api.advance(10min);
  auto trace = api.shown("events");
  for (auto& event : trace) event.erase("request_id");
  serving.stop();
  return trace;
}

}  // namespace

TEST_CASE("an event that fails is tried again after one minute and after two more", "[async]") {
  Serving serving(at_virtual_time());
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "function_error"));
  api.configure("f", {{"DeadLetterConfig", {{"TargetArn", kQueue}}}});
  api.event_invoke("f", on_failure(kTopic));
  const auto id = api.send_event("f", R"({"order":7})");
  api.advance(0ms);
  CHECK(api.event(id)["attempts"].size() == 1);
  CHECK(api.event(id)["next_due"] == "2026-01-01T00:01:00.000Z");
  api.advance(59'999ms);
  CHECK(api.event(id)["attempts"].size() == 1);
  api.advance(1ms);
  CHECK(api.event(id)["attempts"].size() == 2);
  CHECK(api.event(id)["next_due"] == "2026-01-01T00:03:00.000Z");
  api.advance(2min);
  const auto ended = api.event(id);
  CHECK(ended["attempts"].size() == 3);
  CHECK(ended["state"] == "done");
  CHECK(ended["condition"] == "RetriesExhausted");

  // All attempts were one event's.
  for (const auto& invocation : api.shown("invocations", "f")) {
    CHECK(invocation["request_id"] == id);
    CHECK(invocation["kind"] == "Event");
  }
  const auto dead = delivery_to(api, kQueue);
  CHECK(dead["role"] == "dead-letter");
  CHECK(dead["body"] == json{{"order", 7}});
  CHECK(dead["attributes"]["RequestID"]["value"] == id);
  const auto record = delivery_to(api, kTopic)["body"];
  CHECK(record["requestContext"]["condition"] == "RetriesExhausted");
  CHECK(record["requestContext"]["approximateInvokeCount"] == 3);
  CHECK(record["requestPayload"] == json{{"order", 7}});
  CHECK(record["responseContext"]["functionError"] == "Unhandled");
  serving.stop();
}

TEST_CASE("the same run gives the same trace", "[async]") { CHECK(failing_run() == failing_run()); }

TEST_CASE("an event that finds no room is given up before it is six hours old", "[async]") {
  std::jthread sleeper;  // ends after the server
  Serving serving(at_virtual_time({"--account-concurrency", "1", "--unreserved-minimum", "0"}));
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("sleeper", "sleeps_forever"));
  api.create(tests::testee_function("f", "echo"));
  sleeper =
      std::jthread([port = serving.port()] { tests::invoke_function(port, "sleeper", "{}"); });
  serving.program().await_output("START RequestId");
  const auto id = api.send_event("f");
  // Attempts are five minutes apart by then.
  api.advance(5h + 54min);
  CHECK(api.event(id)["state"] == "waiting");
  api.advance(6min);
  CHECK(api.event(id)["state"] == "done");
  CHECK(api.event(id)["condition"] == "EventAgeExceeded");
  CHECK(api.shown("invocations", "f").empty());
  serving.stop();
}

TEST_CASE("events of a function that is reserved nothing go to the failure destination at once",
          "[async]") {
  Serving serving(at_virtual_time());
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  api.event_invoke("f", on_failure(kTopic));
  api.reserve("f", 0);
  const auto id = api.send_event("f", "5");
  api.advance(0ms);
  CHECK(api.event(id)["state"] == "done");
  const auto record = delivery_to(api, kTopic)["body"];
  CHECK(record["requestContext"]["condition"] == "ZeroReservedConcurrency");
  CHECK(record["requestPayload"] == 5);
  serving.stop();
}

TEST_CASE("an event for a logical id is one for the function that it means", "[async]") {
  Serving serving({"--template", tests::handler_template("echo-cpp")});
  const LambdaApi api(serving.port());
  const auto id = api.send_event("EchoFunction", "1");
  api.await_event_end(id);
  CHECK(api.event(id)["condition"] == "Success");
  CHECK(api.event(id)["function"] == "echo-cpp");
  serving.stop();
}

TEST_CASE("a function that is another's destination is invoked with the record", "[async]") {
  Serving serving(at_virtual_time());
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("first", "echo"));
  api.create(tests::python_function(
      "next", "def handler(event, context): print('told', event['responsePayload'])\n"));
  api.event_invoke(
      "first",
      {{"DestinationConfig",
        {{"OnSuccess",
          {{"Destination", "arn:aws:lambda:us-east-1:123456789012:function:next"}}}}}});
  api.send_event("first", R"("servus")");
  CHECK(serving.program().await_output("told servus") == "told servus");
  api.advance(0ms);
  REQUIRE(api.shown("events", "next").size() == 1);
  CHECK(api.shown("events", "next")[0]["condition"] == "Success");
  serving.stop();
}

TEST_CASE("deliveries are kept in the state folder, one file for each target", "[async]") {
  const ScratchFolder state;
  Serving serving(at_virtual_time({"--state-dir", state.path().string()}));
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "function_error"));
  api.event_invoke("f", tests::changed(on_failure(kQueue), {{"MaximumRetryAttempts", 0}}));
  const auto id = api.send_event("f", "1");
  api.advance(0ms);
  const auto line = json::parse(state.read("deliveries/sqs-dead.jsonl"));
  INFO(line);
  const auto record = json::parse(line.at("body").get<std::string>());
  CHECK(record["requestContext"]["requestId"] == id);
  serving.stop();
}

TEST_CASE("a queue's endpoint is sent the message as its service takes it", "[async]") {
  Queues queues;
  Serving serving(at_virtual_time({"--endpoint", queues.flag()}));
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "function_error"));
  api.event_invoke("f", tests::changed(on_failure(kQueue), {{"MaximumRetryAttempts", 0}}));
  const auto id = api.send_event("f", "1");
  api.advance(0ms);
  const auto received = queues.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].operation == "AmazonSQS.SendMessage");
  const auto message = json::parse(received[0].body);
  INFO(message);
  CHECK(message["QueueUrl"].get<std::string>().ends_with("/123456789012/dead"));
  const auto record = json::parse(message["MessageBody"].get<std::string>());
  CHECK(record["requestContext"]["requestId"] == id);
  CHECK(delivery_to(api, kQueue)["state"] == "delivered");
  serving.stop();
}
