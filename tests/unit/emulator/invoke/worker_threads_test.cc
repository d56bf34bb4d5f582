#include "emulator/invoke/worker_threads.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using emulator::invoke::WorkerThreads;

namespace {

// Counts what is done, and lets a piece of work wait for that.
class Tally {
 public:
  // As a piece of work that is done once `needed` are under way or done.
  void work(std::size_t needed) {
    std::unique_lock lock(mutex_);
    ++begun_;
    most_at_once_ = std::max(most_at_once_, begun_ - done_);
    changed_.notify_all();
    changed_.wait(lock, [&] { return begun_ >= needed || released_; });
    ++done_;
    changed_.notify_all();
  }
  void await_begun(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= count; });
  }
  void await_done(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= count; });
  }
  // Everything that waits is done.
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  std::size_t begun() const {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  std::size_t done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  std::size_t most_at_once() const {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::size_t begun_ = 0;
  std::size_t done_ = 0;
  std::size_t most_at_once_ = 0;
  bool released_ = false;
};

}  // namespace

TEST_CASE("each piece of work that is offered is done once, by no more threads than the limit",
          "[events]") {
  constexpr std::size_t kPieces = 1000;
  Tally tally;
  WorkerThreads workers(3, [&] { tally.work(0); });
  workers.offer(kPieces / 2);
  workers.start();
  for (std::size_t i = 0; i < kPieces / 2; ++i) workers.offer(1);
  tally.await_done(kPieces);
  workers.stop();
  CHECK(tally.done() == kPieces);
  CHECK(tally.most_at_once() <= 3);
}

TEST_CASE("work that waits for other work gets a thread beside it", "[events]") {
  Tally tally;
  WorkerThreads workers(4, [&] { tally.work(4); });
  workers.start();
  SECTION("offered at once") { workers.offer(4); }
  SECTION("offered while the rest is under way") {
    for (std::size_t i = 1; i <= 4; ++i) {
      workers.offer(1);
      tally.await_begun(i);
    }
  }
  tally.await_done(4);
  CHECK(tally.most_at_once() == 4);
}

TEST_CASE("work may offer more work to the threads that do it", "[events]") {
  Tally tally;
  WorkerThreads* threads = nullptr;
  WorkerThreads workers(1, [&] {
    if (tally.begun() < 50) threads->offer(1);
    tally.work(0);
  });
  threads = &workers;
  workers.start();
  workers.offer(1);
  tally.await_done(51);
}

TEST_CASE("nothing is done before the start", "[events]") {
  Tally tally;
  {
    WorkerThreads workers(4, [&] { tally.work(0); });
    workers.offer(4);
  }
  CHECK(tally.begun() == 0);
}

TEST_CASE("a close lets work end that is under way, a stop waits for it, and no more is begun",
          "[events]") {
  Tally tally;
  WorkerThreads workers(2, [&] { tally.work(3); });
  workers.start();
  workers.offer(10);
  tally.await_begun(2);
  workers.close();
  workers.offer(1);
  CHECK(tally.done() == 0);
  tally.release();
  workers.stop();
  workers.stop();
  CHECK(tally.begun() == 2);
  CHECK(tally.done() == 2);
}
