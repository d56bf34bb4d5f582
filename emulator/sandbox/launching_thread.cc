#include "emulator/sandbox/launching_thread.h"

#include <signal.h>

namespace emulator::sandbox {

LaunchingThread::LaunchingThread() : thread_([this] { serve(); }) {}

LaunchingThread::~LaunchingThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

void LaunchingThread::add(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(task));
  }
  arrived_.notify_one();
}

void LaunchingThread::serve() {
  // No handler of ours may run in a child that still shares our code but not our threads.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    next();
    lock.lock();
  }
}

}  // namespace emulator::sandbox
