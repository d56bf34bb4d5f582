#include "emulator/sandbox/control_parts.h"

#include "emulator/sandbox/kernel_clock.h"

#include <algorithm>
#include <utility>

namespace emulator::sandbox {
namespace {

// The call may destroy the control, and with it the part that holds the function: nothing of them
// is touched afterwards. There is nothing more to look for either.
std::optional<std::chrono::nanoseconds> tell(std::function<void()>& exceeded) {
  const auto call = std::exchange(exceeded, nullptr);
  if (call) call();
  return std::nullopt;
}

}  // namespace

KernelQuota kernel_quota(std::chrono::microseconds quota, std::chrono::microseconds period) {
  if (quota >= kMinKernelQuota) return {.quota = quota, .period = period};
  const auto count = std::max<std::int64_t>(quota.count(), 1);
  // The longest period the kernel takes is a second.
  const auto longer = std::chrono::microseconds(period.count() * kMinKernelQuota.count() / count);
  return {.quota = kMinKernelQuota,
          .period = std::min(longer, std::chrono::microseconds(std::chrono::seconds(1)))};
}

tl::expected<std::unique_ptr<GroupMemory>, SandboxError> GroupMemory::make(
    std::unique_ptr<MemoryGroup> group, const ResourceRequest& request, WatchThread& thread) {
  std::unique_ptr<GroupMemory> memory(new GroupMemory(std::move(group), request, thread));
  if (auto started = memory->limit_.start(); !started) return tl::unexpected(started.error());
  memory->resume();
  return memory;
}

GroupMemory::GroupMemory(std::unique_ptr<MemoryGroup> group,
                         const ResourceRequest& request,
                         WatchThread& thread)
    : group_(std::move(group)),
      limit_(*group_, request),
      exceeded_(request.memory_exceeded),
      thread_(thread) {
  thread_.add(*this);
}

GroupMemory::~GroupMemory() { thread_.remove(*this); }

void GroupMemory::pause() {
  paused_ = true;
  thread_.wake(*this, std::nullopt);
}

void GroupMemory::resume() {
  paused_ = false;
  thread_.wake(*this, kernel_now() + interval_.load());
}

std::optional<std::chrono::nanoseconds> GroupMemory::look(std::chrono::nanoseconds now) {
  const auto look = limit_.look();
  if (look.exceeded) return tell(exceeded_);
  if (look.next) interval_ = *look.next;
  if (!look.next || paused_) return std::nullopt;
  return now + *look.next;
}

void GroupMemory::event() {
  group_->settle_event();
  limit_.expect_kill();
}

tl::expected<void, SandboxError> GroupCpu::set_quota(
    std::optional<std::chrono::microseconds> quota) {
  const std::lock_guard lock(mutex_);
  if (!lifted_) {
    if (auto set = group_->set_quota(quota); !set) return set;
  }
  quota_ = quota;
  return {};
}

void GroupCpu::lift() {
  const std::lock_guard lock(mutex_);
  lifted_ = quota_ && group_->set_quota(std::nullopt);
}

void GroupCpu::restore() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(lifted_, false)) static_cast<void>(group_->set_quota(quota_));
}

WatchedMemory::WatchedMemory(const ResourceRequest& request, WatchThread& thread)
    : watch_(*request.members, request.memory_bytes),
      exceeded_(request.memory_exceeded),
      thread_(thread) {
  thread_.add(*this);
  resume();
}

WatchedMemory::~WatchedMemory() { thread_.remove(*this); }

void WatchedMemory::pause() {
  paused_ = true;
  thread_.wake(*this, std::nullopt);
}

void WatchedMemory::resume() {
  paused_ = false;
  thread_.wake(*this, kernel_now() + kMemoryWatchInterval);
}

std::optional<std::chrono::nanoseconds> WatchedMemory::look(std::chrono::nanoseconds now) {
  if (watch_.look()) return tell(exceeded_);
  if (paused_) return std::nullopt;
  return now + kMemoryWatchInterval;
}

}  // namespace emulator::sandbox
