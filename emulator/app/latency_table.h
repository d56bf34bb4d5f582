// What a repeated invocation came to: latencies, cold starts and errors.
//
// Values and pure functions; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace emulator::app {

struct Repetition {
  std::vector<std::chrono::nanoseconds> latencies;  // of every call, in any order
  std::map<std::string, std::size_t> errors;        // by error type
  std::size_t cold_starts = 0;
  std::chrono::nanoseconds elapsed{};
};

// The value below which `percent` of the sorted values lie (nearest rank). Zero of nothing.
std::chrono::nanoseconds percentile(const std::vector<std::chrono::nanoseconds>& sorted,
                                    double percent);

std::string as_table(Repetition repetition);
std::string as_json(Repetition repetition);

}  // namespace emulator::app
