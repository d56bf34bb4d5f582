#include "emulator/time/timer_queue.h"

namespace emulator::time {

TimerQueue::TimerQueue(const Clock& clock, TimerDrive drive) : clock_(clock) {
  if (drive == TimerDrive::own_thread) {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
}

TimerQueue::~TimerQueue() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
}

TimerQueue::TimerId TimerQueue::schedule(TimePoint deadline, Action action) {
  const std::lock_guard lock(mutex_);
  const TimerId id{++last_id_};
  timers_.emplace(Key{deadline, id}, std::move(action));
  deadlines_.emplace(id, deadline);
  // A thread that wakes too early looks again and sleeps on, so only an earlier deadline must
  // wake it. That keeps a timer per invocation from costing a context switch per invocation.
  if (deadline < sleeping_until_) changed_.notify_one();
  return id;
}

bool TimerQueue::cancel(TimerId id) {
  decltype(timers_)::node_type cancelled;  // goes after the lock, with what its action holds
  const std::lock_guard lock(mutex_);
  const auto found = deadlines_.find(id);
  if (found == deadlines_.end()) return false;
  cancelled = timers_.extract(Key{found->second, id});
  deadlines_.erase(found);
  return true;
}

std::size_t TimerQueue::run_due() {
  std::size_t ran = 0;
  while (run_first_due()) ++ran;
  return ran;
}

bool TimerQueue::run_first_due() {
  decltype(timers_)::node_type first;
  {
    const std::lock_guard lock(mutex_);
    if (timers_.empty() || timers_.begin()->first.first > clock_.monotonic_now()) return false;
    first = timers_.extract(timers_.begin());
    deadlines_.erase(first.key().second);
  }
  first.mapped()();
  // What the action holds goes without the lock: it may schedule and cancel while it is destroyed,
  // as the action may.
  return true;
}

std::optional<TimerQueue::TimePoint> TimerQueue::earliest() const {
  const std::lock_guard lock(mutex_);
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

void TimerQueue::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    run_due();
    std::unique_lock lock(mutex_);
    const auto now = clock_.monotonic_now();
    if (timers_.empty()) {
      sleeping_until_ = TimePoint::max();
      changed_.wait(lock, stop, [this] { return !timers_.empty(); });
    } else if (const auto wake = timers_.begin()->first.first; wake > now) {
      sleeping_until_ = wake;
      changed_.wait_until(lock, stop, wake, [this, wake] {
        return timers_.empty() || timers_.begin()->first.first < wake;
      });
    }
    sleeping_until_ = TimePoint::min();
  }
}

}  // namespace emulator::time
