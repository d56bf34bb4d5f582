// The parts that a resource control is composed of: each keeps one kind of limit, by the kernel's
// means or by ours.
#pragma once

#include "emulator/sandbox/cpu_schedule.h"
#include "emulator/sandbox/group_controls.h"
#include "emulator/sandbox/memory_limit.h"
#include "emulator/sandbox/memory_watch.h"
#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/stop_switch.h"
#include "emulator/sandbox/watch_thread.h"

#include <tl/expected.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace emulator::sandbox {

// Threads, of all parts: any. Paused means that the processes are frozen.
class MemoryPart {
 public:
  virtual ~MemoryPart() = default;
  virtual MemoryState state() = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class CpuPart {
 public:
  virtual ~CpuPart() = default;
  virtual tl::expected<void, SandboxError> set_quota(
      std::optional<std::chrono::microseconds> quota) = 0;
  virtual std::chrono::nanoseconds throttled() = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;
  // Suspends the quota for a moment, in which processes are about to be frozen.
  virtual void lift() = 0;
  virtual void restore() = 0;
};

// By a memory control group, and looks at what lies in /tmp.
class GroupMemory final : public MemoryPart, private Watched {
 public:
  static tl::expected<std::unique_ptr<GroupMemory>, SandboxError> make(
      std::unique_ptr<MemoryGroup> group, const ResourceRequest& request, WatchThread& thread);
  ~GroupMemory() override;
  GroupMemory(const GroupMemory&) = delete;
  GroupMemory& operator=(const GroupMemory&) = delete;

  MemoryState state() override { return limit_.state(); }
  void pause() override;
  void resume() override;

 private:
  GroupMemory(std::unique_ptr<MemoryGroup> group,
              const ResourceRequest& request,
              WatchThread& thread);

  std::optional<std::chrono::nanoseconds> look(std::chrono::nanoseconds now) override;
  int event_descriptor() const override { return group_->event_descriptor(); }
  std::uint32_t event_mask() const override { return group_->event_mask(); }
  void event() override;

  const std::unique_ptr<MemoryGroup> group_;
  MemoryLimit limit_;
  std::function<void()> exceeded_;  // its thread's
  WatchThread& thread_;
  std::atomic<bool> paused_ = false;
  // Frozen processes change nothing: what was time enough before is so afterwards.
  std::atomic<std::chrono::microseconds> interval_ = kMinLookInterval;
};

// By adding up what the processes hold.
class WatchedMemory final : public MemoryPart, private Watched {
 public:
  WatchedMemory(const ResourceRequest& request, WatchThread& thread);
  ~WatchedMemory() override;
  WatchedMemory(const WatchedMemory&) = delete;
  WatchedMemory& operator=(const WatchedMemory&) = delete;

  MemoryState state() override { return watch_.state(); }
  void pause() override;
  void resume() override;

 private:
  std::optional<std::chrono::nanoseconds> look(std::chrono::nanoseconds now) override;

  MemoryWatch watch_;
  std::function<void()> exceeded_;  // its thread's
  WatchThread& thread_;
  std::atomic<bool> paused_ = false;
};

class GroupCpu final : public CpuPart {
 public:
  explicit GroupCpu(std::unique_ptr<CpuGroup> group) : group_(std::move(group)) {}
  tl::expected<void, SandboxError> set_quota(
      std::optional<std::chrono::microseconds> quota) override;
  std::chrono::nanoseconds throttled() override { return group_->throttled(); }
  void pause() override {}
  void resume() override {}
  void lift() override;
  void restore() override;

 private:
  const std::unique_ptr<CpuGroup> group_;
  std::mutex mutex_;
  std::optional<std::chrono::microseconds> quota_;
  bool lifted_ = false;
};

class ScheduledCpu final : public CpuPart {
 public:
  ScheduledCpu(WatchThread& thread, ProcessSet& members, StopSwitch& stop)
      : schedule_(thread, members, stop) {}
  tl::expected<void, SandboxError> set_quota(
      std::optional<std::chrono::microseconds> quota) override {
    schedule_.set_quota(quota);
    return {};
  }
  std::chrono::nanoseconds throttled() override { return schedule_.throttled(); }
  void pause() override { schedule_.pause(); }
  void resume() override { schedule_.resume(); }
  void lift() override { schedule_.pause(); }
  void restore() override {}  // frozen processes stay paused; resume() follows in any other case

 private:
  CpuSchedule schedule_;
};

class StoppingFreezer final : public FreezerGroup {
 public:
  explicit StoppingFreezer(StopSwitch& stop) : stop_(stop) {}
  tl::expected<void, SandboxError> freeze(const std::function<void()>&) override {
    stop_.stop(StopSwitch::Reason::frozen);
    return {};
  }
  tl::expected<void, SandboxError> thaw() override {
    stop_.go_on(StopSwitch::Reason::frozen);
    return {};
  }

 private:
  StopSwitch& stop_;
};

}  // namespace emulator::sandbox
