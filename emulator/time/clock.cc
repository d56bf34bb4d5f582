#include "emulator/time/clock.h"

namespace emulator::time {

std::chrono::steady_clock::time_point SystemClock::monotonic_now() const {
  return std::chrono::steady_clock::now();
}

std::chrono::system_clock::time_point SystemClock::wall_now() const {
  return std::chrono::system_clock::now();
}

}  // namespace emulator::time
