#include "emulator/invoke/worker_threads.h"

#include <system_error>
#include <utility>

namespace emulator::invoke {

WorkerThreads::WorkerThreads(std::size_t most, DoNext do_next)
    : most_(most), do_next_(std::move(do_next)) {}

WorkerThreads::~WorkerThreads() { stop(); }

void WorkerThreads::start() {
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
    add_threads();
  }
  changed_.notify_all();
}

void WorkerThreads::offer(std::size_t pieces) {
  if (pieces == 0) return;
  {
    const std::lock_guard lock(mutex_);
    offered_ += pieces;
    add_threads();
  }
  if (pieces == 1) {
    changed_.notify_one();
  } else {
    changed_.notify_all();
  }
}

// With the lock held.
void WorkerThreads::add_threads() {
  if (!started_ || closed_) return;
  while (offered_ > threads_.size() - busy_ && threads_.size() < most_) {
    try {
      threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      return;
    }
  }
}

void WorkerThreads::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closed_ || offered_ > 0; });
    if (closed_) return;
    --offered_;
    ++busy_;
    lock.unlock();
    do_next_();
    lock.lock();
    --busy_;
  }
}

void WorkerThreads::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

void WorkerThreads::stop() {
  close();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace emulator::invoke
