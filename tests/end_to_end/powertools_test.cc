// Powertools for AWS Lambda, for Python and TypeScript, from their packages and unchanged: what
// they log, trace and measure, batches that fail in part, and idempotence against a DynamoDB on the
// loopback.
#include "tests/end_to_end/official_runtimes.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using nlohmann::json;
using tests::Serving;
using tests::Words;

namespace {

constexpr int kPatienceMs = 60'000;  // for a program that will not do what is waited for
constexpr const char* kMotoServer = HEARTH_SOURCE_DIR "/.venv/bin/moto_server";
// With a parent, as everything that is traced sends it: Python's X-Ray SDK sends nothing without.
constexpr const char* kTrace =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

// A DynamoDB of its own, with the table that the functions keep payments in.
class LocalDynamoDb {
 public:
  LocalDynamoDb() : program_({.argv = {kMotoServer, "-H", "127.0.0.1", "-p", "0"}}) {
    const std::string where = "Running on http://127.0.0.1:";
    const auto line = program_.await_errors(where);
    port_ = std::stoi(line.substr(line.find(where) + where.size()));
    const json table = {
        {"TableName", "payments"},
        {"BillingMode", "PAY_PER_REQUEST"},
        {"KeySchema", {{{"AttributeName", "id"}, {"KeyType", "HASH"}}}},
        {"AttributeDefinitions", {{{"AttributeName", "id"}, {"AttributeType", "S"}}}}};
    REQUIRE(ask("CreateTable", table).status == 200);
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

  json items() const { return ask("Scan", {{"TableName", "payments"}}).json().at("Items"); }

 private:
  tests::Answer ask(const std::string& operation, const json& input) const {
    return tests::http(port_,
                       "POST",
                       "/",
                       input.dump(),
                       {{"X-Amz-Target", "DynamoDB_20120810." + operation},
                        {"Content-Type", "application/x-amz-json-1.0"},
                        {"Authorization",
                         "AWS4-HMAC-SHA256 Credential=hearth/20260101/us-east-1/dynamodb/"
                         "aws4_request, SignedHeaders=host, Signature=0"}});
  }

  tests::RunningProgram program_;
  int port_ = 0;
};

// Where the X-Ray SDK sends segments: a datagram each, a header line and a document.
class SegmentReceiver {
 public:
  SegmentReceiver() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SegmentReceiver() { ::close(socket_); }
  SegmentReceiver(const SegmentReceiver&) = delete;
  SegmentReceiver& operator=(const SegmentReceiver&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The first segment of that name; waits for it.
  json await(const std::string& name) const {
    std::array<char, 65536> bytes{};
    pollfd wait{socket_, POLLIN, 0};
    while (::poll(&wait, 1, kPatienceMs) > 0) {
      const auto count = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      const std::string datagram(bytes.data(), static_cast<std::size_t>(count));
      auto segment = json::parse(datagram.substr(datagram.find('\n') + 1));
      if (segment.at("name") == name) return segment;
    }
    throw std::runtime_error("no segment came that is named " + name);
  }

 private:
  int socket_;
  int port_ = 0;
};

struct Powertools {
  std::string function;
  Words project;
};

// Runs the rest of the test once for each language.
Powertools each_language() {
  const std::string function = GENERATE("powertools-python", "powertools-node");
  return {function, tests::built_project(function)};
}

Words with_variables(Words project, const Words& variables) {
  for (const auto& variable : variables) project.insert(project.end(), {"--env", variable});
  return project;
}

json message(const std::string& id, const json& order) {
  return {{"messageId", id},
          {"receiptHandle", "handle-" + id},
          {"body", order.dump()},
          {"attributes",
           {{"ApproximateReceiveCount", "1"},
            {"SentTimestamp", "1700000000000"},
            {"SenderId", "AIDAEXAMPLE"},
            {"ApproximateFirstReceiveTimestamp", "1700000000001"}}},
          {"messageAttributes", json::object()},
          {"md5OfBody", "00000000000000000000000000000000"},
          {"eventSource", "aws:sqs"},
          {"eventSourceARN", "arn:aws:sqs:us-east-1:123456789012:orders"},
          {"awsRegion", "us-east-1"}};
}

json batch() {
  return {{"Records",
           {message("1", {{"order_id", "a"}, {"quantity", 2}}),
            message("2", {{"order_id", "b"}, {"quantity", 0}}),
            message("3", {{"order_id", "c"}, {"quantity", 1}})}}};
}

json payment(const std::string& id) { return {{"payment", {{"payment_id", id}}}}; }

// The lines of a log that are JSON documents.
std::vector<json> documents(const std::string& log) {
  std::vector<json> all;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    auto document = json::parse(line, nullptr, false);
    if (document.is_object()) all.push_back(std::move(document));
  }
  return all;
}

std::vector<json> having(const std::vector<json>& all, const std::string& key, const json& value) {
  std::vector<json> found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found), [&](const json& document) {
    return document.value(key, json()) == value;
  });
  return found;
}

}  // namespace

TEST_CASE("Powertools report the messages of a batch that failed, and only those",
          "[powertools][official-runtimes]") {
  const auto powertools = each_language();
  Serving serving(powertools.project);
  const auto answer = tests::invoke_function(serving.port(), powertools.function, batch().dump());
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  CHECK(answer.json() == json{{"batchItemFailures", {{{"itemIdentifier", "2"}}}}});
  CHECK(serving.stop().status == 0);
}

TEST_CASE("Powertools log as JSON with the invocation's context, and measure in the log",
          "[powertools][official-runtimes]") {
  const auto powertools = each_language();
  Serving serving(powertools.project);
  const auto answer = tests::invoke_function(
      serving.port(), powertools.function, batch().dump(), {{"X-Amzn-Trace-Id", kTrace}});
  REQUIRE(answer.status == 200);
  const auto all = documents(serving.stop().output);
  const auto taken = having(all, "message", "order taken");
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].at("level") == "INFO");
  CHECK(taken[0].at("service") == "orders");
  CHECK(taken[0].at("order_id") == "a");
  CHECK(taken[0].at("cold_start") == true);
  CHECK(taken[0].at("function_request_id") == answer.header("x-amzn-RequestId"));
  CHECK(taken[0].at("function_name") == powertools.function);
  CHECK(taken[0].at("xray_trace_id") == "1-5759e988-bd862e3fe1be46a994272793");

  const auto measured = std::find_if(
      all.begin(), all.end(), [](const json& line) { return line.contains("OrdersTaken"); });
  REQUIRE(measured != all.end());
  const auto& directive = measured->at("_aws").at("CloudWatchMetrics").at(0);
  CHECK(directive.at("Namespace") == "Shop");
  CHECK(measured->at("OrdersTaken") == json::array({1.0, 1.0}));
  CHECK(std::any_of(
      all.begin(), all.end(), [](const json& line) { return line.contains("ColdStart"); }));
}

TEST_CASE("Powertools send segments of the caller's trace to the daemon's address",
          "[powertools][official-runtimes]") {
  const auto powertools = each_language();
  const SegmentReceiver daemon;
  Serving serving(
      with_variables(powertools.project, {"AWS_XRAY_DAEMON_ADDRESS=" + daemon.address()}));
  const auto answer = tests::invoke_function(
      serving.port(), powertools.function, batch().dump(), {{"X-Amzn-Trace-Id", kTrace}});
  REQUIRE(answer.status == 200);
  const auto segment =
      daemon.await(powertools.function == "powertools-node" ? "## app.handler" : "## handler");
  CHECK(segment.at("trace_id") == "1-5759e988-bd862e3fe1be46a994272793");
  CHECK(segment.at("annotations").at("ColdStart") == true);
  CHECK(serving.stop().status == 0);
}

TEST_CASE("with Powertools a payment that is asked for again is made once",
          "[powertools][official-runtimes]") {
  const auto powertools = each_language();
  if (::access(kMotoServer, X_OK) != 0) {
    SKIP("SKIPPED: moto is not installed; run cmake/install-dependencies");
  }
  const LocalDynamoDb database;
  Serving serving(
      with_variables(powertools.project, {"AWS_ENDPOINT_URL_DYNAMODB=" + database.address()}));
  const auto pay = [&](const std::string& id) {
    const auto answer =
        tests::invoke_function(serving.port(), powertools.function, payment(id).dump());
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    REQUIRE(answer.header("X-Amz-Function-Error").empty());
    return answer.json().at("receipt").get<std::string>();
  };
  const auto first = pay("p-1");
  CHECK(pay("p-1") == first);
  CHECK(pay("p-2") != first);
  // Another environment, with nothing of its own to remember, asks the store.
  REQUIRE(tests::http(serving.port(), "DELETE", "/_hearth/environments").status == 200);
  CHECK(pay("p-1") == first);
  const auto ended = serving.stop();
  CHECK(having(documents(ended.output), "message", "payment made").size() == 2);
  const auto items = database.items();
  REQUIRE(items.size() == 2);
  for (const auto& item : items) CHECK(item.at("status").at("S") == "COMPLETED");
}
