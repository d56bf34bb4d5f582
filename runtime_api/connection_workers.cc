#include "runtime_api/connection_workers.h"

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace runtime_api {
namespace {

class ConnectionWorkers final : public httplib::TaskQueue {
 public:
  ConnectionWorkers(std::size_t kept_threads, std::size_t max_threads, std::function<void()> begins)
      : kept_threads_(kept_threads), max_threads_(max_threads), begins_(std::move(begins)) {}
  ConnectionWorkers(const ConnectionWorkers&) = delete;
  ConnectionWorkers& operator=(const ConnectionWorkers&) = delete;
  ~ConnectionWorkers() override { ConnectionWorkers::shutdown(); }

  bool enqueue(std::function<void()> connection) override {
    std::list<std::thread> ended;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      ended.swap(ended_);
      if (waiting_.size() >= idle_) {
        if (threads_.size() >= max_threads_) return false;
        if (!add_thread()) return false;
      }
      waiting_.push_back(std::move(connection));
    }
    arrived_.notify_one();
    for (auto& thread : ended) thread.join();
    return true;
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_all();
    std::unique_lock lock(mutex_);
    gone_.wait(lock, [this] { return threads_.empty(); });
    for (auto& thread : ended_) thread.join();
    ended_.clear();
  }

 private:
  using Position = std::list<std::thread>::iterator;

  // False where the host allows no further thread.
  bool add_thread() {
    threads_.emplace_back();
    try {
      threads_.back() = std::thread(&ConnectionWorkers::work, this, std::prev(threads_.end()));
      return true;
    } catch (const std::system_error&) {
      threads_.pop_back();
      return false;
    }
  }

  void work(Position self) {
    std::unique_lock lock(mutex_);
    while (true) {
      // A thread beyond the kept number leaves as soon as nothing waits for it.
      if (waiting_.empty() && !stopping_ && idle_ < kept_threads_) {
        ++idle_;
        arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        --idle_;
      }
      if (waiting_.empty()) break;
      auto connection = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      if (begins_) begins_();
      connection();
      connection = nullptr;
      lock.lock();
    }
    ended_.splice(ended_.end(), threads_, self);
    gone_.notify_all();
  }

  const std::size_t kept_threads_;
  const std::size_t max_threads_;
  const std::function<void()> begins_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable arrived_;
  std::condition_variable gone_;
  std::deque<std::function<void()>> waiting_;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  // to be joined by whoever comes next
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace

std::unique_ptr<httplib::TaskQueue> make_connection_workers(std::size_t kept_threads,
                                                            std::size_t max_threads,
                                                            std::function<void()> begins) {
  return std::make_unique<ConnectionWorkers>(kept_threads, max_threads, std::move(begins));
}

}  // namespace runtime_api
