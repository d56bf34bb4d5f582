// The queue of asynchronous invocations: an event that was accepted is run, run again, and given up
// by the service's rules, and nothing accepted is lost.
//
// An event is in the store from its acceptance to its end. Beside it lies how far it has come, with
// its attempts, written after each attempt that another follows; an attempt under way when the
// process is killed has left no trace and is made again: at least once. The end of an event removes
// it and puts its deliveries in, in one transaction.
#pragma once

#include "emulator/invoke/event_status.h"
#include "emulator/invoke/invocation.h"
#include "emulator/invoke/outbox.h"
#include "emulator/invoke/retry_schedule.h"
#include "emulator/invoke/worker_threads.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::invoke {

struct QueuedEvent;

// Makes one attempt, on the calling thread, and blocks until it is over. Attempts count from one.
using RunAttempt =
    std::function<tl::expected<InvocationResult, Refusal>(InvocationRequest, int attempt)>;

// What holds now; nullopt: there is no such function, version or alias.
using LookUpTerms = std::function<std::optional<Terms>(
    const std::string& function_name, const std::optional<std::string>& qualifier)>;

// Events that were accepted and have not ended, and the bytes of their payloads. Our choice: the
// service's queue has no documented length; these bound memory, and a full one refuses.
inline constexpr std::size_t kMaxQueuedEvents = 100'000;
inline constexpr std::size_t kMaxQueuedEventBytes = std::size_t{1} << 30;

// Attempts under way at the same time. Our choice.
inline constexpr std::size_t kMaxEventThreads = 64;

// Events that have ended and can still be looked at. Our choice.
inline constexpr std::size_t kEndedEventsKept = 1000;

struct QueueLimits {
  std::size_t events = kMaxQueuedEvents;
  std::size_t bytes = kMaxQueuedEventBytes;
  std::size_t threads = kMaxEventThreads;  // one makes the order of all attempts repeatable
};

// Events whose time comes at the same moment begin in order of acceptance.
//
// Any thread. Shared, because a timer that fires while it is given up must find it whole.
class AsyncQueue : public std::enable_shared_from_this<AsyncQueue> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Reads what the store holds; nothing is run before start(). `outbox` must outlive the queue.
  // The error is a sentence.
  static tl::expected<std::shared_ptr<AsyncQueue>, std::string> open(AsyncWorld world,
                                                                     Outbox& outbox,
                                                                     RunAttempt run,
                                                                     LookUpTerms look_up,
                                                                     QueueLimits limits = {});
  AsyncQueue(const AsyncQueue&) = delete;
  AsyncQueue& operator=(const AsyncQueue&) = delete;
  ~AsyncQueue();

  void start();

  // The event is kept when this returns. Refused as throttled when the queue is full, and as
  // unkept when the store refuses.
  tl::expected<void, Refusal> accept(InvocationRequest request);

  // The latest first; of that function only, if one is named. Those that ended are of this process.
  std::vector<EventStatus> events(std::string_view function_name, std::size_t limit) const;

  // Blocks until no event is ready or run, and no delivery on its way. What waits for a moment to
  // come does not count.
  void await_settled() { world_.activity.await_none(); }

  // Refuses events and begins no attempt from now on. Those accepted are in the store for the next
  // start; returns how many are lost because the store keeps nothing, without those whose attempt
  // is under way. Called again after stop(), when none is, it counts all that are left.
  std::size_t close();

  // Closes, and waits for the attempts under way.
  void stop();

 private:
  using Place = std::pair<TimePoint, std::uint64_t>;  // due, sequence

  AsyncQueue(
      AsyncWorld world, Outbox& outbox, RunAttempt run, LookUpTerms look_up, QueueLimits limits);
  tl::expected<void, std::string> load();
  tl::expected<std::uint64_t, Refusal> admit(std::size_t bytes);
  void enqueue(std::unique_ptr<QueuedEvent> event);
  void run_next();
  void attempt(QueuedEvent& event);
  void put_back(QueuedEvent& event);
  void wait(QueuedEvent& event, const WaitFor& wait);
  void end(QueuedEvent& event,
           const std::optional<Terms>& terms,
           Condition condition,
           std::optional<LastAnswer> answer);
  void arm();
  void wake();
  tl::expected<InvocationResult, Refusal> run(const QueuedEvent& event) const;
  Standing standing(const QueuedEvent& event) const;

  const AsyncWorld world_;
  Outbox& outbox_;
  const RunAttempt run_;
  const LookUpTerms look_up_;
  const QueueLimits limits_;

  mutable std::mutex mutex_;                                      // guards what follows
  std::map<std::uint64_t, std::unique_ptr<QueuedEvent>> events_;  // by acceptance
  std::set<Place> ready_;
  std::set<Place> waiting_;
  std::deque<EventStatus> ended_;  // the oldest first
  std::size_t admitted_ = 0;       // events_, and those being accepted
  std::size_t admitted_bytes_ = 0;
  std::uint64_t last_sequence_ = 0;
  TimePoint armed_ = TimePoint::max();  // the earliest timer that was set
  bool started_ = false;
  bool closed_ = false;

  WorkerThreads workers_;  // one offer for each of ready_; the first to go
};

}  // namespace emulator::invoke
