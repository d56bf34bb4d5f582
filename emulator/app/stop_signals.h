// SIGINT and SIGTERM as an orderly stop; a second one stops at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace emulator::app {

// Blocks both signals for this thread and all it will start. To be called first in main.
void block_stop_signals();

// Its owner's thread. Calls `stop`, if there is one, once and on a thread of its own when a signal
// comes; a second signal ends the process with 128 + its number. Children are given the signals
// back unblocked.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> stop = {});
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  // Blocks until the first signal has come.
  void wait();

 private:
  void serve(const std::function<void()>& stop);

  int wake_ = -1;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool signalled_ = false;
  std::thread thread_;
};

}  // namespace emulator::app
