#include "emulator/harness/result_line.h"

#include "emulator/harness/record.h"
#include "emulator/harness/replay_summary.h"
#include "emulator/harness/result_file.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/emulator/harness/text_source.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

using namespace emulator;
using namespace emulator::harness;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

invoke::InvocationResult answer(environment::Outcome outcome) {
  invoke::InvocationResult made;
  made.outcome = std::move(outcome);
  made.report.emplace();
  made.report->started = std::chrono::system_clock::time_point{1'768'262'400s};
  made.report->duration = 1'234'567ns;
  made.report->init_duration = 10ms;
  made.report->max_memory_used_mb = 14;
  return made;
}

ReplayResult result_with(environment::Outcome outcome) {
  return result_of({.position = 3,
                    .file = "e\"vents",
                    .line = 4,
                    .function_name = "f",
                    .request_id = "id",
                    .input_sha256 = "abc"},
                   answer(std::move(outcome)),
                   environment::Profile::aws);
}

std::string line_of(const ReplayResult& result) {
  std::string line;
  append_result_line(line, result);
  CHECK(line.find('\n') == line.size() - 1);
  return line;
}

}  // namespace

TEST_CASE("a result line tells event, outcome, response and cost", "[harness]") {
  const auto line = line_of(result_with(environment::Responded{"{\"a\" : 1.0,\n\"b\":2}", ""}));
  const auto told = json::parse(line);
  CHECK(told["position"] == 3);
  CHECK(told["file"] == "e\"vents");
  CHECK(told["line"] == 4);
  CHECK(told["request_id"] == "id");
  CHECK(told["input_sha256"] == "abc");
  CHECK(told["outcome"] == "responded");
  CHECK(told["duration_ms"] == 1.235);
  CHECK(told["billed_ms"] == 12);
  CHECK(told["init_ms"] == 10);
  CHECK(told["cold"] == true);
  CHECK(told["max_memory_used_mb"] == 14);
  CHECK(told["time"] == "2026-01-13T00:00:00.000Z");
  CHECK_FALSE(told.contains("error_type"));
  CHECK(line.find("\"response\":{\"a\" : 1.0, \"b\":2}") != std::string::npos);
}

TEST_CASE("a response that is no JSON is told as text, and other bytes in base64", "[harness]") {
  CHECK(json::parse(line_of(result_with(environment::Responded{"a \"b\"", ""})))["response_text"] ==
        "a \"b\"");
  CHECK(json::parse(line_of(result_with(environment::Responded{"", ""})))["response_text"] == "");
  CHECK(json::parse(line_of(
            result_with(environment::Responded{"\xFF\x01", ""})))["response_base64"] == "/wE=");
}

TEST_CASE("every way to fail has its name, error type and document", "[harness]") {
  const auto told = [](environment::Outcome outcome) {
    const auto result = result_with(std::move(outcome));
    return result.outcome + " " + result.error_type;
  };
  CHECK(told(environment::FunctionError{"E", "{}"}) == "function_error E");
  CHECK(told(environment::FunctionError{"Runtime.Unknown", R"({"errorType":"ZeroDivision"})"}) ==
        "function_error ZeroDivision");
  CHECK(told(environment::TimedOut{3s}) == "timed_out Sandbox.Timedout");
  CHECK(told(environment::RuntimeExited{.exit_code = 1, .signal = {}}) ==
        "runtime_exited Runtime.ExitError");
  CHECK(told(environment::OutOfMemory{}) == "out_of_memory Runtime.OutOfMemory");
  CHECK(told(environment::ResponseTooLarge{7}) ==
        "response_too_large Function.ResponseSizeTooLarge");
  CHECK(told(environment::ResponseTruncated{}) == "response_truncated Runtime.TruncatedResponse");
  CHECK(told(environment::NeverStarted{"Runtime.InvalidEntrypoint", "why"}) ==
        "never_started Runtime.InvalidEntrypoint");
  const auto failed = json::parse(line_of(result_with(environment::TimedOut{3s})));
  CHECK(failed["response"]["errorType"] == "Sandbox.Timedout");
  const auto refused = result_of(
      {},
      tl::unexpected(invoke::Refusal{invoke::Refusal::Kind::concurrency_exceeded, "busy"}),
      environment::Profile::aws);
  CHECK(refused.outcome + " " + refused.error_type == "throttled TooManyRequestsException");
}

TEST_CASE("a result line is read as it was written", "[harness]") {
  for (const std::string response : {"{\"a\":[1]}", "te\"xt", "\xFE"}) {
    auto result = result_with(environment::Responded{response, ""});
    result.event = "{}";
    const auto read = parse_result_line(line_of(result));
    REQUIRE(read);
    result.event.clear();
    result.duration = 1'235'000ns;
    CHECK(line_of(*read) == line_of(result));
  }
  for (const std::string text :
       {"", "1", "{}", "{\"position\":1}", "{\"position\":1,\"outcome\":"}) {
    INFO(text);
    CHECK_FALSE(parse_result_line(text));
  }
}

TEST_CASE("a result that holds its event is a record that can be replayed", "[harness]") {
  auto result = result_with(environment::Responded{"1", ""});
  CHECK_FALSE(read_record(line_of(result)));
  result.event = "{\"n\" : 1}";
  const auto line = line_of(result);
  CHECK((*read_record(line))->event == "{\"n\" : 1}");
}

TEST_CASE("sums count errors by type, cold starts and billed time", "[harness]") {
  Tally tally;
  tally.add(result_with(environment::Responded{"1", ""}));
  tally.add(result_with(environment::TimedOut{3s}));
  tally.add(result_with(environment::TimedOut{3s}));
  CHECK(tally.events == 3);
  CHECK(tally.failed() == 2);
  CHECK(tally.errors.at("Sandbox.Timedout") == 2);
  CHECK(tally.cold_starts == 3);
  CHECK(tally.billed_ms == 36);
  for (int i = 0; i < 1000; ++i) {
    tally.add(result_with(environment::FunctionError{"E" + std::to_string(i), "{}"}));
  }
  CHECK(tally.errors.size() == kMaxErrorKinds + 1);
  CHECK(tally.failed() == 1002);
}

TEST_CASE("the summary tells the same as a table and as JSON", "[harness]") {
  ReplaySummary summary;
  summary.memory_mb = 1024;
  summary.tally.add(result_with(environment::Responded{"1", ""}));
  summary.tally.add(result_with(environment::TimedOut{3s}));
  summary.tally.billed_ms = 1000;
  summary.tally.broken = 1;
  summary.comparison = ComparisonCounts{.same = 1, .different = 1};
  summary.elapsed = 1s;
  const auto told = json::parse(summary_json(summary));
  CHECK(told["events"] == 2);
  CHECK(told["broken"] == 1);
  CHECK(told["errors_by_type"] == json{{"Sandbox.Timedout", 1}});
  CHECK(told["cold_starts"] == 2);
  CHECK(told["duration_ms"]["p50"] == 1.235);
  CHECK(std::abs(told["estimated_cost_usd"].get<double>() - (0.0000166667 + 2 * 0.0000002)) < 1e-9);
  CHECK(told["comparison"]["different"] == 1);
  CHECK(told["per_second"] == 2);
  const auto table = summary_table(summary);
  CHECK(table.find("  1 × Sandbox.Timedout\n") != std::string::npos);
  CHECK(table.find("compared: 1 the same, 1 different, 0 missing, 0 new") != std::string::npos);
}

TEST_CASE("a file of results is taken up behind its last whole line", "[harness]") {
  const tests::ScratchFolder folder;
  std::string lines;
  for (const std::uint64_t position : {1, 2, 4}) {
    auto result = result_with(environment::Responded{"1", ""});
    result.position = position;
    append_result_line(lines, result);
  }
  std::size_t visited = 0;
  const auto written =
      read_results(tests::text_source(lines + "{\"posit"), [&](const auto&) { ++visited; });
  REQUIRE(written);
  CHECK(visited == 3);
  CHECK(written->last_position == 4);
  CHECK(written->bytes == lines.size());
  const auto name = folder.write("out", lines + "{\"posit");
  auto file = ResultFile::take_up(name, written->bytes);
  REQUIRE(file);
  REQUIRE(file->write("next\n"));
  CHECK(folder.read("out") == lines + "next\n");
  const auto other = read_results(tests::text_source("precious\n"), [](const auto&) {});
  CHECK(other.error().message == "line 1 is no result of a replay");
  CHECK_FALSE(read_results(tests::text_source(lines + lines), [](const auto&) {}));
}

TEST_CASE("a file of results that cannot be written is told", "[harness]") {
  const auto file = ResultFile::create("/proc/none/out");
  REQUIRE_FALSE(file);
  CHECK(file.error().kind == HarnessError::Kind::host);
  CHECK(file.error().message.find("/proc/none/out") != std::string::npos);
}

TEST_CASE("a result line of an invocation from a snapshot tells of its restore", "[harness]") {
  ReplayResult result;
  result.restore_duration = std::chrono::milliseconds{7};
  const auto line = line_of(result);
  const auto told = json::parse(line);
  CHECK(told["restore_ms"] == 7);
  CHECK(told["cold"] == true);
  CHECK(told["init_ms"].is_null());
}
