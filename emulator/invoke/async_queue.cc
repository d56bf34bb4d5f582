#include "emulator/invoke/async_queue.h"

#include "emulator/invoke/destinations.h"
#include "emulator/invoke/judgement.h"
#include "emulator/invoke/numbered_documents.h"
#include "emulator/invoke/queued_event.h"

#include <algorithm>
#include <exception>

namespace emulator::invoke {
namespace {

constexpr NumberedTables kTables{.noun = "event", .came = "events", .since = "event_progress"};

std::string not_kept(const QueuedEvent& event) {
  return "how far the event " + event.request.request_id + " has come could not be kept";
}

void show(QueuedEvent& event, AttemptStatus attempt) {
  if (event.attempts.size() >= kAttemptsShown) event.attempts.erase(event.attempts.begin());
  event.attempts.push_back(std::move(attempt));
}

}  // namespace

AsyncQueue::AsyncQueue(
    AsyncWorld world, Outbox& outbox, RunAttempt run, LookUpTerms look_up, QueueLimits limits)
    : world_(std::move(world)),
      outbox_(outbox),
      run_(std::move(run)),
      look_up_(std::move(look_up)),
      limits_(limits),
      workers_(limits.threads, [this] { run_next(); }) {}

AsyncQueue::~AsyncQueue() { stop(); }

tl::expected<std::shared_ptr<AsyncQueue>, std::string> AsyncQueue::open(
    AsyncWorld world, Outbox& outbox, RunAttempt run, LookUpTerms look_up, QueueLimits limits) {
  std::shared_ptr<AsyncQueue> queue(
      new AsyncQueue(std::move(world), outbox, std::move(run), std::move(look_up), limits));
  if (auto loaded = queue->load(); !loaded) return tl::unexpected(std::move(loaded.error()));
  return queue;
}

// Before anyone else knows the queue, so without its lock.
tl::expected<void, std::string> AsyncQueue::load() {
  using Seen = tl::expected<void, std::string>;
  const auto now = world_.clock.monotonic_now();
  const auto wall_now = world_.clock.wall_now();
  const auto see_event = [&](std::uint64_t sequence, std::string_view text) -> Seen {
    auto event = read_event(text);
    if (!event) return tl::unexpected(std::move(event.error()));
    event->sequence = sequence;
    event->accepted_at = now - (wall_now - event->accepted);
    event->due = event->accepted_at;
    admitted_bytes_ += event->request.payload.size();
    events_.emplace_hint(events_.end(), sequence, std::make_unique<QueuedEvent>(std::move(*event)));
    return {};
  };
  const auto see_progress = [&](std::uint64_t sequence, std::string_view text) -> Seen {
    auto progress = read_progress(text);
    if (!progress) return tl::unexpected(std::move(progress.error()));
    auto& event = *events_.at(sequence);
    event.attempts_begun = progress->attempts_begun;
    event.refusals_in_a_row = progress->refusals_in_a_row;
    event.attempts = std::move(progress->attempts);
    event.has_progress = true;
    event.due = now + (progress->due - wall_now);
    return {};
  };
  const auto found = read_numbered(world_.store, kTables, see_event, see_progress);
  if (!found) return tl::unexpected(found.error());
  world_.keep(found->orphans, "what is left of events that are over could not be removed");
  last_sequence_ = found->last_sequence;
  admitted_ = events_.size();
  for (const auto& [sequence, event] : events_) {
    const bool ready = event->due <= now;
    event->state = ready ? EventState::queued : EventState::waiting;
    (ready ? ready_ : waiting_).emplace(event->due, sequence);
  }
  world_.activity.begin(ready_.size());
  workers_.offer(ready_.size());
  return {};
}

void AsyncQueue::start() {
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  workers_.start();
  arm();
}

tl::expected<std::uint64_t, Refusal> AsyncQueue::admit(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (closed_)
    return tl::unexpected(
        Refusal{.kind = Refusal::Kind::shutting_down, .message = "Hearth is stopping"});
  if (admitted_ >= limits_.events || admitted_bytes_ + bytes > limits_.bytes) {
    return tl::unexpected(Refusal{.kind = Refusal::Kind::concurrency_exceeded,
                                  .message = "the queue of asynchronous events is full; wait "
                                             "until some have ended"});
  }
  ++admitted_;
  admitted_bytes_ += bytes;
  return ++last_sequence_;
}

tl::expected<void, Refusal> AsyncQueue::accept(InvocationRequest request) {
  const auto bytes = request.payload.size();
  const auto sequence = admit(bytes);
  if (!sequence) return tl::unexpected(sequence.error());
  auto event = std::make_unique<QueuedEvent>();
  event->sequence = *sequence;
  event->request = std::move(request);
  event->request.kind = environment::InvocationKind::event;
  event->accepted = world_.clock.wall_now();
  event->accepted_at = world_.clock.monotonic_now();
  event->due = event->accepted_at;
  if (world_.store.durable()) {
    const auto kept = world_.store.commit(
        {{std::string(kTables.came), sequence_key(*sequence), stored_event(*event)}});
    if (!kept) {
      const std::lock_guard lock(mutex_);
      --admitted_;
      admitted_bytes_ -= bytes;
      return tl::unexpected(
          Refusal{.kind = Refusal::Kind::not_kept, .message = kept.error().message});
    }
  }
  enqueue(std::move(event));
  return {};
}

void AsyncQueue::enqueue(std::unique_ptr<QueuedEvent> event) {
  {
    const std::lock_guard lock(mutex_);
    const Place place(event->due, event->sequence);
    events_.emplace_hint(events_.end(), event->sequence, std::move(event));
    // One that was closed out meanwhile is in the store for the next start, as the others are.
    if (closed_) return;
    ready_.emplace_hint(ready_.end(), place);
    world_.activity.begin();
  }
  workers_.offer(1);
}

void AsyncQueue::run_next() {
  QueuedEvent* event = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (ready_.empty()) return;  // closed
    event = events_.at(ready_.begin()->second).get();
    ready_.erase(ready_.begin());
    event->state = EventState::running;
  }
  attempt(*event);
}

// While it runs, an event belongs to its thread; what others look at changes under the lock.
void AsyncQueue::attempt(QueuedEvent& event) {
  const auto& request = event.request;
  auto terms = look_up_(request.function_name, request.qualifier);
  if (!terms) return end(event, terms, Condition::function_not_found, std::nullopt);
  auto decision = before_attempt(*terms, standing(event));
  if (const auto* given_up = std::get_if<EndWith>(&decision)) {
    return end(event, terms, given_up->condition, std::nullopt);
  }
  {
    const auto started = world_.clock.wall_now();
    const std::lock_guard lock(mutex_);
    show(event, {started, {}, {}});
  }
  auto result = run(event);
  if (!result && result.error().kind == Refusal::Kind::shutting_down) return put_back(event);
  auto judgement = result ? judge(std::move(*result), request.request_id) : judge(result.error());
  {
    const bool begun =
        judgement.result == AttemptResult::succeeded || judgement.result == AttemptResult::failed;
    const std::lock_guard lock(mutex_);
    event.attempts.back().outcome = judgement.outcome;
    event.attempts_begun += begun ? 1 : 0;
    event.refusals_in_a_row = begun ? 0 : event.refusals_in_a_row + 1;
  }
  terms = look_up_(request.function_name, request.qualifier);
  if (!terms) {
    const bool success = judgement.result == AttemptResult::succeeded;
    return end(
        event, terms, success ? Condition::success : Condition::function_not_found, std::nullopt);
  }
  decision = after_attempt(*terms, standing(event), judgement.result);
  if (const auto* later = std::get_if<WaitFor>(&decision)) return wait(event, *later);
  end(event, terms, std::get<EndWith>(decision).condition, std::move(judgement.answer));
}

tl::expected<InvocationResult, Refusal> AsyncQueue::run(const QueuedEvent& event) const {
  // The event keeps its bytes: for the next attempt, and for the record of its end.
  try {
    return run_(event.request, event.attempts_begun + 1);
  } catch (const std::exception& defect) {
    std::string message = "a defect of Hearth's own ended an attempt of the event " +
                          event.request.request_id + ": " + defect.what();
    world_.tell(message);
    return tl::unexpected(
        Refusal{.kind = Refusal::Kind::not_runnable, .message = std::move(message)});
  }
}

Standing AsyncQueue::standing(const QueuedEvent& event) const {
  const auto found = event.request.lineage.find(event.request.function_name);
  return {.attempts = event.attempts_begun,
          .refusals_in_a_row = event.refusals_in_a_row,
          .in_chain = found == event.request.lineage.end() ? 0 : found->second,
          .age = world_.clock.monotonic_now() - event.accepted_at};
}

void AsyncQueue::put_back(QueuedEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    event.attempts.pop_back();
    // Neither ready nor waiting, so that nothing takes it again before the end.
    event.state = EventState::queued;
  }
  world_.activity.end();
}

void AsyncQueue::wait(QueuedEvent& event, const WaitFor& wait) {
  const auto due = world_.clock.monotonic_now() + wait.delay;
  if (world_.store.durable()) {
    EventProgress progress{.attempts_begun = event.attempts_begun,
                           .refusals_in_a_row = event.refusals_in_a_row,
                           .due = world_.clock.wall_now() + wait.delay,
                           .attempts = event.attempts};
    progress.attempts.back().wait = wait;
    event.has_progress = true;
    world_.keep(
        {{std::string(kTables.since), sequence_key(event.sequence), stored_progress(progress)}},
        not_kept(event));
  }
  {
    const std::lock_guard lock(mutex_);
    event.attempts.back().wait = wait;
    event.due = due;
    event.state = EventState::waiting;
    waiting_.emplace(due, event.sequence);
  }
  // The timer first: what waits for everything to settle may move the clock at once.
  arm();
  world_.activity.end();
}

void AsyncQueue::end(QueuedEvent& event,
                     const std::optional<Terms>& terms,
                     Condition condition,
                     std::optional<LastAnswer> answer) {
  const auto now = world_.clock.wall_now();
  std::vector<Delivery> deliveries;
  if (terms) {
    const EndedEvent ended{
        .request = event.request,
        .function_arn = qualified_arn(terms->function_arn, event.request.qualifier),
        .condition = condition,
        .attempts = event.attempts_begun,
        .answer = std::move(answer),
        .at = now};
    deliveries = deliveries_for(ended, *terms);
  }
  if (condition == Condition::function_not_found) {
    world_.tell("the event " + event.request.request_id + " is dropped: function " +
                event.request.function_name + " is gone");
  }
  auto changes = outbox_.admit(deliveries);
  const auto key = sequence_key(event.sequence);
  changes.push_back({std::string(kTables.came), key, std::nullopt});
  if (event.has_progress) changes.push_back({std::string(kTables.since), key, std::nullopt});
  world_.keep(changes, not_kept(event));
  if (!deliveries.empty()) outbox_.send(std::move(deliveries));
  std::unique_ptr<QueuedEvent> over;  // goes after the lock
  {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(event.sequence);
    over = std::move(found->second);
    events_.erase(found);
    --admitted_;
    admitted_bytes_ -= over->request.payload.size();
    over->state = EventState::done;
    auto status = status_of(*over);
    status.ended = now;
    status.condition = condition;
    ended_.push_back(std::move(status));
    if (ended_.size() > kEndedEventsKept) ended_.pop_front();
  }
  world_.activity.end();
}

// One timer, for the earliest of those that wait. A timer that an earlier one has overtaken finds
// nothing to do when it fires.
void AsyncQueue::arm() {
  TimePoint when;
  {
    const std::lock_guard lock(mutex_);
    if (!started_ || closed_ || waiting_.empty()) return;
    when = waiting_.begin()->first;
    if (when >= armed_) return;
    armed_ = when;
  }
  world_.timers.schedule(when, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->wake();
  });
}

void AsyncQueue::wake() {
  const auto now = world_.clock.monotonic_now();
  std::size_t woken = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (armed_ <= now) armed_ = TimePoint::max();
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
      const auto place = *waiting_.begin();
      waiting_.erase(waiting_.begin());
      events_.at(place.second)->state = EventState::queued;
      ready_.insert(place);
      ++woken;
    }
    world_.activity.begin(woken);
  }
  workers_.offer(woken);
  arm();
}

std::vector<EventStatus> AsyncQueue::events(std::string_view function_name,
                                            std::size_t limit) const {
  const auto wanted = [&](const std::string& name) {
    return function_name.empty() || name == function_name;
  };
  std::vector<EventStatus> shown;
  const auto now = world_.clock.monotonic_now();
  const auto wall_now = world_.clock.wall_now();
  const std::lock_guard lock(mutex_);
  for (auto at = events_.rbegin(); at != events_.rend() && shown.size() < limit; ++at) {
    const auto& event = *at->second;
    if (!wanted(event.request.function_name)) continue;
    shown.push_back(status_of(event));
    if (event.state == EventState::waiting) {
      shown.back().next_due =
          wall_now + std::chrono::duration_cast<WallTime::duration>(event.due - now);
    }
  }
  for (const auto& ended : ended_) {
    if (wanted(ended.function_name)) shown.push_back(ended);
  }
  std::sort(shown.begin(), shown.end(), [](const auto& one, const auto& other) {
    return one.sequence > other.sequence;
  });
  if (shown.size() > limit) shown.resize(limit);
  return shown;
}

std::size_t AsyncQueue::close() {
  std::size_t ready = 0;
  std::ptrdiff_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ready = std::exchange(ready_, {}).size();
    left = std::count_if(events_.begin(), events_.end(), [](const auto& entry) {
      return entry.second->state != EventState::running;
    });
  }
  workers_.close();
  world_.activity.end(ready);
  return world_.store.durable() ? 0 : static_cast<std::size_t>(left);
}

void AsyncQueue::stop() {
  close();
  workers_.stop();
}

}  // namespace emulator::invoke
