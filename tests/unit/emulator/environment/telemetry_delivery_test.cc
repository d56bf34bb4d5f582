#include "emulator/environment/telemetry_delivery.h"

#include "tests/support/manual_clock.h"
#include "tests/support/telemetry_subscriber.h"

#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::BatchTaker;

namespace {

const auto kForever = std::chrono::steady_clock::now() + 10min;

// A delivery to a subscriber inside the test, on a clock that the test moves.
struct Delivery {
  explicit Delivery(runtime_api::Buffering buffering = {.max_items = 1'000})
      : delivery(start(buffering)) {}

  std::unique_ptr<TelemetryDelivery> start(runtime_api::Buffering buffering) {
    runtime_api::Subscription subscription;
    subscription.buffering = buffering;
    return TelemetryDelivery::start(subscription,
                                    clock,
                                    timers,
                                    taker.send(),
                                    [this](const LogsDropped& loss) {
                                      const std::lock_guard lock(mutex);
                                      losses.push_back(loss);
                                    })
        .value();
  }
  void advance(std::chrono::milliseconds by) {
    clock.advance(by);
    timers.run_due();
  }
  void await_timer(std::chrono::milliseconds within) {
    BatchTaker::await_timer(timers, clock, within);
  }
  void give(int count, std::size_t bytes = 10) {
    for (int i = 0; i < count; ++i) delivery->give(std::string(bytes, 'x'));
  }

  tests::ManualClock clock;
  emulator::time::TimerQueue timers{clock, emulator::time::TimerDrive::by_hand};
  std::vector<LogsDropped> told() {
    const std::lock_guard lock(mutex);
    return losses;
  }

  BatchTaker taker;
  std::mutex mutex;  // guards the next
  std::vector<LogsDropped> losses;
  std::unique_ptr<TelemetryDelivery> delivery;
};

std::size_t mentions(const std::vector<std::string>& events, const std::string& text) {
  std::size_t count = 0;
  for (const auto& event : events) count += event.find(text) != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a batch goes out when it has its number of items", "[telemetry]") {
  Delivery d;
  d.give(999);
  d.give(1);
  d.taker.await_batches(1);
  CHECK(d.taker.batches().front().size() == 1'000);
}

TEST_CASE("a batch goes out when it has its number of bytes", "[telemetry]") {
  Delivery d;
  d.give(3, 100'000);
  d.taker.await_batches(1);
  CHECK(d.taker.batches().front().size() == 3);
}

TEST_CASE("a batch goes out when its oldest event is old enough", "[telemetry]") {
  Delivery d;
  d.give(1);
  d.advance(999ms);
  d.give(1);
  CHECK(d.taker.batches().empty());
  d.advance(1ms);
  d.taker.await_batches(1);
  CHECK(d.taker.batches().front().size() == 2);
  // The next one has a time of its own.
  d.give(1);
  d.advance(999ms);
  CHECK(d.taker.batches().size() == 1);
  d.advance(1ms);
  d.taker.await_batches(2);
}

TEST_CASE("what does not fit into a batch comes with the next", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(1'000);
  d.taker.await_attempts(1);
  d.give(1'500);
  d.taker.let_go();
  d.taker.await_batches(2);
  d.advance(1s);
  d.taker.await_batches(3);
  CHECK(d.taker.batches()[1].size() == 1'000);
  CHECK(d.taker.batches()[2].size() == 500);
}

TEST_CASE("a batch that did not arrive is tried again after a pause", "[telemetry]") {
  Delivery d;
  d.taker.fail(2);
  d.give(1'000);
  d.taker.await_attempts(1);
  d.await_timer(100ms);
  d.advance(100ms);
  d.taker.await_attempts(2);
  d.await_timer(200ms);
  d.advance(200ms);
  d.taker.await_batches(1);
  CHECK(d.delivery->await_empty(kForever));
  CHECK(d.delivery->counts().delivered == 1'000);
  CHECK(d.delivery->counts().dropped == 0);
}

TEST_CASE("a batch that never arrives is dropped, and told of once", "[telemetry]") {
  Delivery d;
  d.taker.fail(kMaxSendAttempts);
  d.give(1'000);
  for (int attempt = 1; attempt < kMaxSendAttempts; ++attempt) {
    d.taker.await_attempts(attempt);
    d.await_timer(attempt == 1 ? kFirstBackOff : kLongestBackOff);
    d.advance(kLongestBackOff);
  }
  d.taker.await_attempts(kMaxSendAttempts);
  d.delivery->hurry();
  d.taker.await_batches(1);
  REQUIRE(d.taker.events().size() == 1);
  CHECK(d.taker.events().front().find(R"("droppedRecords":1000,"droppedBytes":10000)") !=
        std::string::npos);
  CHECK(d.delivery->counts().dropped == 1'000);
  CHECK(d.delivery->counts().pending == 0);
}

TEST_CASE("a subscriber that does not take a batch in time is tried again", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(1'000);
  d.taker.await_attempts(1);
  d.advance(1s);  // the batch's own time, which is over
  d.await_timer(kSendPatience);
  d.advance(kSendPatience);
  d.taker.await_interruptions(1);
  d.taker.let_go();
  d.await_timer(kFirstBackOff);
  d.advance(kFirstBackOff);
  d.taker.await_batches(1);
}

TEST_CASE("beyond the queue's limit events are dropped, and each gap is told of once",
          "[telemetry]") {
  Delivery d;
  d.taker.hold();
  constexpr int kGiven = 100;
  constexpr std::size_t kBytes = 200'000;
  d.give(kGiven, kBytes);
  d.taker.await_attempts(1);
  CHECK(d.delivery->counts().dropped > 0);
  d.taker.let_go();
  d.delivery->hurry();
  CHECK(d.delivery->await_empty(kForever));
  const auto counts = d.delivery->counts();
  CHECK(counts.delivered + counts.dropped == kGiven);
  const auto events = d.taker.events();
  CHECK(mentions(events, "platform.logsDropped") == 1);
  CHECK(mentions(events,
                 "\"droppedRecords\":" + std::to_string(counts.dropped) +
                     ",\"droppedBytes\":" + std::to_string(counts.dropped * kBytes)) == 1);
  CHECK(events.size() == counts.delivered + 1);
  CHECK(counts.untold == 0);
  REQUIRE(d.told().size() == 1);
  CHECK(d.told().front().dropped_records == counts.dropped);
}

TEST_CASE("what is dropped stays untold until the subscriber has heard of it", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(100, 200'000);
  d.taker.await_attempts(1);
  const auto before = d.delivery->counts();
  CHECK(before.untold == before.dropped);
  CHECK(before.untold > 0);
  d.taker.let_go();
  d.delivery->hurry();
  CHECK(d.delivery->await_empty(kForever));
  CHECK(d.delivery->counts().untold == 0);
}

TEST_CASE("short events fill the queue by what they take, not by their bytes", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(300'000, 0);
  CHECK(d.delivery->counts().dropped > 0);
  d.taker.let_go();
}

TEST_CASE("while processes stand still nothing is sent and no patience is lost", "[telemetry]") {
  Delivery d;
  d.delivery->pause();
  d.give(1'000);
  d.advance(1min);
  CHECK(d.taker.attempts() == 0);
  d.taker.hold();
  d.delivery->resume();
  d.taker.await_attempts(1);
  d.await_timer(kSendPatience);
  d.delivery->pause();
  d.advance(1h);
  CHECK(d.taker.interruptions() == 0);
  CHECK_FALSE(d.delivery->await_empty(kForever));
  d.delivery->resume();
  d.taker.let_go();
  d.taker.await_batches(1);
}

TEST_CASE("a failure while processes stand still is none", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(1'000);
  for (int freeze = 1; freeze <= kMaxSendAttempts + 1; ++freeze) {
    d.taker.await_attempts(freeze);
    d.delivery->pause();
    d.taker.fail(1);
    d.taker.let_go();
    d.taker.await_failures(freeze);
    d.taker.hold();
    d.delivery->resume();
  }
  d.taker.let_go();
  d.taker.await_batches(1);
  CHECK(d.delivery->await_empty(kForever));
  CHECK(d.delivery->counts().delivered == 1'000);
}

TEST_CASE("a delivery that ends lets go of a subscriber that takes nothing", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(2'000);
  d.taker.await_attempts(1);
  d.delivery.reset();
  CHECK(d.taker.interruptions() == 1);
  d.advance(1min);  // its timers find nobody
}

TEST_CASE("nobody waits for a subscriber longer than asked", "[telemetry]") {
  Delivery d;
  d.taker.hold();
  d.give(1);
  d.delivery->hurry();
  d.taker.await_attempts(1);
  CHECK_FALSE(d.delivery->await_empty(std::chrono::steady_clock::now()));
  CHECK(d.delivery->counts().pending == 1);
}
