// Where the time of a cold start goes, step by step, over many of them.
//
// Values and pure functions; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace emulator::app {

struct StepTime {
  std::string step;
  std::chrono::nanoseconds took{};
};

using StartTimes = std::vector<StepTime>;  // of one start, in their order

struct StepStatistics {
  std::string step;
  std::chrono::nanoseconds p50{};
  std::chrono::nanoseconds p90{};
  std::size_t starts = 0;  // in which the step occurred
  bool operator==(const StepStatistics&) const = default;
};

// Steps in the order in which they were first met; a step that occurs twice in a start counts with
// its sum. The last is the whole start, "total". Empty of nothing.
std::vector<StepStatistics> statistics(const std::vector<StartTimes>& starts);

std::string as_text(const std::vector<StepStatistics>& steps);
std::string as_json(const std::vector<StepStatistics>& steps);

}  // namespace emulator::app
