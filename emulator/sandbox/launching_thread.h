// The thread that all children of a launcher are made by, because the kernel sends a child its
// parent-death signal when the thread that made it ends.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

namespace emulator::sandbox {

// Any thread, but for construction and destruction. Has every signal blocked.
class LaunchingThread {
 public:
  LaunchingThread();
  LaunchingThread(const LaunchingThread&) = delete;
  LaunchingThread& operator=(const LaunchingThread&) = delete;
  ~LaunchingThread();

  // Runs `task` on the thread and waits for its result.
  template <class Task>
  auto run(Task&& task) {
    // Shared, because the thread is still inside it when the result is there.
    const auto shared = std::make_shared<std::packaged_task<std::invoke_result_t<Task>()>>(
        std::forward<Task>(task));
    auto result = shared->get_future();
    add([shared] { (*shared)(); });
    return result.get();
  }

 private:
  void add(std::function<void()> task);
  void serve();

  std::mutex mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace emulator::sandbox
