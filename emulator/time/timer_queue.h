// "Call me at a deadline." One thread serves every timer of the emulator; under a clock that a test
// moves there is no thread, and run_due() is called by whoever moved it.
#pragma once

#include "emulator/time/clock.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace emulator::time {

enum class TimerDrive { own_thread, by_hand };

// Any thread. Actions run one at a time, in order of their deadlines and, where those are the same,
// of being scheduled, with no lock held; an action may schedule and cancel. An action must be
// short: it delays every later one.
class TimerQueue {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Action = std::function<void()>;
  enum class TimerId : std::uint64_t {};

  // `clock` must outlive the queue.
  TimerQueue(const Clock& clock, TimerDrive drive);
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();  // forgets what is not due and waits for a running action

  TimerId schedule(TimePoint deadline, Action action);

  // False when the action has run, is running or was never scheduled.
  bool cancel(TimerId id);

  // Runs what is due by the clock, including what that makes due. Returns how many ran.
  std::size_t run_due();

  // Runs the first of what is due by the clock. False: nothing is.
  bool run_first_due();

  // The deadline of the next one, due or not.
  std::optional<TimePoint> earliest() const;

 private:
  using Key = std::pair<TimePoint, TimerId>;
  void serve(const std::stop_token& stop);

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  std::map<Key, Action> timers_;
  std::map<TimerId, TimePoint> deadlines_;
  std::uint64_t last_id_ = 0;
  TimePoint sleeping_until_ = TimePoint::min();
  std::jthread thread_;
};

}  // namespace emulator::time
