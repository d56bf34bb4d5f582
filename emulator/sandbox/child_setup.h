// What a child does between clone and exec, as one list of steps. Everything it needs is prepared
// before the clone: the child must not allocate, lock or log, because it is a copy of one thread of
// a process with many.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>

namespace emulator::sandbox {

enum class ChildStep : int {
  process_group,
  parent_death_signal,
  standard_streams,
  limits,
  signals,
  descriptors,
  working_folder,
  exec,
};

const char* describe(ChildStep step);

// Written to the report pipe when a step fails; the pipe closes on exec.
struct ChildFailure {
  ChildStep step;
  int error_number;
};

struct ChildLimit {
  int resource;
  rlimit value;
};

struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* environment;
  const char* working_folder;
  std::array<ChildLimit, 4> limits;
  int input;   // becomes descriptor 0
  int output;  // becomes descriptors 1 and 2
  int report;  // the report pipe's writing end
  pid_t parent;
  int guardian;  // Guardian::descriptor()
};

// Never returns: the program runs, or the failure is reported and the child is gone.
[[noreturn]] void become(const ChildPlan& plan) noexcept;

}  // namespace emulator::sandbox
