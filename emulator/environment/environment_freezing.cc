// How the processes of an environment stand still between invocations.
#include "emulator/environment/environment.h"

#include <utility>

namespace emulator::environment {

void Environment::freeze_later() {
  if (spec_->freezing == Freezing::off || std::exchange(freeze_scheduled_, true)) return;
  world_.housekeeping.schedule(last_used_ + kFreezeDelay, [self = weak_from_this()] {
    if (const auto environment = self.lock()) environment->freeze_if_idle();
  });
}

void Environment::freeze_if_idle() {
  {
    const std::lock_guard lock(mutex_);
    freeze_scheduled_ = false;
    if (phase_ != Phase::idle || !launch_ || motion_ != Motion::running) return;
    // Used since: the delay begins anew.
    if (world_.clock.monotonic_now() < last_used_ + kFreezeDelay) {
      freeze_later();
      return;
    }
    motion_ = Motion::freezing;
  }
  const bool frozen = sandbox_->freeze();
  {
    const std::lock_guard lock(mutex_);
    motion_ = frozen ? Motion::frozen : Motion::running;
  }
  froze_.notify_all();
}

}  // namespace emulator::environment
