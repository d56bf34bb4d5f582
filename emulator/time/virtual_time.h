// Time that stands still until somebody moves it on, so that what takes hours is tested in
// milliseconds, and twice gives the same trace.
#pragma once

#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>

namespace emulator::time {

// The farthest that one advance may go. Our choice: longer than anything that the service promises
// to do later, and short enough that a slip of three zeros is noticed.
inline constexpr std::chrono::milliseconds kLongestAdvance = std::chrono::hours{24 * 366};

// The clock does not pass this moment, 2200-01-01. Our choice: what counts nanoseconds in 64 bits
// ends in 2262, and a deadline is set years ahead at most.
inline constexpr std::chrono::system_clock::time_point kLastMoment{
    std::chrono::seconds{7'258'118'400}};

// Any thread. Only the VirtualTime that owns it moves it.
class VirtualClock final : public Clock {
 public:
  // The monotonic time starts at nothing, whatever the host's is.
  explicit VirtualClock(std::chrono::system_clock::time_point wall_start)
      : wall_start_(wall_start) {}

  std::chrono::steady_clock::time_point monotonic_now() const override;
  std::chrono::system_clock::time_point wall_now() const override;

 private:
  friend class VirtualTime;
  void move_to(std::chrono::steady_clock::time_point now);

  const std::chrono::system_clock::time_point wall_start_;
  mutable std::mutex mutex_;  // guards what follows
  std::chrono::steady_clock::time_point now_;
};

// An advance that is not made; `message` says why and what may be asked.
struct AdvanceRefused {
  std::string message;
};

// A clock and the timers that hang on it. Any thread.
class VirtualTime {
 public:
  explicit VirtualTime(std::chrono::system_clock::time_point wall_start);
  VirtualTime(const VirtualTime&) = delete;
  VirtualTime& operator=(const VirtualTime&) = delete;
  ~VirtualTime() = default;

  const Clock& clock() const { return clock_; }

  // Run only by advance(). What is scheduled for a moment that has come waits for the next one,
  // which may be an advance by nothing.
  TimerQueue& timers() { return timers_; }

  // Moves the clock on. Timers that are due on the way fire in order of their deadlines, those of
  // one moment in the order in which they were scheduled, each at its own moment; `settle` is
  // called after each, before the next. What an action schedules on the way fires on the way. At
  // the end the clock stands at the end. Returns how many fired.
  //
  // One advance at a time: a second caller waits until the first is done. Not from an action or
  // from `settle`, which would wait for itself. Refused: back in time, beyond kLongestAdvance, or
  // past kLastMoment; nothing moves then.
  tl::expected<std::size_t, AdvanceRefused> advance(std::chrono::milliseconds by,
                                                    const std::function<void()>& settle);

 private:
  class Turn;

  VirtualClock clock_;
  TimerQueue timers_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable advanced_;
  bool advancing_ = false;
};

}  // namespace emulator::time
