// Stops the processes of a set by signals, for more than one reason at a time.
#pragma once

#include "emulator/sandbox/resource_control.h"

#include <signal.h>

#include <mutex>

namespace emulator::sandbox {

// Threads: any.
class StopSwitch {
 public:
  enum class Reason : unsigned { frozen = 1, quota_spent = 2 };

  explicit StopSwitch(ProcessSet& members) : members_(members) {}

  // The processes stand while there is a reason.
  void stop(Reason reason) {
    const std::lock_guard lock(mutex_);
    if (reasons_ == 0) members_.signal_all(SIGSTOP);
    reasons_ |= static_cast<unsigned>(reason);
  }
  void go_on(Reason reason) {
    const std::lock_guard lock(mutex_);
    if (reasons_ == 0) return;
    reasons_ &= ~static_cast<unsigned>(reason);
    if (reasons_ == 0) members_.signal_all(SIGCONT);
  }

 private:
  ProcessSet& members_;
  std::mutex mutex_;
  unsigned reasons_ = 0;
};

}  // namespace emulator::sandbox
