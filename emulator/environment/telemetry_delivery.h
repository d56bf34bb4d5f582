// Brings events to one subscriber: buffers them, sends full or old batches on a thread of its own,
// tries again, and counts what it must drop. Nobody who has an event to give ever waits.
//
// At any time, of the events that were given: delivered + dropped + pending is all of them. Whoever
// ends a delivery asks it what was left.
#pragma once

#include "emulator/environment/telemetry_event.h"
#include "emulator/environment/telemetry_queue.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"
#include "runtime_api/telemetry_channel.h"
#include "runtime_api/telemetry_subscription.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>

namespace emulator::environment {

// One batch is tried this often. Our choice: with the pauses below it takes some three seconds,
// which outlasts a garbage collection and not the patience of whoever reads the log.
inline constexpr int kMaxSendAttempts = 6;
inline constexpr std::chrono::milliseconds kFirstBackOff{100};
inline constexpr std::chrono::milliseconds kLongestBackOff{1'600};

// A subscriber that has not taken a batch after this time is tried again. Our choice: an extension
// shares a fraction of one CPU with the function at 128 MB.
inline constexpr std::chrono::milliseconds kSendPatience{5'000};

// Any thread, except where it says otherwise.
class TelemetryDelivery {
 public:
  using TimePoint = time::TimerQueue::TimePoint;
  // Sends a batch and blocks until it has arrived; ends soon after the interruption is raised.
  // Called on the delivery's thread only.
  using Send = std::function<tl::expected<void, std::string>(
      std::span<const std::string> events, const runtime_api::Interruption& interruption)>;

  // Each platform.logsDropped that the subscriber is to have, for others to know; on the delivery's
  // thread, with no lock held. May be empty.
  using TellLoss = std::function<void(const LogsDropped&)>;

  // `clock` and `timers` must outlive the delivery; its timers do nothing but wake it. Fails where
  // the host has no thread or descriptor left, with a sentence.
  static tl::expected<std::unique_ptr<TelemetryDelivery>, std::string> start(
      runtime_api::Subscription subscription,
      const time::Clock& clock,
      time::TimerQueue& timers,
      Send send,
      TellLoss tell_loss);
  TelemetryDelivery(const TelemetryDelivery&) = delete;
  TelemetryDelivery& operator=(const TelemetryDelivery&) = delete;

  // Ends what is under way and forgets what is pending.
  ~TelemetryDelivery();

  const runtime_api::Subscription& subscription() const { return subscription_; }

  // Never blocks. `json` is one event's text in the subscription's schema. Beyond the limit it is
  // dropped, with its number of bytes.
  void give(std::string json);

  // The same for an event whose text is made on the delivery's thread, because invocations are on
  // the way of whoever gives it. For the limits it counts as kAssumedEventBytes.
  void give(const SharedEvent& event);

  // The next platform.logsDropped tells of these as well; they were never given.
  void count_dropped(std::uint64_t records, std::uint64_t bytes);

  // Between the two nothing is sent, and no time counts: neither that of a batch which is on its
  // way nor that of a back-off. Both return at once.
  void pause();
  void resume();

  // From here on nothing waits for a batch to be full.
  void hurry();

  // After hurry(): blocks until the subscriber has all that was given, or the deadline has passed.
  // False: it has not. Does not wait while paused.
  bool await_empty(TimePoint deadline);

  DeliveryCounts counts() const;

 private:
  struct Shared;
  TelemetryDelivery(runtime_api::Subscription subscription, std::shared_ptr<Shared> shared);

  const runtime_api::Subscription subscription_;
  // Timers that outlive the delivery still find it, and that it has ended.
  const std::shared_ptr<Shared> shared_;
  std::jthread thread_;
};

}  // namespace emulator::environment
