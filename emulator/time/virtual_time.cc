#include "emulator/time/virtual_time.h"

#include <algorithm>

namespace emulator::time {

std::chrono::steady_clock::time_point VirtualClock::monotonic_now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::chrono::system_clock::time_point VirtualClock::wall_now() const {
  return wall_start_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(
                           monotonic_now().time_since_epoch());
}

void VirtualClock::move_to(std::chrono::steady_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  now_ = std::max(now_, now);
}

// The time in which one caller may move the clock. No lock is held meanwhile, because actions are
// anybody's code.
class VirtualTime::Turn {
 public:
  explicit Turn(VirtualTime& time) : time_(time) {
    std::unique_lock lock(time_.mutex_);
    time_.advanced_.wait(lock, [this] { return !time_.advancing_; });
    time_.advancing_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    {
      const std::lock_guard lock(time_.mutex_);
      time_.advancing_ = false;
    }
    time_.advanced_.notify_one();
  }

 private:
  VirtualTime& time_;
};

VirtualTime::VirtualTime(std::chrono::system_clock::time_point wall_start)
    : clock_(wall_start), timers_(clock_, TimerDrive::by_hand) {}

tl::expected<std::size_t, AdvanceRefused> VirtualTime::advance(
    std::chrono::milliseconds by, const std::function<void()>& settle) {
  const Turn turn(*this);
  if (by < std::chrono::milliseconds::zero()) {
    return tl::unexpected(AdvanceRefused{"a clock does not go back; advance it by 0 ms or more"});
  }
  if (by > kLongestAdvance) {
    return tl::unexpected(AdvanceRefused{"one advance goes no farther than " +
                                         std::to_string(kLongestAdvance.count()) + " ms, not " +
                                         std::to_string(by.count()) + " ms"});
  }
  if (clock_.wall_now() + by > kLastMoment) {
    return tl::unexpected(AdvanceRefused{"the clock does not pass the year 2200; start anew"});
  }
  const auto end = clock_.monotonic_now() + by;
  std::size_t fired = 0;
  for (auto due = timers_.earliest(); due && *due <= end; due = timers_.earliest()) {
    clock_.move_to(*due);
    // Somebody may have cancelled it meanwhile.
    if (!timers_.run_first_due()) continue;
    ++fired;
    settle();
  }
  clock_.move_to(end);
  return fired;
}

}  // namespace emulator::time
