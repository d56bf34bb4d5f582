#include "emulator/invoke/tracer.h"

#include "tests/support/manual_clock.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::invoke;
using namespace std::chrono_literals;
using emulator::environment::Tracing;

namespace {

// Identifiers count up, and chance is what the test says.
struct Scene {
  tests::ManualClock clock;
  int made = 0;
  double chance = 0.99;
  Tracer tracer{{.clock = clock,
                 .new_hex =
                     [this](int digits) {
                       auto number = std::to_string(++made);
                       return std::string(static_cast<std::size_t>(digits) - number.size(), '0') +
                              number;
                     },
                 .draw = [this] { return chance; }}};

  bool sampled(const std::optional<std::string>& incoming, Tracing tracing) {
    return tracer.begin(incoming, "f", tracing).context.sampled;
  }
};

const std::string kRoot = "1-5f84c7a1-0123456789abcdef01234567";

}  // namespace

TEST_CASE("a call without a header begins a trace that carries its second", "[trace]") {
  Scene scene;
  const auto begun = scene.tracer.begin(std::nullopt, "f", Tracing::pass_through);
  CHECK(begun.context.trace_id == "1-69658b00-000000000000000000000001");
  CHECK(begun.context.caller_segment.empty());
  CHECK_FALSE(begun.context.sampled);
  CHECK(begun.header ==
        "Root=1-69658b00-000000000000000000000001;Parent=0000000000000002;Sampled=0");
}

TEST_CASE("a caller's trace goes on, nested below its segment, with its lineage", "[trace]") {
  Scene scene;
  const auto begun =
      scene.tracer.begin("Root=" + kRoot + ";Parent=00000000000000ab;Sampled=1;Lineage=a87bd80c:1",
                         "f",
                         Tracing::pass_through);
  CHECK(begun.context.trace_id == kRoot);
  CHECK(begun.context.caller_segment == "00000000000000ab");
  CHECK(begun.context.sampled);
  CHECK(begun.header == "Root=" + kRoot + ";Parent=" + begun.context.invocation_segment +
                            ";Sampled=1;Lineage=a87bd80c:1");
  CHECK(begun.context.service_segment != begun.context.function_segment);
  CHECK(begun.context.function_segment != begun.context.invocation_segment);
}

TEST_CASE("a caller's decision to sample holds, whatever the function's mode", "[trace]") {
  Scene scene;
  for (const auto tracing : {Tracing::pass_through, Tracing::active}) {
    CHECK(scene.sampled("Root=" + kRoot + ";Sampled=1", tracing));
    CHECK_FALSE(scene.sampled("Root=" + kRoot + ";Sampled=0", tracing));
  }
}

TEST_CASE("what nobody has decided is sampled with active tracing alone", "[trace]") {
  Scene scene;
  CHECK_FALSE(scene.sampled("Root=" + kRoot, Tracing::pass_through));
  CHECK_FALSE(scene.sampled(std::nullopt, Tracing::pass_through));
  CHECK(scene.sampled("Root=" + kRoot + ";Sampled=?", Tracing::active));
  scene.clock.advance(1s);
  CHECK(scene.sampled(std::nullopt, Tracing::active));
}

TEST_CASE("of each function's requests the first in a second is sampled, and 5 % of the rest",
          "[trace]") {
  Scene scene;
  CHECK(scene.sampled(std::nullopt, Tracing::active));
  CHECK_FALSE(scene.sampled(std::nullopt, Tracing::active));
  CHECK(scene.tracer.begin(std::nullopt, "g", Tracing::active).context.sampled);
  scene.chance = 0.0499;
  CHECK(scene.sampled(std::nullopt, Tracing::active));
  scene.chance = kSampledRest;
  CHECK_FALSE(scene.sampled(std::nullopt, Tracing::active));
  scene.clock.advance(999ms);
  CHECK_FALSE(scene.sampled(std::nullopt, Tracing::active));
  scene.clock.advance(1ms);
  CHECK(scene.sampled(std::nullopt, Tracing::active));
}

TEST_CASE("an event's decision is made once, and its attempts share the trace", "[trace]") {
  Scene scene;
  const auto accepted = text_of(scene.tracer.decide(std::nullopt, "f", Tracing::active));
  const auto first = scene.tracer.begin(accepted, "f", Tracing::active);
  const auto second = scene.tracer.begin(accepted, "f", Tracing::active);
  CHECK(first.context.sampled);
  CHECK(second.context.sampled);
  CHECK(first.context.trace_id == second.context.trace_id);
  CHECK(first.context.function_segment != second.context.function_segment);
}
