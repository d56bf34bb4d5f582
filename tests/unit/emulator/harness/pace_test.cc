#include "emulator/harness/pace.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::harness;
using namespace std::chrono_literals;

namespace {

EventTime at(std::chrono::milliseconds offset) { return EventTime{1'768'262'400s + offset}; }

}  // namespace

TEST_CASE("a pace is asap, recorded or a factor", "[harness]") {
  CHECK_FALSE(parse_pace("asap")->factor);
  CHECK(parse_pace("recorded")->factor == 1.0);
  CHECK(parse_pace("2x")->factor == 2.0);
  CHECK(parse_pace("2×")->factor == 2.0);
  CHECK(parse_pace("0.5x")->factor == 0.5);
  for (const std::string text :
       {"", "x", "2", "-1x", "0x", "nanx", "infx", "1e9x", "2xx", "fast"}) {
    INFO(text);
    const auto pace = parse_pace(text);
    REQUIRE_FALSE(pace);
    CHECK(pace.error().message.find("recorded") != std::string::npos);
  }
}

TEST_CASE("events are due as far from the first as they were recorded", "[harness]") {
  Schedule schedule(*parse_pace("recorded"));
  CHECK(schedule.due(at(0ms)) == 0ms);
  CHECK(schedule.due(at(1500ms)) == 1500ms);
  CHECK(schedule.due(at(1500ms)) == 1500ms);
  Schedule faster(*parse_pace("4x"));
  faster.due(at(0ms));
  CHECK(faster.due(at(1000ms)) == 250ms);
  Schedule slower(*parse_pace("0.5x"));
  slower.due(at(0ms));
  CHECK(slower.due(at(1000ms)) == 2000ms);
}

TEST_CASE("an event without a time or with an earlier one follows at once", "[harness]") {
  Schedule schedule(*parse_pace("recorded"));
  CHECK(schedule.due({}) == 0ms);
  CHECK(schedule.due(at(0ms)) == 0ms);
  CHECK(schedule.due(at(2000ms)) == 2000ms);
  CHECK(schedule.due({}) == 2000ms);
  CHECK(schedule.due(at(-9000ms)) == 2000ms);
  CHECK(schedule.due(at(1000ms)) == 2000ms);
  CHECK(schedule.due(at(3000ms)) == 3000ms);
}

TEST_CASE("as soon as possible is at once", "[harness]") {
  Schedule schedule(*parse_pace("asap"));
  CHECK_FALSE(schedule.needs_times());
  CHECK(schedule.due(at(0ms)) == 0ms);
  CHECK(schedule.due(at(5000ms)) == 0ms);
}
