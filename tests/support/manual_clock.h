// A clock that stands still until the test moves it. Any thread.
#pragma once

#include "emulator/time/clock.h"

#include <mutex>

namespace tests {

class ManualClock final : public emulator::time::Clock {
 public:
  std::chrono::steady_clock::time_point monotonic_now() const override {
    const std::lock_guard lock(mutex_);
    return monotonic_;
  }
  std::chrono::system_clock::time_point wall_now() const override {
    const std::lock_guard lock(mutex_);
    return wall_;
  }
  void advance(std::chrono::nanoseconds by) {
    const std::lock_guard lock(mutex_);
    monotonic_ += by;
    wall_ += std::chrono::duration_cast<std::chrono::system_clock::duration>(by);
  }

 private:
  mutable std::mutex mutex_;
  std::chrono::steady_clock::time_point monotonic_{std::chrono::hours{1}};
  std::chrono::system_clock::time_point wall_{std::chrono::seconds{1'768'262'400}};
};

}  // namespace tests
