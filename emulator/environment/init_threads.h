// The threads on which environments are initialised ahead, a few at a time.
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

// Inits ahead that run at the same time. Our choice: enough to keep a small host's processors busy,
// few enough to leave invocations some of them; the service does thousands a minute.
inline constexpr std::size_t kMaxInitThreads = 4;

// Any thread. Threads are started when there is work for one more, and kept.
class InitThreads {
 public:
  using Job = std::function<void()>;
  enum class Accepted : std::uint8_t { no, yes };

  InitThreads() = default;
  InitThreads(const InitThreads&) = delete;
  InitThreads& operator=(const InitThreads&) = delete;
  ~InitThreads();  // waits for every job that was accepted

  // Jobs begin in the order in which they came. No: the host allows no thread.
  [[nodiscard]] Accepted run(Job job);

 private:
  void serve();

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  std::size_t waiting_ = 0;
  bool ending_ = false;
};

}  // namespace emulator::environment
