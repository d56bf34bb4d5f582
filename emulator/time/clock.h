// Where time comes from. Everything below app/ is handed a Clock and never asks the system itself,
// so that tests decide what time it is.
#pragma once

#include <chrono>

namespace emulator::time {

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // For durations and deadlines; never goes back.
  virtual std::chrono::steady_clock::time_point monotonic_now() const = 0;

  // For what people and functions read.
  virtual std::chrono::system_clock::time_point wall_now() const = 0;
};

// The host's own clocks.
class SystemClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point monotonic_now() const override;
  std::chrono::system_clock::time_point wall_now() const override;
};

}  // namespace emulator::time
