#include "emulator/harness/replay_run.h"

#include "fixtures/digest.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace emulator::harness {
namespace {

std::uint64_t window_for(std::size_t concurrency) {
  return std::max<std::uint64_t>(kResultWindow, 4 * std::uint64_t{concurrency});
}

// What makes two events follow one another.
std::optional<std::string> key_of(const Event& event, const std::optional<JsonPointer>& pointer) {
  if (!pointer) return std::nullopt;
  const auto value = find_value(event.payload, pointer->tokens());
  if (!value) return std::nullopt;
  // Two ways to write a string are one key, and no string is the key of a number.
  if (const auto text = unquoted(*value)) return "\"" + *text;
  return std::string(*value);
}

}  // namespace

ReplayRun::ReplayRun(ReplayTerms terms, ReplayWorld world, EventReader& events)
    : terms_(std::move(terms)),
      world_(std::move(world)),
      events_(events),
      results_(window_for(terms_.concurrency), world_.results),
      schedule_(terms_.pace) {}

void ReplayRun::run() {
  std::mutex mutex;
  std::exception_ptr defect;
  const auto guarded = [&] {
    try {
      work();
    } catch (...) {
      {
        const std::lock_guard lock(mutex);
        defect = std::current_exception();
      }
      stop();
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < terms_.concurrency; ++i) {
    try {
      threads.emplace_back(guarded);
    } catch (const std::system_error&) {
      break;  // The host allows no more: those that there are run all events.
    }
  }
  guarded();
  threads.clear();
  if (defect) std::rethrow_exception(defect);
}

void ReplayRun::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    turn_.notify_all();
    due_.notify_all();
  }
  results_.stop();
}

bool ReplayRun::is_stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

bool ReplayRun::stopped() const { return is_stopped(); }

void ReplayRun::work() {
  auto task = next_task();
  while (task) {
    auto result = run_event(task->event);
    if (result.outcome != "responded" && is_stopped()) return;
    results_.put(task->number, std::move(result));
    std::optional<Task> follower;
    if (task->key) {
      const std::lock_guard lock(mutex_);
      const bool was_full = keys_.full();
      follower = keys_.ended(task->key);
      if (was_full && !keys_.full()) turn_.notify_all();
    }
    if (follower && is_stopped()) return;
    task = follower ? std::move(follower) : next_task();
  }
}

// nullopt: there are no more, or the run is stopped.
std::optional<Task> ReplayRun::next_task() {
  std::unique_lock lock(mutex_);
  while (true) {
    turn_.wait(lock, [this] { return stopped_ || ended_ || (!reading_ && !keys_.full()); });
    if (stopped_ || ended_) return std::nullopt;
    reading_ = true;
    lock.unlock();
    auto task = read_task();
    lock.lock();
    reading_ = false;
    if (!task) {
      ended_ = true;
      turn_.notify_all();
      return std::nullopt;
    }
    turn_.notify_one();
    if (auto admitted = keys_.admit(std::move(*task))) return admitted;
  }
}

std::optional<Task> ReplayRun::read_task() {
  if (!results_.await_room(next_number_)) {
    // Nobody takes results any more.
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    return std::nullopt;
  }
  while (true) {
    auto read = events_.next();
    if (std::holds_alternative<EndOfEvents>(read) || is_stopped()) return std::nullopt;
    if (const auto* broken = std::get_if<BrokenEvent>(&read)) {
      world_.broken(*broken);
      continue;
    }
    auto& event = std::get<Event>(read);
    await_due(event);
    if (is_stopped()) return std::nullopt;
    auto key = key_of(event, terms_.order_key);
    return Task{.event = std::move(event), .number = next_number_++, .key = std::move(key)};
  }
}

void ReplayRun::await_due(const Event& event) {
  if (!schedule_.needs_times()) return;
  if (!started_) started_ = world_.clock.monotonic_now();
  const auto recorded = event.recorded ? event.recorded : event_time(event.payload);
  const auto due = *started_ + schedule_.due(recorded);
  if (due <= world_.clock.monotonic_now()) return;
  bool fired = false;
  const auto timer = world_.timers.schedule(due, [&] {
    const std::lock_guard lock(mutex_);
    fired = true;
    due_.notify_all();
  });
  std::unique_lock lock(mutex_);
  due_.wait(lock, [&] { return fired || stopped_; });
  if (fired) return;
  lock.unlock();
  if (world_.timers.cancel(timer)) return;
  // It is about to run, and needs what stands here.
  lock.lock();
  due_.wait(lock, [&] { return fired; });
}

ReplayResult ReplayRun::run_event(Event& event) {
  invoke::InvocationRequest request;
  request.function_name = terms_.function_name;
  request.tenant_id = terms_.tenant_id;
  request.request_id = world_.new_request_id();
  request.release_at = invoke::ReleaseAt::report;
  SentEvent sent{.position = event.position,
                 .file = events_.files()[event.file],
                 .line = event.line,
                 .function_name = terms_.function_name,
                 .request_id = request.request_id,
                 .input_sha256 = fixtures::sha256_hex(event.payload)};
  std::string kept;
  if (terms_.keep_events == KeepEvents::yes) kept = event.payload;
  request.payload = std::move(event.payload);
  auto result = result_of(std::move(sent), world_.invoke(std::move(request)), terms_.profile);
  result.event = std::move(kept);
  return result;
}

}  // namespace emulator::harness
