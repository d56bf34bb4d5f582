#include "emulator/sandbox/cpu_schedule.h"

#include "emulator/sandbox/kernel_clock.h"

#include <algorithm>
#include <set>

namespace emulator::sandbox {
namespace {

// Looks closer together than this cost more than they save. Our choice: what is used too much in
// it is paid back.
constexpr std::chrono::microseconds kLookGrain{200};

}  // namespace

void CpuBudget::advance(Time now) {
  if (now < ends_) return;
  const auto periods = (now - ends_) / period_ + 1;
  credit_ = std::min(credit_ + quota_ * periods, quota_);
  ends_ += period_ * periods;
}

CpuBudget::Time CpuBudget::next_look(Time now) const {
  if (spent()) return ends_;
  return std::min(now + std::max<Time>(credit_, kLookGrain), ends_);
}

void CpuMeter::find_processes() {
  const auto processes = members_.processes();
  const std::set<pid_t> living(processes.begin(), processes.end());
  std::erase_if(seen_, [&living](const auto& entry) { return !living.contains(entry.first); });
  for (const pid_t process : living) seen_.try_emplace(process, 0);
}

std::chrono::nanoseconds CpuMeter::read() {
  for (auto& [process, seen] : seen_) {
    const auto used = cpu_time_of(process);
    // A number that became another process's begins from nothing again.
    if (!used || *used < seen) continue;
    total_ += *used - seen;
    seen = *used;
  }
  return total_;
}

CpuSchedule::CpuSchedule(WatchThread& thread, ProcessSet& members, StopSwitch& stop)
    : thread_(thread), stop_(stop), meter_(members) {
  thread_.add(*this);
}

CpuSchedule::~CpuSchedule() { thread_.remove(*this); }

void CpuSchedule::measure() {
  const auto total = meter_.read();
  if (budget_) budget_->use(total - measured_);
  measured_ = total;
}

void CpuSchedule::release(Time now) {
  if (!stopped_since_) return;
  throttled_ += now - *stopped_since_;
  stopped_since_.reset();
  stop_.go_on(StopSwitch::Reason::quota_spent);
}

void CpuSchedule::set_quota(std::optional<std::chrono::microseconds> quota) {
  const std::lock_guard lock(mutex_);
  const auto now = kernel_now();
  meter_.find_processes();
  measure();
  release(now);
  budget_.reset();
  if (quota) budget_.emplace(*quota, kCpuPeriod, now);
  thread_.wake(*this, budget_ && !paused_ ? std::optional(budget_->next_look(now)) : std::nullopt);
}

void CpuSchedule::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
  // Frozen time is nobody's wait.
  release(kernel_now());
  if (budget_) thread_.wake(*this, std::nullopt);
}

void CpuSchedule::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  if (budget_) thread_.wake(*this, kernel_now() + kLookGrain);
}

std::chrono::nanoseconds CpuSchedule::throttled() {
  const std::lock_guard lock(mutex_);
  return throttled_ + (stopped_since_ ? kernel_now() - *stopped_since_ : Time::zero());
}

std::chrono::nanoseconds CpuSchedule::cpu_time() {
  const std::lock_guard lock(mutex_);
  meter_.find_processes();
  measure();
  return measured_;
}

std::optional<std::chrono::nanoseconds> CpuSchedule::look(Time now) {
  const std::lock_guard lock(mutex_);
  if (!budget_ || paused_) return std::nullopt;
  if (now >= budget_->period_end()) meter_.find_processes();
  measure();
  budget_->advance(now);
  if (!budget_->spent()) {
    release(now);
  } else if (!stopped_since_) {
    stopped_since_ = now;
    stop_.stop(StopSwitch::Reason::quota_spent);
  }
  return budget_->next_look(now);
}

}  // namespace emulator::sandbox
