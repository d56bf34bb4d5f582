#include "emulator/environment/telemetry_delivery.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace emulator::environment {
namespace {

using std::chrono::milliseconds;
using TimePoint = time::TimerQueue::TimePoint;

constexpr std::string_view kTooSlow = "Some logs were dropped because the subscriber is too slow";

struct Item {
  std::string json;
  TimePoint given;
  bool tells_loss = false;         // a platform.logsDropped of ours
  std::uint64_t lost_records = 0;  // which it tells of
  std::uint64_t lost_bytes = 0;

  // Short lines cost more for what surrounds them than for themselves.
  std::size_t cost() const { return json.size() + sizeof(Item); }
};

struct Loss {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

}  // namespace

// The queue and its thread's work. Its timers hold it weakly, and only set what is waited for.
struct TelemetryDelivery::Shared : std::enable_shared_from_this<Shared> {
  Shared(const runtime_api::Subscription& subscription,
         const time::Clock& clock_in,
         time::TimerQueue& timers_in,
         Send send_in,
         TellLoss tell_loss_in,
         std::unique_ptr<runtime_api::Interruption> interruption_in)
      : buffering(subscription.buffering),
        schema(subscription.schema),
        clock(clock_in),
        timers(timers_in),
        send(std::move(send_in)),
        tell_loss(std::move(tell_loss_in)),
        interruption(std::move(interruption_in)) {}

  // On the delivery's thread.
  void serve();
  void run();
  void send_batch(std::vector<Item> batch, std::unique_lock<std::mutex>& lock);
  bool try_to_send(std::span<const std::string> texts,
                   std::string& reason,
                   std::unique_lock<std::mutex>& lock);
  void back_off(milliseconds length, std::unique_lock<std::mutex>& lock);
  void tell_losses(std::unique_lock<std::mutex>& lock);

  // With the mutex held.
  bool batch_ready() const;
  std::vector<Item> take_batch();
  void close_gap();
  Item loss_item(Loss loss, std::string reason);
  bool is_empty() const { return queue.empty() && in_flight_cost == 0; }
  bool begin_step(milliseconds length);

  // Without it.
  void schedule_age(TimePoint when);
  void age_reached();
  time::TimerQueue::TimerId schedule_step(std::uint64_t generation, milliseconds length);
  void step_over(std::uint64_t generation);

  const runtime_api::Buffering buffering;
  const runtime_api::TelemetrySchema schema;
  const time::Clock& clock;
  time::TimerQueue& timers;
  const Send send;
  const TellLoss tell_loss;
  const std::unique_ptr<runtime_api::Interruption> interruption;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Item> queue;
  std::size_t queue_cost = 0;
  std::int64_t queue_bytes = 0;
  std::size_t in_flight_cost = 0;
  std::uint64_t in_flight_items = 0;  // without those that tell a loss
  std::uint64_t queued_items = 0;     // the same
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t told = 0;           // of those dropped, by what the subscriber has
  std::vector<LogsDropped> losses;  // not yet told to others
  Loss gap;                         // since the last batch was taken
  bool gap_open = false;
  bool due = false;          // the oldest event has waited long enough
  bool age_pending = false;  // a timer will look
  bool paused = false;
  std::uint64_t pauses = 0;  // how often it was
  bool ending = false;
  bool hurrying = false;  // no batch waits to be full any more
  // What the thread is patient about: a batch on its way, or a pause between two attempts.
  std::optional<milliseconds> step;
  std::uint64_t step_generation = 0;
  bool step_is_over = false;
};

// ---- What is given.

void TelemetryDelivery::give(std::string json) {
  auto& shared = *shared_;
  Item item{.json = std::move(json), .given = shared.clock.monotonic_now()};
  const auto age_at = item.given + shared.buffering.timeout;
  bool age = false;
  bool ready = false;
  {
    const std::lock_guard lock(shared.mutex);
    const bool fits = shared.queue_cost + shared.in_flight_cost + item.cost() <= kMaxQueuedBytes;
    if (shared.ending || shared.gap_open || !fits) {
      shared.gap_open = true;
      ++shared.dropped;
      ++shared.gap.records;
      shared.gap.bytes += item.json.size();
      return;
    }
    shared.queue_cost += item.cost();
    shared.queue_bytes += static_cast<std::int64_t>(item.json.size());
    ++shared.queued_items;
    shared.queue.push_back(std::move(item));
    age = !shared.age_pending && !shared.due;
    if (age) shared.age_pending = true;
    ready = shared.batch_ready();
  }
  if (age) shared.schedule_age(age_at);
  if (ready) shared.changed.notify_all();
}

void TelemetryDelivery::count_dropped(std::uint64_t records, std::uint64_t bytes) {
  const std::lock_guard lock(shared_->mutex);
  shared_->dropped += records;
  shared_->gap.records += records;
  shared_->gap.bytes += bytes;
}

// ---- Batches.

bool TelemetryDelivery::Shared::batch_ready() const {
  if (queue.empty()) return false;
  return due || hurrying || static_cast<std::int64_t>(queue.size()) >= buffering.max_items ||
         queue_bytes >= buffering.max_bytes;
}

// The gap ends here because there is room again. What tells of it has its place after everything
// that was taken in before the first loss, and before everything that follows.
void TelemetryDelivery::Shared::close_gap() {
  gap_open = false;
  if (gap.records == 0) return;
  auto item = loss_item(std::exchange(gap, {}), std::string(kTooSlow));
  queue_cost += item.cost();
  queue_bytes += static_cast<std::int64_t>(item.json.size());
  queue.push_back(std::move(item));
}

std::vector<Item> TelemetryDelivery::Shared::take_batch() {
  close_gap();
  std::vector<Item> batch;
  std::int64_t bytes = 0;
  while (!queue.empty() && static_cast<std::int64_t>(batch.size()) < buffering.max_items &&
         bytes < buffering.max_bytes) {
    auto& item = queue.front();
    bytes += static_cast<std::int64_t>(item.json.size());
    queue_cost -= item.cost();
    in_flight_cost += item.cost();
    if (!item.tells_loss) ++in_flight_items;
    batch.push_back(std::move(item));
    queue.pop_front();
  }
  queue_bytes -= bytes;
  queued_items -= in_flight_items;
  due = false;
  return batch;
}

Item TelemetryDelivery::Shared::loss_item(Loss loss, std::string reason) {
  LogsDropped dropped_now{
      .reason = std::move(reason), .dropped_records = loss.records, .dropped_bytes = loss.bytes};
  const TelemetryEvent event{clock.wall_now(), dropped_now};
  if (tell_loss) losses.push_back(std::move(dropped_now));
  return {.json = json_texts(event, schema).front(),
          .given = clock.monotonic_now(),
          .tells_loss = true,
          .lost_records = loss.records,
          .lost_bytes = loss.bytes};
}

void TelemetryDelivery::Shared::serve() try { run(); } catch (const std::exception&) {
  // No memory for a batch. From here on everything is dropped, and counted.
  const std::lock_guard lock(mutex);
  ending = true;
}

void TelemetryDelivery::Shared::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return ending || (!paused && batch_ready()); });
    if (ending) return tell_losses(lock);
    auto batch = take_batch();
    // Whether the rest is old enough has to be found out anew.
    const bool age = !queue.empty() && !age_pending;
    const auto age_at = age ? queue.front().given + buffering.timeout : TimePoint{};
    if (age) {
      age_pending = true;
      lock.unlock();
      schedule_age(age_at);
      lock.lock();
    }
    tell_losses(lock);
    send_batch(std::move(batch), lock);
    tell_losses(lock);
    changed.notify_all();
  }
}

void TelemetryDelivery::Shared::tell_losses(std::unique_lock<std::mutex>& lock) {
  if (losses.empty()) return;
  const auto telling = std::exchange(losses, {});
  lock.unlock();
  for (const auto& loss : telling) tell_loss(loss);
  lock.lock();
}

void TelemetryDelivery::Shared::send_batch(std::vector<Item> batch,
                                           std::unique_lock<std::mutex>& lock) {
  std::vector<std::string> texts;
  texts.reserve(batch.size());
  Loss at_stake;
  std::uint64_t telling = 0;
  for (auto& item : batch) {
    telling += item.lost_records;
    at_stake.records += item.tells_loss ? item.lost_records : 1;
    at_stake.bytes += item.tells_loss ? item.lost_bytes : item.json.size();
    texts.push_back(std::move(item.json));
  }
  std::string reason;
  const bool arrived = try_to_send(texts, reason, lock);
  const auto events = std::exchange(in_flight_items, 0);
  in_flight_cost = 0;
  if (arrived) {
    delivered += events;
    told += telling;
    return;
  }
  dropped += events;
  auto item = loss_item(at_stake, "Some logs could not be delivered: " + reason);
  queue_cost += item.cost();
  queue_bytes += static_cast<std::int64_t>(item.json.size());
  queue.push_front(std::move(item));
}

// A failure of a batch that the environment stood still under says nothing of the subscriber and
// does not count.
bool TelemetryDelivery::Shared::try_to_send(std::span<const std::string> texts,
                                            std::string& reason,
                                            std::unique_lock<std::mutex>& lock) {
  auto pause_length = kFirstBackOff;
  for (int attempt = 1; attempt <= kMaxSendAttempts; ++attempt) {
    if (!begin_step(kSendPatience)) break;
    const auto generation = step_generation;
    const auto pauses_before = pauses;
    lock.unlock();
    const auto patience = schedule_step(generation, kSendPatience);
    auto sent = send(texts, *interruption);
    timers.cancel(patience);
    lock.lock();
    step.reset();
    ++step_generation;
    if (sent) return true;
    reason = std::move(sent.error());
    if (ending) break;
    if (pauses != pauses_before) {
      --attempt;
      changed.wait(lock, [this] { return ending || !paused; });
      continue;
    }
    if (attempt < kMaxSendAttempts) back_off(pause_length, lock);
    pause_length = std::min(pause_length * 2, kLongestBackOff);
  }
  return false;
}

void TelemetryDelivery::Shared::back_off(milliseconds length, std::unique_lock<std::mutex>& lock) {
  if (!begin_step(length)) return;
  const auto generation = step_generation;
  lock.unlock();
  schedule_step(generation, length);
  lock.lock();
  changed.wait(lock, [this] { return ending || (step_is_over && !paused); });
  step.reset();
  ++step_generation;
}

// ---- Time.

// False: the delivery ends, and its interruption must stay raised.
bool TelemetryDelivery::Shared::begin_step(milliseconds length) {
  if (ending) return false;
  interruption->clear();
  step = length;
  step_is_over = false;
  ++step_generation;
  return true;
}

time::TimerQueue::TimerId TelemetryDelivery::Shared::schedule_step(std::uint64_t generation,
                                                                   milliseconds length) {
  return timers.schedule(clock.monotonic_now() + length, [weak = weak_from_this(), generation] {
    if (const auto shared = weak.lock()) shared->step_over(generation);
  });
}

void TelemetryDelivery::Shared::step_over(std::uint64_t generation) {
  {
    const std::lock_guard lock(mutex);
    if (generation != step_generation || !step || paused) return;
    step_is_over = true;
    interruption->raise();
  }
  changed.notify_all();
}

void TelemetryDelivery::Shared::schedule_age(TimePoint when) {
  timers.schedule(when, [weak = weak_from_this()] {
    if (const auto shared = weak.lock()) shared->age_reached();
  });
}

void TelemetryDelivery::Shared::age_reached() {
  std::optional<TimePoint> again;
  {
    const std::lock_guard lock(mutex);
    age_pending = false;
    if (queue.empty()) return;
    const auto old_at = queue.front().given + buffering.timeout;
    if (old_at > clock.monotonic_now()) {
      again = old_at;
      age_pending = true;
    } else {
      due = true;
    }
  }
  if (again) {
    schedule_age(*again);
  } else {
    changed.notify_all();
  }
}

// ---- The face.

tl::expected<std::unique_ptr<TelemetryDelivery>, std::string> TelemetryDelivery::start(
    runtime_api::Subscription subscription,
    const time::Clock& clock,
    time::TimerQueue& timers,
    Send send,
    TellLoss tell_loss) try {
  auto interruption = runtime_api::Interruption::make();
  if (!interruption) return tl::unexpected(std::move(interruption.error()));
  auto shared = std::make_shared<Shared>(
      subscription, clock, timers, std::move(send), std::move(tell_loss), std::move(*interruption));
  return std::unique_ptr<TelemetryDelivery>(
      new TelemetryDelivery(std::move(subscription), std::move(shared)));
} catch (const std::system_error& error) {
  return tl::unexpected(std::string("cannot start a thread for a subscriber: ") + error.what() +
                        "; raise the limit, or run fewer environments");
}

TelemetryDelivery::TelemetryDelivery(runtime_api::Subscription subscription,
                                     std::shared_ptr<Shared> shared)
    : subscription_(std::move(subscription)),
      shared_(std::move(shared)),
      thread_([shared = shared_.get()] { shared->serve(); }) {}

TelemetryDelivery::~TelemetryDelivery() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
    shared_->interruption->raise();
  }
  shared_->changed.notify_all();
}

void TelemetryDelivery::pause() {
  const std::lock_guard lock(shared_->mutex);
  if (!std::exchange(shared_->paused, true)) ++shared_->pauses;
}

void TelemetryDelivery::resume() {
  std::optional<milliseconds> again;
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(shared_->mutex);
    if (!std::exchange(shared_->paused, false)) return;
    // However long it had waited before, it has its whole time once more.
    again = shared_->step;
    generation = ++shared_->step_generation;
  }
  if (again) shared_->schedule_step(generation, *again);
  shared_->changed.notify_all();
}

void TelemetryDelivery::hurry() {
  {
    const std::lock_guard lock(shared_->mutex);
    // What was dropped last is still to be told.
    shared_->close_gap();
    shared_->hurrying = true;
  }
  shared_->changed.notify_all();
}

bool TelemetryDelivery::await_empty(TimePoint deadline) {
  auto& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  if (shared.paused) return shared.is_empty();
  shared.changed.wait_until(
      lock, deadline, [&shared] { return shared.ending || shared.is_empty(); });
  return shared.is_empty();
}

DeliveryCounts TelemetryDelivery::counts() const {
  const std::lock_guard lock(shared_->mutex);
  return {.delivered = shared_->delivered,
          .dropped = shared_->dropped,
          .pending = shared_->queued_items + shared_->in_flight_items,
          .untold = shared_->dropped - shared_->told};
}

}  // namespace emulator::environment
