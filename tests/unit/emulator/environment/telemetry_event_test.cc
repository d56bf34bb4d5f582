#include "emulator/environment/telemetry_event.h"

#include "emulator/environment/system_log_level.h"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace emulator::environment;
using runtime_api::EventCategory;
using runtime_api::TelemetryApi;
using runtime_api::TelemetrySchema;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::system_clock::time_point kTime{std::chrono::milliseconds{1'665'533'030'004}};
const std::string kStamp = R"({"time":"2022-10-12T00:03:50.004Z","type":")";

using Texts = std::vector<std::string>;

Texts told(TelemetryRecord record, TelemetrySchema schema = TelemetrySchema::v2022_12_13) {
  return json_texts({kTime, std::move(record)}, schema);
}

Texts one(const std::string& type, const std::string& record) {
  return {kStamp + type + R"(","record":)" + record + "}"};
}

const InstanceFacts kInstance{.runtime_version = "python:3.12.v1",
                              .runtime_version_arn = "arn:aws:lambda:us-east-1::runtime:0",
                              .function_name = "f",
                              .function_version = "$LATEST",
                              .instance_id = "i",
                              .instance_max_memory_bytes = 134'217'728};

const EventTracing kTracing{"0123456789abcdef", "Root=1-2-3;Parent=4;Sampled=1"};
const std::string kTracingText =
    R"("tracing":{"spanId":"0123456789abcdef","type":"X-Amzn-Trace-Id",)"
    R"("value":"Root=1-2-3;Parent=4;Sampled=1"})";

InvocationReport report() {
  InvocationReport report;
  report.request_id = "r1";
  report.duration = 12'345'678ns;
  report.init_duration = 100'500us;
  report.memory_size_mb = 128;
  report.max_memory_used_mb = 36;
  return report;
}

constexpr TelemetrySchema kLogs = TelemetrySchema::v2020_08_15;
constexpr TelemetrySchema kLaterLogs = TelemetrySchema::v2021_03_18;

}  // namespace

TEST_CASE("the events of an init, on demand and ahead", "[telemetry]") {
  CHECK(told(InitStart{.instance = kInstance}) ==
        one("platform.initStart",
            R"({"initializationType":"on-demand","phase":"init",)"
            R"("runtimeVersion":"python:3.12.v1",)"
            R"("runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:0","functionName":"f",)"
            R"("functionVersion":"$LATEST","instanceId":"i","instanceMaxMemory":134217728})"));
  CHECK(told(InitRuntimeDone{.type = InitType::provisioned_concurrency}) ==
        one("platform.initRuntimeDone",
            R"({"initializationType":"provisioned-concurrency","phase":"init",)"
            R"("status":"success"})"));
  CHECK(told(InitReported{.type = InitType::snap_start,
                          .phase = FailurePhase::invoke,
                          .outcome = outcome_in_report("Runtime.ExitError"),
                          .duration = 125'330us}) ==
        one("platform.initReport",
            R"({"initializationType":"snap-start","phase":"invoke","status":"error",)"
            R"("metrics":{"durationMs":125.33},"errorType":"Runtime.ExitError"})"));
}

TEST_CASE("a runtime of the function's own has no version", "[telemetry]") {
  auto instance = kInstance;
  instance.runtime_version.clear();
  instance.runtime_version_arn.clear();
  CHECK(told(InitStart{.instance = instance}).front().find("runtimeVersion") == std::string::npos);
}

TEST_CASE("the events of an invocation", "[telemetry]") {
  CHECK(told(InvocationStart{.request_id = "r1", .version = "7", .tracing = kTracing}) ==
        one("platform.start", R"({"requestId":"r1","version":"7",)" + kTracingText + "}"));
  CHECK(told(InvocationStart{.request_id = "r1", .version = "7", .tenant_id = "t"}) ==
        one("platform.start", R"({"requestId":"r1","version":"7","tenantId":"t"})"));
  const AnswerTimes times{
      .first_byte = kTime + 23ms, .last_byte = kTime + 24ms, .next_asked = kTime + 24500us};
  CHECK(
      told(RuntimeDone{.request_id = "r1",
                       .duration = 24'500us,
                       .produced_bytes = 0,
                       .spans = spans_of(kTime, times),
                       .tracing = kTracing}) ==
      one("platform.runtimeDone",
          R"({"requestId":"r1","status":"success",)"
          R"("metrics":{"producedBytes":0,"durationMs":24.5},)" +
              kTracingText +
              R"(,"spans":[)"
              R"({"name":"responseLatency","start":"2022-10-12T00:03:50.004Z","durationMs":23.0},)"
              R"({"name":"responseDuration","start":"2022-10-12T00:03:50.027Z","durationMs":1.0},)"
              R"({"name":"runtimeOverhead","start":"2022-10-12T00:03:50.028Z",)"
              R"("durationMs":0.5}]})"));
  CHECK(told(InvocationReported{.report = report()}) ==
        one("platform.report",
            R"({"requestId":"r1","status":"success","metrics":{"durationMs":12.346,)"
            R"("billedDurationMs":113,"memorySizeMB":128,"maxMemoryUsedMB":36,)"
            R"("initDurationMs":100.5}})"));
}

TEST_CASE("a restore's durations are in its invocation's report", "[telemetry]") {
  auto restored = report();
  restored.init_duration.reset();
  restored.restore_duration = 511'250us;
  restored.billed_restore_duration = 120'100us;
  CHECK(told(InvocationReported{.report = restored})
            .front()
            .find(R"("maxMemoryUsedMB":36,"restoreDurationMs":511.25,)"
                  R"("billedRestoreDurationMs":121})") != std::string::npos);
  CHECK(told(RestoreStart{kInstance}).front().starts_with(kStamp + "platform.restoreStart"));
  CHECK(told(RestoreRuntimeDone{}) ==
        one("platform.restoreRuntimeDone", R"({"status":"success"})"));
  CHECK(told(RestoreReported{.duration = 1ms}) ==
        one("platform.restoreReport", R"({"status":"success","metrics":{"durationMs":1.0}})"));
}

TEST_CASE("how an invocation went is a status and, but for a timeout's report, a type",
          "[telemetry]") {
  const auto status = [](const EventOutcome& outcome) {
    return std::pair(outcome.status, outcome.error_type);
  };
  using Pair = std::pair<EventStatus, std::string>;
  CHECK(status(outcome_in_report("")) == Pair{EventStatus::success, ""});
  CHECK(status(outcome_in_report("Sandbox.Timedout")) == Pair{EventStatus::timeout, ""});
  CHECK(status(outcome_in_report("Runtime.ExitError")) ==
        Pair{EventStatus::error, "Runtime.ExitError"});
  CHECK(status(outcome_of_runtime("Sandbox.Timedout")) ==
        Pair{EventStatus::timeout, "Sandbox.Timedout"});
  CHECK(status(outcome_of_runtime("Runtime.ExitError")) ==
        Pair{EventStatus::failure, "Runtime.ExitError"});
  CHECK(status(outcome_of_runtime("Function.Some")) == Pair{EventStatus::error, "Function.Some"});
}

TEST_CASE("a span needs both its ends", "[telemetry]") {
  CHECK(spans_of(kTime, {}).empty());
  CHECK(spans_of(kTime, {.first_byte = kTime, .last_byte = {}, .next_asked = {}}).size() == 1);
  CHECK(spans_of(kTime, {.first_byte = kTime, .last_byte = kTime, .next_asked = {}}).size() == 2);
}

TEST_CASE("extensions, subscriptions and losses are told", "[telemetry]") {
  CHECK(told(ExtensionReported{.name = "e", .state = "Ready"}) ==
        one("platform.extension", R"({"name":"e","state":"Ready","events":[]})"));
  CHECK(told(ExtensionReported{.name = "e",
                               .state = "LaunchError",
                               .events = {"INVOKE"},
                               .error_type = "Extension.LaunchError"}) ==
        one("platform.extension",
            R"({"name":"e","state":"LaunchError","events":["INVOKE"],)"
            R"("errorType":"Extension.LaunchError"})"));
  Subscribed subscribed{.name = "e"};
  subscribed.categories.add(EventCategory::function);
  subscribed.categories.add(EventCategory::platform);
  CHECK(told(subscribed) ==
        one("platform.telemetrySubscription",
            R"({"name":"e","state":"Subscribed","types":["platform","function"]})"));
  subscribed.api = TelemetryApi::logs;
  CHECK(told(subscribed, kLogs) ==
        one("platform.logsSubscription",
            R"({"name":"e","state":"Subscribed","types":["platform","function"]})"));
  CHECK(told(LogsDropped{"too slow", 2, 300}) ==
        one("platform.logsDropped",
            R"({"reason":"too slow","droppedRecords":2,"droppedBytes":300})"));
}

TEST_CASE("the Logs API tells an end beside the report, and faults", "[telemetry]") {
  CHECK(told(InvocationReported{.report = report()}, kLogs) ==
        Texts{one("platform.end", R"({"requestId":"r1"})").front(),
              one("platform.report",
                  R"({"requestId":"r1","metrics":{"durationMs":12.346,"billedDurationMs":113,)"
                  R"("memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":100.5}})")
                  .front()});
  CHECK(told(Fault{"it broke"}, kLogs) == one("platform.fault", R"("it broke")"));
  CHECK(told(Fault{"it broke"}).empty());
  CHECK(told(InvocationStart{.request_id = "r1", .version = "7", .tracing = kTracing}, kLogs) ==
        one("platform.start", R"({"requestId":"r1","version":"7"})"));
}

TEST_CASE("the Logs API knows no init, and the end of the runtime only in its later schema",
          "[telemetry]") {
  for (const auto schema : {kLogs, kLaterLogs}) {
    CHECK(told(InitStart{}, schema).empty());
    CHECK(told(InitRuntimeDone{}, schema).empty());
    CHECK(told(InitReported{}, schema).empty());
    CHECK(told(RestoreReported{}, schema).empty());
  }
  const RuntimeDone done{.request_id = "r1", .produced_bytes = 5};
  CHECK(told(done, kLogs).empty());
  CHECK(told(done, kLaterLogs) ==
        one("platform.runtimeDone", R"({"requestId":"r1","status":"success"})"));
}

TEST_CASE("a printed line is a string, and an object only of a JSON log in the later schema",
          "[telemetry]") {
  CHECK(told(PrintedLine{.line = "a \"line\""}) == one("function", R"("a \"line\"")"));
  CHECK(told(PrintedLine{.writer = EventCategory::extension, .line = "plain"}) ==
        one("extension", R"("plain")"));
  const PrintedLine object{.line = R"({"a": 1})", .format = LogFormat::json};
  CHECK(told(object) == one("function", R"({"a": 1})"));
  CHECK(told(object, TelemetrySchema::v2022_07_01) == one("function", R"("{\"a\": 1}")"));
  CHECK(told(PrintedLine{.line = R"({"a": 1})"}) == one("function", R"("{\"a\": 1}")"));
  CHECK(told(PrintedLine{.line = "{\"a\":1} x", .format = LogFormat::json}) ==
        one("function", R"("{\"a\":1} x")"));
  CHECK(told(PrintedLine{.line = "\xff\x01"}) == one("function", "\"\xEF\xBF\xBD\\u0001\""));
}

TEST_CASE("each event has its level in a JSON log", "[telemetry]") {
  const EventOutcome failed{EventStatus::error, "Runtime.X"};
  CHECK(level_of(InitStart{}) == LogLevel::debug);
  CHECK(level_of(InitStart{.instance = kInstance}) == LogLevel::info);
  CHECK(level_of(InitRuntimeDone{}) == LogLevel::debug);
  CHECK(level_of(InitRuntimeDone{.outcome = failed}) == LogLevel::warn);
  CHECK(level_of(InitReported{}) == LogLevel::debug);
  CHECK(level_of(InitReported{.type = InitType::provisioned_concurrency}) == LogLevel::info);
  CHECK(level_of(InitReported{.outcome = failed}) == LogLevel::warn);
  CHECK(level_of(InvocationStart{}) == LogLevel::info);
  CHECK(level_of(RuntimeDone{}) == LogLevel::debug);
  CHECK(level_of(RuntimeDone{.outcome = failed}) == LogLevel::warn);
  CHECK(level_of(InvocationReported{}) == LogLevel::info);
  auto broken = report();
  broken.error_type = "Runtime.ExitError";
  CHECK(level_of(InvocationReported{.report = broken}) == LogLevel::warn);
  CHECK(level_of(ExtensionReported{}) == LogLevel::info);
  CHECK(level_of(ExtensionReported{.error_type = "Extension.Crash"}) == LogLevel::warn);
  CHECK(level_of(LogsDropped{}) == LogLevel::warn);
  CHECK(level_of(RestoreReported{}) == LogLevel::info);
  CHECK(level_of(RestoreRuntimeDone{}) == LogLevel::debug);
}

TEST_CASE("platform lines of a JSON log are events of its level", "[telemetry]") {
  const LogFormatting info{.format = LogFormat::json};
  const LogFormatting warn{.format = LogFormat::json, .system_level = LogLevel::warn};
  const TelemetryEvent start{kTime, InvocationStart{.request_id = "r1", .version = "7"}};
  CHECK(json_log_line(start, info) ==
        kStamp + "platform.start\",\"record\":{\"requestId\":\"r1\",\"version\":\"7\"}}\n");
  CHECK(json_log_line(start, warn).empty());
  CHECK(json_log_line({kTime, RuntimeDone{}}, info).empty());
  CHECK(json_log_line({kTime, Fault{"text"}}, info).empty());
  CHECK(json_log_line({kTime, PrintedLine{}}, info).empty());
}

TEST_CASE("an event's texts are as many as were counted before they were made", "[telemetry]") {
  const std::vector<TelemetryRecord> records = {InitStart{},
                                                InitRuntimeDone{},
                                                InitReported{},
                                                InvocationStart{},
                                                RuntimeDone{},
                                                InvocationReported{},
                                                Fault{"a sentence"},
                                                ExtensionReported{},
                                                Subscribed{},
                                                LogsDropped{},
                                                RestoreStart{},
                                                RestoreRuntimeDone{},
                                                RestoreReported{},
                                                PrintedLine{}};
  REQUIRE(records.size() == std::variant_size_v<TelemetryRecord>);
  for (const auto schema : {TelemetrySchema::v2020_08_15,
                            TelemetrySchema::v2021_03_18,
                            TelemetrySchema::v2022_07_01,
                            TelemetrySchema::v2022_12_13}) {
    for (const auto& record : records) {
      CAPTURE(static_cast<int>(schema), record.index());
      CHECK(count_json_texts(record, schema) == json_texts({{}, record}, schema).size());
    }
  }
}
