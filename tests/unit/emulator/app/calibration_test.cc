#include "emulator/app/calibration.h"

#include "emulator/app/cpu_scale.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace emulator::app;
using namespace std::chrono_literals;

namespace {

// A clock of the CPU by which the runs take these times, one after another, and then the last.
CalibrationPlan plan_with(std::vector<std::chrono::nanoseconds> runs) {
  return {.cpu_time = [runs = std::move(runs),
                       reads = std::size_t{0},
                       now = std::chrono::nanoseconds{}]() mutable {
    if (reads % 2 == 1) now += runs[std::min(reads / 2, runs.size() - 1)];
    ++reads;
    return now;
  }};
}

Calibration taking(std::chrono::nanoseconds here) { return {.here = here, .runs = 3}; }

}  // namespace

TEST_CASE("primes are counted", "[calibration]") {
  const std::pair<std::uint32_t, std::uint32_t> known[] = {
      {0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {9, 4}, {25, 9}, {100, 25}, {10'000, 1229}};
  for (const auto& [last, primes] : known) {
    CAPTURE(last);
    CHECK(count_primes(last) == primes);
  }
}

TEST_CASE("the yardstick's work is all of it", "[calibration]") {
  CHECK(count_primes(kLastNumber) == kPrimesToLast);
}

TEST_CASE("a calibration tells the median of its runs", "[calibration]") {
  auto plan = plan_with({3s, 1s, 2s});
  plan.budget = 1s;
  const auto calibration = calibrate(plan);
  CHECK(calibration.runs == 3);
  CHECK(calibration.here == 2s);
  CHECK(calibration.on_lambda == 850ms);
}

TEST_CASE("a calibration runs until its budget is spent and tells how far it is", "[calibration]") {
  auto plan = plan_with({500ms});
  plan.budget = 3s;
  std::vector<double> told;
  plan.progress = [&](double done) { told.push_back(done); };
  CHECK(calibrate(plan).runs == 6);
  REQUIRE(told.size() == 6);
  CHECK(told.front() > 0);
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.back() == 1.0);
}

TEST_CASE("a clock that stands still does not hold a calibration for ever", "[calibration]") {
  auto plan = plan_with({0s});
  plan.budget = 30ms;
  const auto calibration = calibrate(plan);
  CHECK(calibration.runs == 3);
  CHECK(cpu_scale(calibration) == kSmallestCpuScale);
}

TEST_CASE("a host that is faster than Lambda needs less of its CPU", "[calibration]") {
  CHECK(cpu_scale(taking(850ms)) == 1.0);
  CHECK(cpu_scale(taking(425ms)) == 0.5);
  CHECK(cpu_scale(taking(1700ms)) == 2.0);
  CHECK(std::abs(cpu_scale(taking(187ms)) - 0.22) < 1e-9);
  CHECK(std::abs(cpu_scale(taking(2900ms)) - 3.4) < 1e-9);
  // With that factor the work takes as long here as there: time / (share × factor).
  for (const auto here : {100ms, 300ms, 850ms, 2000ms}) {
    const double seconds = std::chrono::duration<double>(here).count() / cpu_scale(taking(here));
    CHECK(std::abs(seconds - 0.85) < 0.85 * 0.05);
  }
}

TEST_CASE("a factor keeps within what --cpu-scale takes", "[calibration]") {
  CHECK(cpu_scale(taking(1ms)) == kSmallestCpuScale);
  CHECK(cpu_scale(taking(1h)) == kLargestCpuScale);
}

TEST_CASE("what was measured on Lambda takes the place of AWS's figure", "[calibration]") {
  auto calibration = taking(400ms);
  calibration.on_lambda = 400ms;
  CHECK(cpu_scale(calibration) == 1.0);
}

TEST_CASE("a calibration is told with the flag to use", "[calibration]") {
  CHECK(as_text(taking(425ms)).find("\n  --cpu-scale 0.5\n") != std::string::npos);
  const auto json = nlohmann::json::parse(as_json(taking(425ms)));
  CHECK(json["seconds_here"] == 0.425);
  CHECK(json["seconds_on_lambda"] == 0.85);
  CHECK(json["runs"] == 3);
  CHECK(json["cpu_scale"] == 0.5);
}

TEST_CASE("AWS's figure is told with what is wrong with it, a measured one without",
          "[calibration]") {
  auto calibration = taking(425ms);
  CHECK(as_text(calibration).find("--lambda-seconds") != std::string::npos);
  calibration.on_lambda = 800ms;
  CHECK(as_text(calibration).find("--lambda-seconds") == std::string::npos);
  CHECK(as_text(calibration).find("0.800 s on Lambda with 1769 MB.") != std::string::npos);
}
