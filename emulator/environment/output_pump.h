// One thread that watches every pipe and pidfd of the emulator and calls whoever owns the one that
// became readable.
#pragma once

#include "emulator/sandbox/unique_fd.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace emulator::environment {

// Any thread.
class OutputPump {
 public:
  enum class Keep { watching, no_more };
  using Readable = std::function<Keep()>;
  enum class WatchId : std::uint64_t {};

  OutputPump();
  OutputPump(const OutputPump&) = delete;
  OutputPump& operator=(const OutputPump&) = delete;
  ~OutputPump();

  // Calls `readable` on the pump's thread whenever the descriptor is readable, until it answers
  // no_more or is unwatched. The caller keeps the descriptor, and unwatches before closing it.
  // Throws std::system_error where the host refuses a further watch.
  WatchId watch(int descriptor, Readable readable);

  // After this returns, the callback is not running and will not run again, except when called by
  // the callback itself.
  void unwatch(WatchId id);

 private:
  struct Watch {
    int descriptor;
    Readable readable;
  };

  void serve();
  void dispatch(std::uint64_t id);
  void forget(std::uint64_t id);

  sandbox::UniqueFd epoll_;
  sandbox::UniqueFd wake_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable returned_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Watch>> watches_;
  std::uint64_t last_id_ = 0;
  std::uint64_t running_ = 0;
  std::thread thread_;
};

}  // namespace emulator::environment
