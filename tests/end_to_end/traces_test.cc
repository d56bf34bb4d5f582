// Traces, from the X-Ray SDK in a function to a collector and a file.
#include "tests/end_to_end/lambda_api.h"
#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::LambdaApi;
using tests::Serving;

namespace {

namespace fs = std::filesystem;

// All spans of OpenTelemetry documents.
std::vector<json> spans_of(const std::vector<json>& documents) {
  std::vector<json> spans;
  for (const auto& document : documents) {
    for (const auto& resource : document.at("resourceSpans")) {
      for (const auto& scope : resource.at("scopeSpans")) {
        for (const auto& span : scope.at("spans")) spans.push_back(span);
      }
    }
  }
  return spans;
}

json named(const std::vector<json>& spans, const std::string& name) {
  const auto found = std::find_if(
      spans.begin(), spans.end(), [&](const json& span) { return span.at("name") == name; });
  return found == spans.end() ? json() : *found;
}

std::vector<json> documents_in(const std::string& path) {
  std::vector<json> documents;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) documents.push_back(json::parse(line));
  return documents;
}

// A layer with AWS's X-Ray SDK as pip installed it for these tests, and what it imports.
void write_sdk_layer(const tests::ScratchFolder& layer) {
  const fs::path packages = fs::path(HEARTH_SOURCE_DIR) / ".venv/lib/python3.11/site-packages";
  if (!fs::exists(packages / "aws_xray_sdk")) {
    SKIP("aws-xray-sdk is not installed; install tests/end_to_end/requirements.txt into .venv");
  }
  const auto target = layer.path() / "python";
  for (const auto* name :
       {"aws_xray_sdk", "wrapt", "botocore", "jmespath", "dateutil", "urllib3"}) {
    for (const auto& entry : fs::recursive_directory_iterator(packages / name)) {
      const auto relative = entry.path().lexically_relative(packages);
      // The models of all services are of no use here.
      if (relative.string().starts_with("botocore/data/") || !entry.is_regular_file()) continue;
      fs::create_directories((target / relative).parent_path());
      fs::copy_file(entry.path(), target / relative);
    }
  }
  fs::copy_file(packages / "six.py", target / "six.py");
}

// Takes documents as a collector does.
class Collector {
 public:
  Collector() {
    server_.Post("/v1/traces", [this](const httplib::Request& request, httplib::Response& reply) {
      const std::lock_guard lock(mutex_);
      if (request.get_header_value("Content-Type") == "application/json") {
        documents_.push_back(json::parse(request.body));
      }
      reply.set_content("{}", "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  ~Collector() {
    server_.stop();
    thread_.join();
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<json> documents() const {
    const std::lock_guard lock(mutex_);
    return documents_;
  }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::vector<json> documents_;
};

constexpr const char* kTraced =
    "from aws_xray_sdk.core import xray_recorder\n"
    "def handler(event, context):\n"
    "    with xray_recorder.in_subsegment('work') as work:\n"
    "        work.put_annotation('colour', event['colour'])\n"
    "        work.put_metadata('list', [1, 2])\n"
    "        try:\n"
    "            with xray_recorder.in_subsegment('inner'):\n"
    "                raise ValueError('no')\n"
    "        except ValueError:\n"
    "            return 'caught'\n";

const std::string kSampled =
    "Root=1-5f84c7a1-0123456789abcdef01234567;Parent=00000000000000ab;Sampled=1";

}  // namespace

namespace {

// Runs the traced function once, in that network, and checks how its spans hang together.
void check_sdk_in(const std::string& network) {
  const tests::ScratchFolder folder;
  const tests::ScratchFolder layer;
  const tests::ScratchFolder results;
  folder.write("app.py", kTraced);
  write_sdk_layer(layer);
  const auto file = (results.path() / "traces.jsonl").string();
  const auto ended = tests::invoke({"--code",
                                    folder.path().string(),
                                    "--runtime",
                                    "python3.11",
                                    "--handler",
                                    "app.handler",
                                    "--layer",
                                    layer.path().string(),
                                    "--network",
                                    network,
                                    "--tracing",
                                    "Active",
                                    "--timeout",
                                    "30",
                                    "--trace-file",
                                    file,
                                    "--payload",
                                    R"({"colour":"blue"})"});
  INFO(ended.errors);
  CHECK(ended.output == R"("caught")");
  CHECK(ended.errors.find("XRAY TraceId: 1-") != std::string::npos);
  const auto spans = spans_of(documents_in(file));
  const auto work = named(spans, "work");
  REQUIRE_FALSE(work.is_null());
  CHECK(work.at("parentSpanId") == named(spans, "Invocation").at("spanId"));
  CHECK(named(spans, "Initialization").at("traceId") == work.at("traceId"));
  CHECK(std::count(work.at("attributes").begin(),
                   work.at("attributes").end(),
                   json{{"key", "colour"}, {"value", {{"stringValue", "blue"}}}}) == 1);
  const auto inner = named(spans, "inner");
  CHECK(inner.at("parentSpanId") == work.at("spanId"));
  CHECK(inner.at("status").at("code") == 2);
  CHECK(inner.at("events").at(0).at("name") == "exception");
}

}  // namespace

TEST_CASE("segments of AWS's X-Ray SDK hang on the platform's, in a trace file", "[traces]") {
  check_sdk_in("host");
}

TEST_CASE("a function in a network of its own reaches the X-Ray daemon where Lambda has it",
          "[traces]") {
  tests::requires_own_network();
  check_sdk_in("none");
}

TEST_CASE("traces of sampled calls go to the collector and are listed", "[traces]") {
  Collector collector;
  Serving serving({"--otlp-endpoint", collector.url()});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  const auto sampled =
      api.invoke("f", "1", {{"X-Amzn-Trace-Id", kSampled}, {"X-Amz-Log-Type", "Tail"}});
  CHECK(sampled.header("X-Amzn-Trace-Id").starts_with("Root=1-5f84c7a1-0123456789abcdef01234567;"));
  const auto log = tests::base64_decoded(sampled.header("X-Amz-Log-Result"));
  CHECK(log.find("XRAY TraceId: 1-5f84c7a1-0123456789abcdef01234567\tSegmentId: ") !=
        std::string::npos);
  CHECK(api.invoke("f").header("X-Amzn-Trace-Id").ends_with(";Sampled=0"));
  const auto listed = api.call("GET", "/_hearth/traces").at("traces");
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].at("trace_id") == "1-5f84c7a1-0123456789abcdef01234567");
  CHECK(listed[0].at("spans").at(0).at("parent_id") == "00000000000000ab");
  serving.stop();
  const auto spans = spans_of(collector.documents());
  CHECK(spans.size() == listed[0].at("spans").size());
  CHECK(named(spans, "Invocation").at("traceId") == "5f84c7a10123456789abcdef01234567");
}

TEST_CASE("an event's attempts continue the trace that it was accepted with", "[traces]") {
  Serving serving({"--clock", "virtual"});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "exits_during_invoke"));
  const auto accepted =
      api.invoke("f", "1", {{"X-Amz-Invocation-Type", "Event"}, {"X-Amzn-Trace-Id", kSampled}});
  CHECK(accepted.header("X-Amzn-Trace-Id") == kSampled);
  api.advance(std::chrono::minutes{10});
  api.await_event_end(accepted.header("x-amzn-RequestId"));
  tests::eventually("three invocations in one trace", [&] {
    const auto listed = api.call("GET", "/_hearth/traces").at("traces");
    if (listed.size() != 1) return false;
    const auto& spans = listed[0].at("spans");
    return std::count_if(spans.begin(), spans.end(), [](const json& span) {
             return span.at("name") == "Invocation";
           }) == 3;
  });
  serving.stop();
}

TEST_CASE("a collector that is not there is told of once, and nothing waits for it", "[traces]") {
  Serving serving({"--otlp-endpoint", "http://127.0.0.1:1"});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  CHECK(api.invoke("f", "1", {{"X-Amzn-Trace-Id", kSampled}}).body == "1");
  const auto ended = serving.stop();
  CHECK(ended.errors.find("--otlp-endpoint") != std::string::npos);
}

TEST_CASE("a collector's address and a trace file are checked before anything runs", "[traces]") {
  for (const tests::Words& words : {tests::Words{"--otlp-endpoint", "localhost"},
                                    tests::Words{"--trace-file", "/no/such/folder/file"}}) {
    auto all = tests::testee("echo");
    all.insert(all.begin(), words.begin(), words.end());
    const auto ended = tests::invoke(all);
    CHECK(ended.status == 2);
    CHECK(tests::is_one_sentence(ended.errors));
    CHECK(ended.errors.find(words.front()) != std::string::npos);
  }
}
