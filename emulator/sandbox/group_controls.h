// The controls of a group that do not depend on which version of control groups offers them.
#pragma once

#include "emulator/sandbox/memory_limit.h"
#include "emulator/sandbox/sandbox.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace emulator::sandbox {

// How long processes may take to stand still. Our choice: what runs in the kernel finishes there,
// and what waits for its next CPU period gets there first.
inline constexpr std::chrono::milliseconds kFreezePatience{1'000};

// The least quota the kernel takes. Source: min_cfs_quota_period in kernel/sched/core.c.
inline constexpr std::chrono::microseconds kMinKernelQuota{1'000};

struct KernelQuota {
  std::chrono::microseconds quota{};
  std::chrono::microseconds period{};
};
// The same share with a quota the kernel takes: less than the least has a longer period.
KernelQuota kernel_quota(std::chrono::microseconds quota, std::chrono::microseconds period);

// Threads: any.
class CpuGroup {
 public:
  virtual ~CpuGroup() = default;
  virtual tl::expected<void, SandboxError> set_quota(
      std::optional<std::chrono::microseconds> quota) = 0;
  virtual std::chrono::nanoseconds throttled() const = 0;
};

// Threads: any, one call at a time.
class FreezerGroup {
 public:
  virtual ~FreezerGroup() = default;
  // Calls `delayed` once if processes do not stand still at once: they may be waiting for their
  // next CPU period, and a process stands still only when it runs.
  virtual tl::expected<void, SandboxError> freeze(const std::function<void()>& delayed) = 0;
  virtual tl::expected<void, SandboxError> thaw() = 0;
};

// Each takes a group's folder, which outlives what is made of it.
template <typename Control>
using MadeControl = tl::expected<std::unique_ptr<Control>, SandboxError>;

}  // namespace emulator::sandbox
