#include "emulator/environment/telemetry_delivery.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace emulator::environment {
namespace {

using std::chrono::milliseconds;
using TimePoint = time::TimerQueue::TimePoint;

}  // namespace

// The queue and its thread's work. Its timers hold it weakly, and only set what is waited for.
struct TelemetryDelivery::Shared : std::enable_shared_from_this<Shared> {
  Shared(const runtime_api::Subscription& subscription,
         const time::Clock& clock_in,
         time::TimerQueue& timers_in,
         Send send_in,
         TellLoss tell_loss_in,
         std::unique_ptr<runtime_api::Interruption> interruption_in)
      : timeout(subscription.buffering.timeout),
        schema(subscription.schema),
        clock(clock_in),
        timers(timers_in),
        send(std::move(send_in)),
        tell_loss(std::move(tell_loss_in)),
        interruption(std::move(interruption_in)),
        queue(subscription, clock_in) {}

  // On the delivery's thread.
  void serve();
  void run();
  void await_age_of_rest(std::unique_lock<std::mutex>& lock);
  void send_batch(std::vector<QueuedTelemetry> items, std::unique_lock<std::mutex>& lock);
  bool try_to_send(std::span<const std::string> texts,
                   std::string& reason,
                   std::unique_lock<std::mutex>& lock);
  void back_off(milliseconds length, std::unique_lock<std::mutex>& lock);
  void tell_losses(std::unique_lock<std::mutex>& lock);

  // With the mutex held.
  bool batch_ready() const { return !queue.empty() && (due || hurrying || queue.has_full_batch()); }
  bool is_empty() const { return queue.empty() && !queue.is_in_flight(); }
  bool begin_step(milliseconds length);

  // Without it.
  void accept(QueuedTelemetry item);
  void schedule_age(TimePoint when);
  void age_reached();
  time::TimerQueue::TimerId schedule_step(std::uint64_t generation, milliseconds length);
  void step_over(std::uint64_t generation);

  const milliseconds timeout;
  const runtime_api::TelemetrySchema schema;
  const time::Clock& clock;
  time::TimerQueue& timers;
  const Send send;
  const TellLoss tell_loss;
  const std::unique_ptr<runtime_api::Interruption> interruption;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  TelemetryQueue queue;
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
  shared_->accept({.json = std::move(json), .given = shared_->clock.monotonic_now()});
}

void TelemetryDelivery::give(const SharedEvent& event) {
  const auto texts = count_json_texts(event->record, shared_->schema);
  if (texts == 0) return;
  shared_->accept(
      {.json = {}, .event = event, .texts = texts, .given = shared_->clock.monotonic_now()});
}

void TelemetryDelivery::Shared::accept(QueuedTelemetry item) {
  const auto age_at = item.given + timeout;
  bool age = false;
  bool ready = false;
  {
    const std::lock_guard lock(mutex);
    if (ending) return queue.drop(item);
    if (!queue.accept(std::move(item))) return;
    age = !age_pending && !due;
    if (age) age_pending = true;
    ready = batch_ready();
  }
  if (age) schedule_age(age_at);
  if (ready) changed.notify_all();
}

void TelemetryDelivery::count_dropped(std::uint64_t records, std::uint64_t bytes) {
  const std::lock_guard lock(shared_->mutex);
  shared_->queue.count_dropped({records, bytes});
}

// ---- Batches.

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
    auto items = queue.take_batch();
    due = false;
    await_age_of_rest(lock);
    tell_losses(lock);
    send_batch(std::move(items), lock);
    tell_losses(lock);
    changed.notify_all();
  }
}

// Whether what was not taken is old enough has to be found out anew.
void TelemetryDelivery::Shared::await_age_of_rest(std::unique_lock<std::mutex>& lock) {
  if (queue.empty() || age_pending) return;
  const auto age_at = queue.oldest() + timeout;
  age_pending = true;
  lock.unlock();
  schedule_age(age_at);
  lock.lock();
}

void TelemetryDelivery::Shared::tell_losses(std::unique_lock<std::mutex>& lock) {
  const auto losses = queue.take_losses();
  if (losses.empty() || !tell_loss) return;
  lock.unlock();
  for (const auto& loss : losses) tell_loss(loss);
  lock.lock();
}

void TelemetryDelivery::Shared::send_batch(std::vector<QueuedTelemetry> items,
                                           std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const auto batch = made_batch(std::move(items), schema);
  lock.lock();
  std::string reason;
  if (try_to_send(batch.texts, reason, lock)) {
    queue.arrived(batch);
  } else {
    queue.never_arrived(batch, reason);
  }
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
    const auto old_at = queue.oldest() + timeout;
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
  bool awaited = false;
  {
    const std::lock_guard lock(shared_->mutex);
    if (!std::exchange(shared_->paused, false)) return;
    // However long it had waited before, it has its whole time once more.
    again = shared_->step;
    generation = ++shared_->step_generation;
    // An invocation is about to begin, so a thread that has nothing to do is not woken for it.
    awaited = shared_->queue.is_in_flight() || shared_->batch_ready();
  }
  if (again) shared_->schedule_step(generation, *again);
  if (awaited) shared_->changed.notify_all();
}

void TelemetryDelivery::hurry() {
  {
    const std::lock_guard lock(shared_->mutex);
    // What was dropped last is still to be told.
    shared_->queue.close_gap();
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
  return shared_->queue.counts();
}

}  // namespace emulator::environment
