// How much is under way that nobody waits for: events that run or could run, deliveries on their
// way. Whoever moves the clock waits here until what a moment caused is over.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace emulator::invoke {

// Any thread. What causes something further begins that before it ends itself, so that none under
// way means that all consequences are over.
class Activity {
 public:
  void begin(std::size_t count = 1) {
    const std::lock_guard lock(mutex_);
    under_way_ += count;
  }

  void end(std::size_t count = 1) {
    const std::lock_guard lock(mutex_);
    under_way_ -= count;
    if (under_way_ == 0) none_.notify_all();
  }

  // Blocks until nothing is under way. What waits for a moment to come does not count.
  void await_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return under_way_ == 0; });
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::condition_variable none_;
  std::size_t under_way_ = 0;
};

}  // namespace emulator::invoke
