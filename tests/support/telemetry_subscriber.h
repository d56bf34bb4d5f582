// A subscriber to telemetry inside the test: takes batches, holds them back or refuses them, as it
// is told.
#pragma once

#include "emulator/environment/telemetry_delivery.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tests {

// Any thread.
class BatchTaker {
 public:
  emulator::environment::TelemetryDelivery::Send send() {
    return
        [this](std::span<const std::string> events, const runtime_api::Interruption& interruption) {
          return take({events.begin(), events.end()}, interruption);
        };
  }

  // From the next batch on: whoever sends one waits.
  void hold() {
    change([this] { holding_ = true; });
  }
  void let_go() {
    change([this] { holding_ = false; });
  }
  // The next batches are refused.
  void fail(int batches) {
    change([this, batches] { to_fail_ = batches; });
  }

  void await_batches(std::size_t count) {
    await([this, count] { return batches_.size() >= count; });
  }
  void await_attempts(int count) {
    await([this, count] { return attempts_ >= count; });
  }
  void await_failures(int count) {
    await([this, count] { return failures_ >= count; });
  }
  void await_interruptions(int count) {
    await([this, count] { return interruptions_ >= count; });
  }
  // Until the delivery's thread has scheduled something that is due within that time.
  static void await_timer(const emulator::time::TimerQueue& timers,
                          const emulator::time::Clock& clock,
                          std::chrono::milliseconds within) {
    const auto latest = clock.monotonic_now() + within;
    for (;;) {
      const auto earliest = timers.earliest();
      if (earliest && *earliest <= latest) return;
      std::this_thread::yield();
    }
  }

  std::vector<std::vector<std::string>> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::vector<std::string> events() const {
    std::vector<std::string> all;
    for (auto& batch : batches()) all.insert(all.end(), batch.begin(), batch.end());
    return all;
  }
  int attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  int interruptions() const {
    const std::lock_guard lock(mutex_);
    return interruptions_;
  }

 private:
  tl::expected<void, std::string> take(std::vector<std::string> events,
                                       const runtime_api::Interruption& interruption) {
    std::unique_lock lock(mutex_);
    ++attempts_;
    changed_.notify_all();
    while (holding_) {
      // Both ends of the wait are conditions; neither has a descriptor and a variable in one.
      lock.unlock();
      const bool interrupted = is_raised(interruption);
      if (!interrupted) std::this_thread::yield();
      lock.lock();
      if (!interrupted) continue;
      ++interruptions_;
      changed_.notify_all();
      return tl::unexpected(std::string("interrupted"));
    }
    if (to_fail_ > 0) {
      --to_fail_;
      ++failures_;
      changed_.notify_all();
      return tl::unexpected(std::string("refused"));
    }
    batches_.push_back(std::move(events));
    changed_.notify_all();
    return {};
  }

  static bool is_raised(const runtime_api::Interruption& interruption) {
    pollfd look{.fd = interruption.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) == 1;
  }

  template <typename Change>
  void change(const Change& apply) {
    const std::lock_guard lock(mutex_);
    apply();
    changed_.notify_all();
  }
  template <typename Condition>
  void await(const Condition& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, condition);
  }

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool holding_ = false;
  int to_fail_ = 0;
  int attempts_ = 0;
  int failures_ = 0;
  int interruptions_ = 0;
  std::vector<std::vector<std::string>> batches_;
};

}  // namespace tests
