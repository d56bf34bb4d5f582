// Threads for jobs that take their time, a few at a time: initialising environments ahead, and
// shutting them down.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace emulator::environment {

// Any thread. Threads are started when there is work for one more, and kept.
class JobThreads {
 public:
  using Job = std::function<void()>;
  enum class Accepted : std::uint8_t { no, yes };

  // As many as run at the same time.
  explicit JobThreads(std::size_t max_threads) : max_threads_(max_threads) {}
  JobThreads(const JobThreads&) = delete;
  JobThreads& operator=(const JobThreads&) = delete;
  ~JobThreads();  // waits for every job that was accepted

  // Jobs begin in the order in which they came. No: the host allows no thread.
  [[nodiscard]] Accepted run(Job job);

 private:
  void serve();

  const std::size_t max_threads_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  std::size_t waiting_ = 0;
  bool ending_ = false;
};

}  // namespace emulator::environment
