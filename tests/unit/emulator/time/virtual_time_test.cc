#include "emulator/time/virtual_time.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::time;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::system_clock::time_point kStart{1'768'262'400s};

void nothing() {}

// What happened, each with the moment of the clock at which it did.
class Trace {
 public:
  explicit Trace(const Clock& clock) : clock_(clock) {}
  void note(const std::string& what) {
    const auto at = clock_.wall_now() - kStart;
    lines_.push_back(std::to_string(std::chrono::duration_cast<std::chrono::seconds>(at).count()) +
                     " " + what);
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const Clock& clock_;
  std::vector<std::string> lines_;
};

}  // namespace

TEST_CASE("a virtual clock stands still until it is advanced, and both its times go on together") {
  VirtualTime time(kStart);
  const auto monotonic = time.clock().monotonic_now();
  CHECK(time.clock().wall_now() == kStart);
  REQUIRE(time.advance(90s, nothing) == 0U);
  CHECK(time.clock().wall_now() == kStart + 90s);
  CHECK(time.clock().monotonic_now() == monotonic + 90s);
}

TEST_CASE("due timers fire in order, each at its own moment and settled before the next") {
  VirtualTime time(kStart);
  Trace trace(time.clock());
  const auto now = time.clock().monotonic_now();
  time.timers().schedule(now + 30s, [&] { trace.note("third"); });
  time.timers().schedule(now + 10s, [&] { trace.note("first"); });
  time.timers().schedule(now + 10s, [&] { trace.note("second, of the same moment"); });
  time.timers().schedule(now + 61s, [&] { trace.note("later"); });
  CHECK(time.advance(1min, [&] { trace.note("settled"); }) == 3U);
  CHECK(trace.lines() == std::vector<std::string>{"10 first",
                                                  "10 settled",
                                                  "10 second, of the same moment",
                                                  "10 settled",
                                                  "30 third",
                                                  "30 settled"});
  CHECK(time.clock().wall_now() == kStart + 1min);
  CHECK(time.advance(1s, nothing) == 1U);
}

TEST_CASE("what an action or its consequences schedule on the way fires on the way") {
  VirtualTime time(kStart);
  Trace trace(time.clock());
  const auto now = time.clock().monotonic_now();
  auto& timers = time.timers();
  timers.schedule(now + 20s, [&] { trace.note("last"); });
  timers.schedule(now + 10s, [&] {
    trace.note("a");
    timers.schedule(time.clock().monotonic_now(), [&] { trace.note("for now"); });
    timers.schedule(now, [&] { trace.note("for a moment that has passed"); });
  });
  bool once = true;
  const auto fired = time.advance(1min, [&] {
    if (!std::exchange(once, false)) return;
    timers.schedule(time.clock().monotonic_now() + 5s, [&] { trace.note("by the consequences"); });
  });
  CHECK(fired == 5U);
  CHECK(trace.lines() == std::vector<std::string>{"10 a",
                                                  "10 for a moment that has passed",
                                                  "10 for now",
                                                  "15 by the consequences",
                                                  "20 last"});
}

TEST_CASE("an advance by nothing fires what is due already") {
  VirtualTime time(kStart);
  int ran = 0;
  time.timers().schedule(time.clock().monotonic_now(), [&] { ++ran; });
  time.timers().schedule(time.clock().monotonic_now() + 1ns, [&] { ++ran; });
  CHECK(time.advance(0ms, nothing) == 1U);
  CHECK(ran == 1);
}

TEST_CASE("a timer that is cancelled on the way does not fire") {
  VirtualTime time(kStart);
  const auto now = time.clock().monotonic_now();
  bool ran = false;
  const auto doomed = time.timers().schedule(now + 2s, [&] { ran = true; });
  time.timers().schedule(now + 1s, [&] { time.timers().cancel(doomed); });
  CHECK(time.advance(3s, nothing) == 1U);
  CHECK_FALSE(ran);
}

TEST_CASE("an advance that goes back or too far is refused with a sentence, and nothing moves") {
  VirtualTime time(kStart);
  bool ran = false;
  time.timers().schedule(time.clock().monotonic_now() + 1s, [&] { ran = true; });
  for (const auto by : {-1ms,
                        std::chrono::milliseconds{kLongestAdvance + 1ms},
                        std::chrono::milliseconds{1'000'000'000'000'000'000},
                        std::chrono::milliseconds::max(),
                        std::chrono::milliseconds::min()}) {
    CAPTURE(by.count());
    const auto refused = time.advance(by, nothing);
    REQUIRE_FALSE(refused);
    CHECK_FALSE(refused.error().message.empty());
  }
  CHECK(time.clock().wall_now() == kStart);
  CHECK_FALSE(ran);
}

TEST_CASE("a clock that is advanced again and again ends before its numbers do") {
  VirtualTime time(kStart);
  while (time.advance(kLongestAdvance, nothing)) {
  }
  CHECK(time.clock().wall_now() <= kLastMoment);
  CHECK(time.clock().wall_now() > kLastMoment - kLongestAdvance);
  CHECK(time.advance(0ms, nothing) == 0U);
}

TEST_CASE("one advance at a time: a second caller goes on from where the first one ended") {
  VirtualTime time(kStart);
  std::promise<void> inside;
  std::promise<void> go_on;
  Trace trace(time.clock());
  const auto now = time.clock().monotonic_now();
  time.timers().schedule(now + 1s, [&] { trace.note("in the first"); });
  time.timers().schedule(now + 12s, [&] { trace.note("in the second"); });
  std::thread first([&] {
    time.advance(10s, [&] {
      inside.set_value();
      go_on.get_future().wait();
    });
  });
  inside.get_future().wait();
  std::thread second([&] { time.advance(10s, [] {}); });
  go_on.set_value();
  first.join();
  second.join();
  CHECK(time.clock().wall_now() == kStart + 20s);
  CHECK(trace.lines() == std::vector<std::string>{"1 in the first", "12 in the second"});
}
