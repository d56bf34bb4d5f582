// What a child does between clone and exec, as one list of steps. Everything it needs is prepared
// before the clone: the child must not allocate, lock or log, because it is a copy of one thread of
// a process with many.
#pragma once

#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/launch_step.h"

#include <linux/filter.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <cstddef>

namespace emulator::sandbox {

struct ChildLimit {
  int resource;
  rlimit value;
};
inline constexpr std::size_t kMaxChildLimits = 5;

struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* environment;
  const char* working_folder;
  std::array<ChildLimit, kMaxChildLimits> limits;
  std::size_t limit_count;
  int input;   // becomes descriptor 0
  int output;  // becomes descriptors 1 and 2
  int report;  // where LaunchReports go; closes on exec
  // The parent's id as the child sees it: 0 from inside another process namespace.
  pid_t parent;
  int guardian;  // Guardian::descriptor(), or -1

  // Descriptors of control group files; writing "0" to each joins.
  const int* groups;
  std::size_t group_count;
  bool cgroup_namespace;
  const cpu_set_t* visible_cpus;  // nullptr: all
  bool session;                   // a session of its own rather than a process group only
  bool become_function_user;      // by setuid; inside a user namespace the mapping does it
  bool drop_privileges;           // every capability, and no new ones by exec
  const sock_fprog* filter;       // nullptr: none
  StepTimes* times;               // nullptr: not measured
};

// Never returns: the program runs, or the failure is reported and the child is gone.
[[noreturn]] void become(const ChildPlan& plan) noexcept;

// Reports the failure of a step with errno, and ends the process.
[[noreturn]] void fail(int report, LaunchStep step, int item = -1) noexcept;

// Every signal has its default action and none is blocked. False: the host refused.
bool reset_signals() noexcept;

// Takes on kFunctionUser and kFunctionGroup for good, without further groups. False, with errno:
// the host refused.
bool become_function_user() noexcept;

// Closes every descriptor from `first` on. False: the host refused.
bool close_from(int first) noexcept;

}  // namespace emulator::sandbox
