#include "emulator/environment/telemetry_queue.h"

#include <iterator>
#include <string_view>
#include <utility>

namespace emulator::environment {
namespace {

constexpr std::string_view kTooSlow = "Some logs were dropped because the subscriber is too slow";

std::size_t total_size(const std::vector<std::string>& texts) {
  std::size_t sum = 0;
  for (const auto& text : texts) sum += text.size();
  return sum;
}

}  // namespace

TelemetryBatch made_batch(std::vector<QueuedTelemetry> items, runtime_api::TelemetrySchema schema) {
  TelemetryBatch batch;
  batch.texts.reserve(items.size());
  for (auto& item : items) {
    auto texts = item.event ? json_texts(*item.event, schema)
                            : std::vector<std::string>{std::move(item.json)};
    batch.told += item.lost.records;
    batch.at_stake.records += item.tells_loss ? item.lost.records : texts.size();
    batch.at_stake.bytes += item.tells_loss ? item.lost.bytes : total_size(texts);
    std::move(texts.begin(), texts.end(), std::back_inserter(batch.texts));
  }
  return batch;
}

TelemetryQueue::TelemetryQueue(const runtime_api::Subscription& subscription,
                               const time::Clock& clock)
    : buffering_(subscription.buffering), schema_(subscription.schema), clock_(clock) {}

// ---- In.

bool TelemetryQueue::accept(QueuedTelemetry item) {
  if (gap_open_ || cost_ + in_flight_cost_ + item.cost() > kMaxQueuedBytes) {
    drop(item);
    return false;
  }
  cost_ += item.cost();
  bytes_ += static_cast<std::int64_t>(item.size());
  events_ += item.texts;
  items_.push_back(std::move(item));
  return true;
}

void TelemetryQueue::drop(const QueuedTelemetry& item) {
  gap_open_ = true;
  // Only what is lost is counted to the byte.
  count_dropped(
      {item.texts, item.event ? total_size(json_texts(*item.event, schema_)) : item.json.size()});
}

void TelemetryQueue::count_dropped(TelemetryLoss loss) {
  dropped_ += loss.records;
  gap_.records += loss.records;
  gap_.bytes += loss.bytes;
}

void TelemetryQueue::close_gap() {
  gap_open_ = false;
  if (gap_.records == 0) return;
  auto item = loss_item(std::exchange(gap_, {}), std::string(kTooSlow));
  cost_ += item.cost();
  bytes_ += static_cast<std::int64_t>(item.size());
  items_.push_back(std::move(item));
}

// ---- Out.

bool TelemetryQueue::has_full_batch() const {
  return static_cast<std::int64_t>(items_.size()) >= buffering_.max_items ||
         bytes_ >= buffering_.max_bytes;
}

std::vector<QueuedTelemetry> TelemetryQueue::take_batch() {
  close_gap();
  std::vector<QueuedTelemetry> batch;
  std::int64_t bytes = 0;
  while (!items_.empty() && static_cast<std::int64_t>(batch.size()) < buffering_.max_items &&
         bytes < buffering_.max_bytes) {
    auto& item = items_.front();
    bytes += static_cast<std::int64_t>(item.size());
    cost_ -= item.cost();
    in_flight_cost_ += item.cost();
    if (!item.tells_loss) in_flight_events_ += item.texts;
    batch.push_back(std::move(item));
    items_.pop_front();
  }
  bytes_ -= bytes;
  events_ -= in_flight_events_;
  return batch;
}

void TelemetryQueue::arrived(const TelemetryBatch& batch) {
  delivered_ += std::exchange(in_flight_events_, 0);
  told_ += batch.told;
  in_flight_cost_ = 0;
}

void TelemetryQueue::never_arrived(const TelemetryBatch& batch, const std::string& reason) {
  dropped_ += std::exchange(in_flight_events_, 0);
  in_flight_cost_ = 0;
  auto item = loss_item(batch.at_stake, "Some logs could not be delivered: " + reason);
  cost_ += item.cost();
  bytes_ += static_cast<std::int64_t>(item.size());
  items_.push_front(std::move(item));
}

QueuedTelemetry TelemetryQueue::loss_item(TelemetryLoss loss, std::string reason) {
  losses_.push_back(
      {.reason = std::move(reason), .dropped_records = loss.records, .dropped_bytes = loss.bytes});
  const TelemetryEvent event{clock_.wall_now(), losses_.back()};
  return {.json = json_texts(event, schema_).front(),
          .given = clock_.monotonic_now(),
          .tells_loss = true,
          .lost = loss};
}

std::vector<LogsDropped> TelemetryQueue::take_losses() { return std::exchange(losses_, {}); }

DeliveryCounts TelemetryQueue::counts() const {
  return {.delivered = delivered_,
          .dropped = dropped_,
          .pending = events_ + in_flight_events_,
          .untold = dropped_ - told_};
}

}  // namespace emulator::environment
