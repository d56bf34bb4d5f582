#include "emulator/app/cold_start_table.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <sstream>

using namespace emulator::app;
using namespace std::chrono_literals;

TEST_CASE("steps are told in the order they were met, and the whole last", "[cold-start]") {
  const auto steps = statistics({{{"clone", 10us}, {"mounts", 100us}, {"exec", 50us}},
                                 {{"clone", 30us}, {"filter", 5us}, {"exec", 70us}}});
  std::vector<std::string> names;
  for (const auto& step : steps) names.push_back(step.step);
  CHECK(names == std::vector<std::string>{"clone", "mounts", "exec", "filter", "total"});
  CHECK(steps[0] == StepStatistics{"clone", 10us, 30us, 2});
  CHECK(steps[3] == StepStatistics{"filter", 5us, 5us, 1});
  CHECK(steps[4] == StepStatistics{"total", 105us, 160us, 2});
}

TEST_CASE("half of the starts are below p50 and nine in ten below p90", "[cold-start]") {
  std::vector<StartTimes> starts;
  for (int i = 100; i >= 1; --i) starts.push_back({{"exec", std::chrono::microseconds{i}}});
  const auto steps = statistics(starts);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0] == StepStatistics{"exec", 50us, 90us, 100});
}

TEST_CASE("a step that occurs twice in a start counts with its sum", "[cold-start]") {
  const auto steps = statistics({{{"mount", 10us}, {"mount", 5us}}});
  REQUIRE(steps.size() == 2);
  CHECK(steps[0] == StepStatistics{"mount", 15us, 15us, 1});
  CHECK(steps[1].p50 == 15us);
}

TEST_CASE("of no starts nothing is told", "[cold-start]") { CHECK(statistics({}).empty()); }

TEST_CASE("a table of steps has a line for each, and columns", "[cold-start]") {
  const auto table = as_text(statistics({{{"namespaces", 1500ns}, {"exec", 2ms}}}));
  CHECK(table ==
        "step            p50 us      p90 us\n"
        "namespaces         1.5         1.5\n"
        "exec            2000.0      2000.0\n"
        "total           2001.5      2001.5\n");
}

TEST_CASE("steps are told to scripts in microseconds", "[cold-start]") {
  const auto json = nlohmann::json::parse(as_json(statistics({{{"exec", 1500ns}}})));
  REQUIRE(json["steps"].size() == 2);
  CHECK(json["steps"][0]["step"] == "exec");
  CHECK(json["steps"][0]["p50_us"] == 1.5);
  CHECK(json["steps"][0]["p90_us"] == 1.5);
  CHECK(json["steps"][0]["starts"] == 1);
}
