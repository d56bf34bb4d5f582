// The steps from a request to a running program, by name: what a failure names, and what a timing
// measures.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace emulator::sandbox {

// In the order in which they are done. Those of the first process and of entering are taken only
// where the plan has namespaces.
enum class LaunchStep : int {
  // Hearth itself.
  resource_groups,
  // The sandbox's first process.
  clone_first_process,
  user_mapping,
  network_setup,
  host_name,
  root_base,
  root_contents,
  root_change,
  first_process_user,
  // Whoever brings a program in.
  clone_entrance,
  enter_namespaces,
  listening_socket,
  clone_process,
  // The program's process.
  process_group,
  standard_streams,
  join_groups,
  cgroup_namespace,
  limits,
  visible_cpus,
  signals,
  descriptors,
  user,
  privileges,
  parent_death_signal,
  working_folder,
  system_call_filter,
  exec,
};
inline constexpr std::size_t kLaunchSteps = static_cast<std::size_t>(LaunchStep::exec) + 1;

// "entering the working folder", as in "entering the working folder failed: …".
const char* describe(LaunchStep step);

// When each step was done, in nanoseconds of the monotonic clock; 0: not taken. Lies in memory that
// parent and children share, so that measuring costs a clock reading a step. A clone is noted by
// the process that it made: its parent may get to run only when the program does.
struct StepTimes {
  std::int64_t began = 0;
  std::array<std::int64_t, kLaunchSteps> done{};
};

// Does nothing without `times`. Safe between clone and exec.
void note(StepTimes* times, LaunchStep step) noexcept;

// What a child tells on its line: a failure, or the id of the process that was cloned, or that the
// first process is ready. The line closes on exec.
struct LaunchReport {
  enum class Kind : int { failed, cloned, ready };
  Kind kind = Kind::failed;
  LaunchStep step = LaunchStep::exec;
  int number = 0;  // errno, or the process id
  int item = -1;   // which of the steps of a root, the failed one
};

}  // namespace emulator::sandbox
