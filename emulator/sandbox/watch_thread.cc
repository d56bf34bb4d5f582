#include "emulator/sandbox/watch_thread.h"

#include "emulator/sandbox/kernel_clock.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

namespace emulator::sandbox {
namespace {

// Ours: a late look lets a process have too much. Only the superuser gets it.
constexpr int kNiceness = -10;

void set_timer(const UniqueFd& timer, std::optional<std::chrono::nanoseconds> at) {
  itimerspec setting{};
  if (at) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*at);
    setting.it_value.tv_sec = seconds.count();
    setting.it_value.tv_nsec = (*at - seconds).count();
  }
  ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
}

void listen(const UniqueFd& events, int descriptor, std::uint32_t mask, void* whose) {
  epoll_event event{};
  event.events = mask;
  event.data.ptr = whose;
  ::epoll_ctl(events.get(), EPOLL_CTL_ADD, descriptor, &event);
}

}  // namespace

WatchThread::WatchThread()
    : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      events_(::epoll_create1(EPOLL_CLOEXEC)) {
  listen(events_, timer_.get(), EPOLLIN, nullptr);
  thread_ = std::thread([this] { run(); });
}

WatchThread::~WatchThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    set_timer(timer_, std::chrono::nanoseconds(1));
  }
  thread_.join();
}

void WatchThread::add(Watched& watched) {
  const std::lock_guard lock(mutex_);
  due_.emplace(&watched, std::nullopt);
  if (watched.event_descriptor() >= 0) {
    listen(events_, watched.event_descriptor(), watched.event_mask(), &watched);
  }
}

void WatchThread::wake(Watched& watched, Due at) {
  const std::lock_guard lock(mutex_);
  if (!due_.contains(&watched)) return;
  set_due(&watched, at);
  if (under_call_ == &watched) woken_under_call_ = true;
  if (at && (!armed_ || *at < *armed_)) arm();
}

void WatchThread::remove(Watched& watched) {
  std::unique_lock lock(mutex_);
  set_due(&watched, std::nullopt);
  due_.erase(&watched);
  if (watched.event_descriptor() >= 0) {
    ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, watched.event_descriptor(), nullptr);
  }
  if (std::this_thread::get_id() == thread_.get_id()) return;
  called_.wait(lock, [this, &watched] { return under_call_ != &watched; });
}

void WatchThread::set_due(Watched* watched, Due at) {
  const auto found = due_.find(watched);
  if (found == due_.end()) return;
  if (found->second) queue_.erase({*found->second, watched});
  if (at) queue_.emplace(*at, watched);
  found->second = at;
}

void WatchThread::arm() {
  armed_ = queue_.empty() ? std::nullopt : Due(queue_.begin()->first);
  if (!stopping_) set_timer(timer_, armed_);
}

void WatchThread::call(std::unique_lock<std::mutex>& lock, Watched* watched, bool event) {
  under_call_ = watched;
  woken_under_call_ = false;
  lock.unlock();
  if (event) watched->event();
  const auto next = watched->look(kernel_now());
  lock.lock();
  under_call_ = nullptr;
  // Who was woken meanwhile is looked at when the waker said.
  if (!woken_under_call_) set_due(watched, next);
  called_.notify_all();
}

void WatchThread::look_at_due() {
  std::unique_lock lock(mutex_);
  std::uint64_t expirations = 0;
  // Nothing to read when the timer was set again meanwhile, and then little is due.
  [[maybe_unused]] const auto length = ::read(timer_.get(), &expirations, sizeof expirations);
  while (!stopping_ && !queue_.empty() && queue_.begin()->first <= kernel_now()) {
    auto* const watched = queue_.begin()->second;
    set_due(watched, std::nullopt);
    call(lock, watched, false);
  }
  arm();
}

void WatchThread::handle_event(Watched* watched) {
  std::unique_lock lock(mutex_);
  if (!due_.contains(watched)) return;
  call(lock, watched, true);
  arm();
}

void WatchThread::run() {
  // Signals are for Hearth's own threads.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
  while (true) {
    epoll_event event{};
    const int count = ::epoll_wait(events_.get(), &event, 1, -1);
    if (count < 0 && errno != EINTR) return;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    if (count <= 0) continue;
    if (event.data.ptr == nullptr) {
      look_at_due();
    } else {
      handle_event(static_cast<Watched*>(event.data.ptr));
    }
  }
}

}  // namespace emulator::sandbox
