#include "emulator/report/trace_store.h"

#include <catch2/catch_test_macros.hpp>

#include <cstdio>

using namespace emulator::report;

namespace {

std::string hex(int number, int digits) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%0*x", digits, number);
  return text.data();
}

std::string datagram(int trace, int span) {
  return "{\"format\":\"json\",\"version\":1}\n{\"id\":\"" + hex(span, 16) +
         "\",\"trace_id\":\"1-00000000-" + hex(trace, 24) +
         "\",\"name\":\"work\",\"start_time\":1,\"end_time\":2}";
}

emulator::environment::InvocationReport sampled(int trace) {
  emulator::environment::InvocationReport report;
  report.function_name = "f";
  report.trace.trace_id = "1-00000000-" + hex(trace, 24);
  report.trace.invocation_segment = hex(0xa3, 16);
  report.trace.sampled = true;
  return report;
}

struct Scene {
  std::vector<Span> exported;
  TraceStore store{[] { return std::string(16, '0'); },
                   [this](const std::vector<Span>& spans) {
                     exported.insert(exported.end(), spans.begin(), spans.end());
                   }};
};

}  // namespace

TEST_CASE("segments of the function and of the platform meet in their trace", "[trace]") {
  Scene scene;
  scene.store.take_datagram("f", datagram(1, 7));
  scene.store.add(sampled(1));
  scene.store.add(sampled(2));
  const auto traces = scene.store.newest(10);
  REQUIRE(traces.size() == 2);
  CHECK(traces[1].spans.size() == 4);
  CHECK(traces[1].spans.front().name == "work");
  CHECK(scene.exported.size() == 7);
  CHECK(scene.store.counts().spans == 7);
  CHECK(scene.store.newest(1).front().trace_id == traces[0].trace_id);
}

TEST_CASE("a datagram that is refused is counted, with the reason", "[trace]") {
  Scene scene;
  scene.store.take_datagram("f", "nonsense");
  const auto counts = scene.store.counts();
  CHECK(counts.datagrams == 1);
  CHECK(counts.refused_datagrams == 1);
  CHECK_FALSE(counts.last_refusal.empty());
  CHECK(scene.store.newest(10).empty());
  CHECK(scene.exported.empty());
}

TEST_CASE("the oldest traces are forgotten, and what is forgotten is counted", "[trace]") {
  Scene scene;
  constexpr int kMore = 3;
  const auto all = static_cast<int>(kMaxTraces) + kMore;
  for (int trace = 0; trace < all; ++trace) scene.store.take_datagram("f", datagram(trace, 1));
  const auto traces = scene.store.newest(SIZE_MAX);
  CHECK(traces.size() == kMaxTraces);
  CHECK(traces.back().trace_id == "00000000" + hex(kMore, 24));
  CHECK(scene.store.counts().forgotten == kMore);
  CHECK(scene.exported.size() == static_cast<std::size_t>(all));
}

TEST_CASE("a trace keeps so many spans, and counts those beyond", "[trace]") {
  Scene scene;
  const auto all = static_cast<int>(kMaxSpansInTrace) + 2;
  for (int span = 0; span < all; ++span) scene.store.take_datagram("f", datagram(1, span));
  const auto traces = scene.store.newest(1);
  CHECK(traces.front().spans.size() == kMaxSpansInTrace);
  CHECK(traces.front().forgotten == 2);
}
