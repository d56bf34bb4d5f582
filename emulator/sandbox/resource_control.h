// Limits, freeze and usage of one sandbox's processes, whatever the kernel offers for it.
//
// Sources: the kernel's admin-guide, cgroup-v1/{memory,freezer-subsystem}, cgroup-v2, and
// scheduler/sched-bwc.
#pragma once

#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/sandbox.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

// Source: measured on the service, 20 ms (docs/fidelity.md).
inline constexpr std::chrono::microseconds kCpuPeriod{20'000};

// How a control that has no kernel object of its own reaches the processes. Calls come on the
// control's own threads; the object outlives the control.
class ProcessSet {
 public:
  virtual ~ProcessSet() = default;
  // To every process of the sandbox. Returns once it is sent.
  virtual void signal_all(int signal) noexcept = 0;
  // Every process of the sandbox, host numbering.
  virtual std::vector<pid_t> processes() const = 0;
};

struct MemoryState {
  std::uint64_t current_bytes = 0;
  std::uint64_t peak_bytes = 0;
  bool exceeded = false;  // the limit was passed and processes were ended for it
};

// One set of processes, from a start until all of them have ended.
// Threads: any, but for destruction.
class ResourceControl {
 public:
  virtual ~ResourceControl() = default;  // removes every group it made; no process may be left

  // A process that writes "0" to each of these becomes a member, and so do its later children.
  // Owned by the control.
  virtual const std::vector<int>& membership() const = 0;

  // Nobody joins by then but by being a member's child. open_membership() lets others join again;
  // a new control is open. One thread at a time for these and membership().
  virtual void close_membership() = 0;
  virtual tl::expected<void, SandboxError> open_membership() = 0;

  // CPU time per kCpuPeriod over all processes; nothing: unlimited.
  virtual tl::expected<void, SandboxError> set_cpu_quota(
      std::optional<std::chrono::microseconds> quota) = 0;

  // Stops all processes where they stand, and lets them go on. Returns when it is so (freeze) or
  // ordered (thaw). Both may be repeated. Who kills a frozen set thaws it afterwards: not every
  // freezer lets a process go that has been killed.
  virtual tl::expected<void, SandboxError> freeze() = 0;
  virtual tl::expected<void, SandboxError> thaw() = 0;

  virtual MemoryState memory() = 0;
  // Time that the quota kept processes waiting; control groups add it up over CPUs. Frozen time is
  // none.
  virtual std::chrono::nanoseconds throttled() = 0;
  virtual std::chrono::nanoseconds cpu_time() = 0;
};

// Bytes in the sandbox's own /tmp, which lie in memory here and on a disk on AWS; they are taken
// out of every memory figure.
using TemporaryBytes = std::function<std::uint64_t()>;

struct ResourceRequest {
  std::optional<std::uint64_t> memory_bytes{};
  std::uint64_t temporary_bytes = 0;  // the size of /tmp
  TemporaryBytes temporary_used{};    // empty: there is no own /tmp
  std::optional<std::chrono::microseconds> cpu_quota{};
  std::optional<std::uint64_t> processes{};
  ProcessSet* members = nullptr;
  // Called once, on a thread of the control, when the memory limit is passed; it ends the
  // processes. Destruction of the control waits for it, unless it comes from within.
  std::function<void()> memory_exceeded{};
};

// What makes controls: one for a Hearth, with one parent group in each hierarchy that is used, and
// the threads that watch. Threads: any, but for construction and destruction.
class ResourceController {
 public:
  // Removes empty groups that an earlier, killed Hearth left. `label` names the parent groups,
  // "hearth-4711".
  ResourceController(const IsolationPlan& plan, const CgroupPlaces& places, std::string label);
  ResourceController(const ResourceController&) = delete;
  ResourceController& operator=(const ResourceController&) = delete;
  ~ResourceController();

  tl::expected<std::unique_ptr<ResourceControl>, SandboxError> make(const ResourceRequest& request);

  // The parent groups, for a guardian to remove should Hearth be killed: first the folders in them,
  // which nobody holds any more then, by rmdir alone, since files in them cannot be removed.
  std::vector<std::string> parent_folders() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace emulator::sandbox
