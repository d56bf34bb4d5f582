#include "emulator/report/platform_spans.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::report;
using namespace std::chrono_literals;
using emulator::environment::InvocationReport;

namespace {

InvocationReport sampled() {
  InvocationReport report;
  report.request_id = "id-1";
  report.function_name = "f";
  report.version = "7";
  report.started = std::chrono::system_clock::time_point{1'000s};
  report.duration = 30ms;
  report.answered_after = 20ms;
  report.trace = {.trace_id = "1-5f84c7a1-0123456789abcdef01234567",
                  .caller_segment = "00000000000000a0",
                  .service_segment = "00000000000000a1",
                  .function_segment = "00000000000000a2",
                  .invocation_segment = "00000000000000a3",
                  .sampled = true};
  return report;
}

std::vector<Span> spans_of(const InvocationReport& report) {
  int made = 0;
  return platform_spans(report, [&] { return "fresh-" + std::to_string(++made); });
}

}  // namespace

TEST_CASE("a warm invocation has the service's segment, the function's and two parts in it",
          "[trace]") {
  const auto spans = spans_of(sampled());
  REQUIRE(spans.size() == 4);
  for (const auto& span : spans) {
    CHECK(span.trace_id == "5f84c7a10123456789abcdef01234567");
    CHECK(span.service == "f");
    CHECK_FALSE(span.failed);
  }
  CHECK(spans[0].parent_id == "00000000000000a0");
  CHECK(spans[1].parent_id == spans[0].span_id);
  CHECK(spans[2].name == "Invocation");
  CHECK(spans[2].span_id == "00000000000000a3");
  CHECK(spans[2].parent_id == spans[1].span_id);
  CHECK(spans[2].start == 1'000s);
  CHECK(spans[2].end == 1'000s + 20ms);
  CHECK(spans[3].name == "Overhead");
  CHECK(spans[3].start == 1'000s + 20ms);
  CHECK(spans[3].end == 1'000s + 30ms);
  CHECK(spans[0].attributes.front() ==
        std::pair<std::string, AttributeValue>("aws.xray.origin", std::string("AWS::Lambda")));
  CHECK(spans[1].attributes.front() ==
        std::pair<std::string, AttributeValue>("aws.xray.origin",
                                               std::string("AWS::Lambda::Function")));
}

TEST_CASE("an invocation from a snapshot has its Restore before it", "[trace]") {
  auto report = sampled();
  report.restore_duration = 40ms;
  const auto spans = spans_of(report);
  REQUIRE(spans.size() == 5);
  CHECK(spans[0].start == 1'000s - 40ms);
  CHECK(spans[2].name == "Restore");
  CHECK(spans[2].start == 1'000s - 40ms);
  CHECK(spans[2].end == 1'000s);
}

TEST_CASE("a cold start has its Initialization before the invocation", "[trace]") {
  auto report = sampled();
  report.init_duration = 200ms;
  const auto spans = spans_of(report);
  REQUIRE(spans.size() == 5);
  CHECK(spans[0].start == 1'000s - 200ms);
  CHECK(spans[2].name == "Initialization");
  CHECK(spans[2].start == 1'000s - 200ms);
  CHECK(spans[2].end == 1'000s);
  CHECK(spans[2].parent_id == spans[1].span_id);
}

TEST_CASE("an invocation without an answer has no Overhead, and its segments failed", "[trace]") {
  auto report = sampled();
  report.answered_after.reset();
  report.error_type = "Sandbox.Timedout";
  const auto spans = spans_of(report);
  REQUIRE(spans.size() == 3);
  for (const auto& span : spans) CHECK(span.failed);
  CHECK(spans[2].end == 1'000s + 30ms);
}

TEST_CASE("the exceptions that led to an error stand at the invocation's segment", "[trace]") {
  auto report = sampled();
  report.error_type = "Runtime.Unknown";
  report.exceptions = {{"KeyError", "'a'"}, {"ValueError", "b"}};
  const auto spans = spans_of(report);
  CHECK(spans[1].exceptions.empty());
  CHECK(spans[2].exceptions ==
        std::vector<SpanException>{{"KeyError", "'a'"}, {"ValueError", "b"}});
}

TEST_CASE("an invocation that is not sampled has no segments", "[trace]") {
  auto report = sampled();
  report.trace.sampled = false;
  CHECK(spans_of(report).empty());
}
