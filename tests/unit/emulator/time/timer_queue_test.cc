#include "emulator/time/timer_queue.h"

#include "tests/support/manual_clock.h"

#include <catch2/catch_test_macros.hpp>

#include <condition_variable>
#include <vector>

using namespace emulator::time;
using namespace std::chrono_literals;

TEST_CASE("timers run in the order of their deadlines, and only when due") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  std::vector<int> ran;
  const auto now = clock.monotonic_now();
  timers.schedule(now + 2s, [&] { ran.push_back(2); });
  timers.schedule(now + 1s, [&] { ran.push_back(1); });
  timers.schedule(now + 3s, [&] { ran.push_back(3); });
  CHECK(timers.run_due() == 0);
  clock.advance(2s);
  CHECK(timers.run_due() == 2);
  CHECK(ran == std::vector{1, 2});
}

TEST_CASE("a cancelled timer never runs, and cancelling twice says so") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  bool ran = false;
  const auto id = timers.schedule(clock.monotonic_now(), [&] { ran = true; });
  CHECK(timers.cancel(id));
  CHECK_FALSE(timers.cancel(id));
  CHECK(timers.run_due() == 0);
  CHECK_FALSE(ran);
}

TEST_CASE("an action may schedule what is due at once, and it runs in the same turn") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  int ran = 0;
  timers.schedule(clock.monotonic_now(), [&] {
    ++ran;
    timers.schedule(clock.monotonic_now(), [&] { ++ran; });
  });
  CHECK(timers.run_due() == 2);
  CHECK(ran == 2);
}

TEST_CASE("the queue's own thread runs an earlier timer that came after a later one") {
  SystemClock clock;
  TimerQueue timers(clock, TimerDrive::own_thread);
  std::mutex mutex;
  std::condition_variable changed;
  bool ran = false;
  timers.schedule(clock.monotonic_now() + 1h, [] {});
  timers.schedule(clock.monotonic_now(), [&] {
    const std::lock_guard lock(mutex);
    ran = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ran; });
  CHECK(ran);
}

TEST_CASE("timers can be run one by one, and tell when the next one is due") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  CHECK_FALSE(timers.earliest());
  CHECK_FALSE(timers.run_first_due());
  std::vector<int> ran;
  const auto now = clock.monotonic_now();
  timers.schedule(now + 2s, [&] { ran.push_back(2); });
  timers.schedule(now + 1s, [&] { ran.push_back(1); });
  CHECK(timers.earliest() == now + 1s);
  CHECK_FALSE(timers.run_first_due());
  clock.advance(5s);
  CHECK(timers.run_first_due());
  CHECK(ran == std::vector{1});
  CHECK(timers.earliest() == now + 2s);
}

TEST_CASE("timers of one moment run in the order in which they were scheduled") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  std::vector<int> ran;
  for (int i = 0; i < 5; ++i) {
    timers.schedule(clock.monotonic_now(), [&ran, i] { ran.push_back(i); });
  }
  CHECK(timers.run_due() == 5);
  CHECK(ran == std::vector{0, 1, 2, 3, 4});
}
