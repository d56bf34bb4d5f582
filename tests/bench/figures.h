// Figures of a measurement, and how they are told.
#pragma once

#include "tests/bench/measured_program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace bench {

inline double milliseconds(Nanoseconds value) {
  return std::chrono::duration<double, std::milli>(value).count();
}

// The value below which `percent` of them lie; 0 of none.
inline double at_percent(std::vector<double> values, double percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = std::ceil(percent / 100.0 * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

inline void title(const std::string& text) { std::printf("\n%s\n", text.c_str()); }

}  // namespace bench
