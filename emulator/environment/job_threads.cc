#include "emulator/environment/job_threads.h"

#include <system_error>
#include <utility>

namespace emulator::environment {

JobThreads::~JobThreads() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  // Nobody starts further ones while this is destroyed.
  for (auto& thread : threads_) thread.join();
}

JobThreads::Accepted JobThreads::run(Job job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  if (jobs_.size() > waiting_ && threads_.size() < max_threads_) {
    try {
      threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      // The threads that there are will come to it.
      if (threads_.empty()) {
        jobs_.pop_back();
        return Accepted::no;
      }
    }
  }
  changed_.notify_one();
  return Accepted::yes;
}

void JobThreads::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    --waiting_;
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace emulator::environment
