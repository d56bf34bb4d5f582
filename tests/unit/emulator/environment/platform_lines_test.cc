#include "emulator/environment/platform_lines.h"

#include <catch2/catch_test_macros.hpp>

#include <sstream>
#include <string>

using namespace emulator::environment;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{std::chrono::milliseconds{1'665'533'030'004}};

EnvironmentSpec json_spec(LogLevel system = LogLevel::info) {
  EnvironmentSpec spec;
  spec.logging = {.format = LogFormat::json, .system_level = system};
  return spec;
}

InvocationReport report(std::string error_type = {}) {
  InvocationReport report;
  report.request_id = "r1";
  report.duration = 1ms;
  report.memory_size_mb = 128;
  report.max_memory_used_mb = 9;
  report.error_type = std::move(error_type);
  return report;
}

}  // namespace

TEST_CASE("a text log has the lines that it always had", "[log]") {
  const EnvironmentSpec spec;
  CHECK(start_lines(spec, "r1", {}, kNow) == "START RequestId: r1 Version: $LATEST\n");
  CHECK(end_lines(spec, report(), {}, kNow) == end_lines(report(), Profile::aws));
  CHECK(init_report_lines(spec, {}, kNow) == init_report_line({}));
  CHECK(outcome_lines(spec, TimedOut{3s}, "r1", kNow) == outcome_lines(TimedOut{3s}, "r1", kNow));
}

TEST_CASE("a JSON log has an event for each of them", "[log]") {
  const auto spec = json_spec();
  CHECK(start_lines(spec, "r1", {}, kNow) ==
        "{\"time\":\"2022-10-12T00:03:50.004Z\",\"type\":\"platform.start\","
        "\"record\":{\"requestId\":\"r1\",\"version\":\"$LATEST\"}}\n");
  CHECK(end_lines(spec, report(), {}, kNow) ==
        "{\"time\":\"2022-10-12T00:03:50.004Z\",\"type\":\"platform.report\","
        "\"record\":{\"requestId\":\"r1\",\"status\":\"success\",\"metrics\":{\"durationMs\":1.0,"
        "\"billedDurationMs\":1,\"memorySizeMB\":128,\"maxMemoryUsedMB\":9}}}\n");
  CHECK(init_report_lines(spec, {.error_type = "Runtime.ExitError"}, kNow)
            .find("\"type\":\"platform.initReport\"") != std::string::npos);
  CHECK(outcome_lines(spec, TimedOut{3s}, "r1", kNow).empty());
}

TEST_CASE("a JSON log names tenant, trace and spans, as telemetry does", "[log]") {
  const auto spec = json_spec(LogLevel::debug);
  const InvocationContext context{
      .tenant_id = "blue",
      .tracing = EventTracing{.span_id = "0123456789abcdef", .value = "Root=1-2-3;Sampled=1"},
      .spans = {{"responseLatency", kNow, 2ms}}};
  const std::string tenant = R"("tenantId":"blue")";
  const std::string tracing = R"("tracing":{"spanId":"0123456789abcdef","type":"X-Amzn-Trace-Id",)"
                              R"("value":"Root=1-2-3;Sampled=1"})";
  const std::string spans =
      R"("spans":[{"name":"responseLatency","start":"2022-10-12T00:03:50.004Z","durationMs":2.0}])";
  const auto start = start_lines(spec, "r1", context, kNow);
  CHECK(start.find(tenant) != std::string::npos);
  CHECK(start.find(tracing) != std::string::npos);
  std::istringstream ends(end_lines(spec, report(), context, kNow));
  for (std::string line; std::getline(ends, line);) {
    CAPTURE(line);
    CHECK(line.find(tenant) != std::string::npos);
    CHECK(line.find(tracing) != std::string::npos);
    CHECK(line.find(spans) != std::string::npos);
  }
}

TEST_CASE("INIT_START names the runtime's version, where AWS manages the runtime", "[log]") {
  EnvironmentSpec spec;
  InitStart start{
      .instance = {.runtime_version = "python:3.12.v0", .runtime_version_arn = "arn:x"}};
  CHECK(init_start_lines(spec, start, kNow) ==
        "INIT_START Runtime Version: python:3.12.v0\tRuntime Version ARN: arn:x\n");
  // What is repeated inside an invocation is told by its INIT_REPORT.
  start.phase = FailurePhase::invoke;
  CHECK(init_start_lines(spec, start, kNow).empty());
  CHECK(init_start_lines(spec, InitStart{}, kNow).empty());
  CHECK(init_start_lines(json_spec(), start, kNow).find(R"("type":"platform.initStart")") !=
        std::string::npos);
}

TEST_CASE("a JSON log has the events of a restore", "[log]") {
  auto spec = json_spec();
  spec.initialization = Initialization::snap_start;
  spec.runtime_version = "java:21.v0";
  CHECK(restore_start_lines(spec, "env-1", kNow).find(R"("type":"platform.restoreStart")") !=
        std::string::npos);
  CHECK(restore_report_lines(spec, {.duration = 2ms}, kNow).find(R"({"status":"success",)") !=
        std::string::npos);
  CHECK(restore_report_lines(spec, {2ms, "Runtime.ExitError"}, kNow)
            .find(R"("errorType":"Runtime.ExitError")") != std::string::npos);
  CHECK(init_report_lines(spec, {.duration = 2ms}, kNow)
            .find(R"("initializationType":"snap-start")") != std::string::npos);
  // Where no runtime of AWS's starts, that is for whoever debugs.
  CHECK(restore_start_lines(json_spec(), "env-1", kNow).empty());
}

TEST_CASE("a JSON log leaves out what is below its system level", "[log]") {
  CHECK(start_lines(json_spec(LogLevel::warn), "r1", {}, kNow).empty());
  CHECK(end_lines(json_spec(LogLevel::warn), report(), {}, kNow).empty());
  const auto failed = end_lines(json_spec(LogLevel::warn), report("Runtime.ExitError"), {}, kNow);
  CHECK(failed.find("platform.runtimeDone") != std::string::npos);
  CHECK(failed.find("platform.report") != std::string::npos);
  CHECK(end_lines(json_spec(LogLevel::debug), report(), {}, kNow).find("platform.runtimeDone") !=
        std::string::npos);
}
