// The range of --cpu-scale.
#pragma once

namespace emulator::app {

// Our choice: further from Lambda no host is, and a quota still has a meaning.
inline constexpr double kSmallestCpuScale = 0.01;
inline constexpr double kLargestCpuScale = 100;

}  // namespace emulator::app
