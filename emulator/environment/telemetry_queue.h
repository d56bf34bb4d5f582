// What one subscriber is still to be told, in batches, and the count of what it never will be. The
// part of a delivery that neither waits nor sends.
//
// What is lost is told: a gap is whatever is dropped from one batch's taking to the next, and each
// gap is followed by exactly one platform.logsDropped with its counts. Where that event is itself
// lost, the next one has its counts as well.
//
// Not for several threads at once; the functions beside the class are pure.
#pragma once

#include "emulator/environment/telemetry_event.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"
#include "runtime_api/telemetry_subscription.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace emulator::environment {

// Held of one subscription's events at a time, the batch that is on its way included. Our choice:
// eight times the largest batch, and most of a second of 10 MB/s.
inline constexpr std::size_t kMaxQueuedBytes = std::size_t{8} << 20;

// What an event counts for whose text is still to be made; a platform event has from 150 to 700
// bytes.
inline constexpr std::size_t kAssumedEventBytes = 512;

struct DeliveryCounts {
  std::uint64_t delivered = 0;  // events that the subscriber has for certain
  std::uint64_t dropped = 0;
  std::uint64_t pending = 0;
  // Of those dropped, how many no platform.logsDropped has told the subscriber of for certain.
  std::uint64_t untold = 0;
};

struct TelemetryLoss {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

struct QueuedTelemetry {
  using TimePoint = time::TimerQueue::TimePoint;

  std::string json;
  SharedEvent event{};  // in place of the text
  std::size_t texts = 1;
  TimePoint given{};
  bool tells_loss = false;  // a platform.logsDropped of ours
  TelemetryLoss lost{};     // which it tells of

  std::size_t size() const { return event ? kAssumedEventBytes * texts : json.size(); }
  // Short lines cost more for what surrounds them than for themselves.
  std::size_t cost() const { return size() + sizeof(QueuedTelemetry); }
};

// A batch as it is sent, and what is lost if it does not arrive.
struct TelemetryBatch {
  std::vector<std::string> texts;
  TelemetryLoss at_stake;
  std::uint64_t told = 0;  // of losses before it
};
TelemetryBatch made_batch(std::vector<QueuedTelemetry> items, runtime_api::TelemetrySchema schema);

class TelemetryQueue {
 public:
  using TimePoint = QueuedTelemetry::TimePoint;

  // `clock` must outlive it.
  TelemetryQueue(const runtime_api::Subscription& subscription, const time::Clock& clock);

  // False: it is dropped, for there is no room, nor was there since the last batch was taken.
  bool accept(QueuedTelemetry item);
  void drop(const QueuedTelemetry& item);

  // The next platform.logsDropped tells of these as well; they were never given.
  void count_dropped(TelemetryLoss loss);

  // The gap ends here because there is room again. What tells of it has its place after everything
  // that was taken in before the first loss, and before everything that follows.
  void close_gap();

  bool empty() const { return items_.empty(); }
  bool is_in_flight() const { return in_flight_cost_ > 0; }
  bool has_full_batch() const;
  TimePoint oldest() const { return items_.front().given; }  // of one that is not empty

  // Closes the gap. What is taken is in flight until one of the two that follow.
  std::vector<QueuedTelemetry> take_batch();
  void arrived(const TelemetryBatch& batch);
  void never_arrived(const TelemetryBatch& batch, const std::string& reason);

  // Losses that the subscriber is to be told of, each once.
  std::vector<LogsDropped> take_losses();

  DeliveryCounts counts() const;

 private:
  QueuedTelemetry loss_item(TelemetryLoss loss, std::string reason);

  const runtime_api::Buffering buffering_;
  const runtime_api::TelemetrySchema schema_;
  const time::Clock& clock_;
  std::deque<QueuedTelemetry> items_;
  std::size_t cost_ = 0;
  std::int64_t bytes_ = 0;
  std::uint64_t events_ = 0;  // without those that tell a loss
  std::size_t in_flight_cost_ = 0;
  std::uint64_t in_flight_events_ = 0;  // the same
  std::uint64_t delivered_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t told_ = 0;  // of those dropped, by what the subscriber has
  std::vector<LogsDropped> losses_;
  TelemetryLoss gap_;
  bool gap_open_ = false;
};

}  // namespace emulator::environment
