// What the first process of a sandbox does between its clone and the exec of the program that it
// becomes, and what a process does that brings a further one into the namespaces. The same rules as
// in child_setup.h: no allocation, no lock, no log.
//
// The root is built beside the host's: a tmpfs becomes the root for a moment, in which the host's
// root lies at kHostRoot and the new one at kNewRoot, so that nothing that is mounted hides what is
// still to be mounted from. Then the new one becomes the root and the rest is let go.
#pragma once

#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/launch_step.h"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace emulator::sandbox {

// As paths while the root is built.
inline constexpr const char* kHostRoot = "/host";
inline constexpr const char* kNewRoot = "/new-root";
// For what is written over an image.
inline constexpr const char* kUpper = "/over-upper";
inline constexpr const char* kWork = "/over-work";

// One step of the root, its paths complete as they are while it is built.
struct RootStep {
  enum class Kind : int { folder, file, link, bind, bind_read_only, mount, read_only };
  Kind kind = Kind::folder;
  bool required = true;
  const char* type = nullptr;  // of a mount: "tmpfs", "proc", "overlay"
  const char* source = nullptr;
  std::size_t source_size = 0;  // of a file's content
  const char* target = nullptr;
  const char* options = nullptr;  // of a mount
  unsigned long flags = 0;        // of a mount
  mode_t mode = 0;                // of a folder or file
};

struct FirstProcessPlan {
  const char* user_map;   // what goes into uid_map; nullptr: no user namespace
  const char* group_map;  // and into gid_map
  bool own_network;
  const char* host_name;
  const RootStep* steps;
  std::size_t step_count;
  int program;  // a descriptor of the program that it becomes
  int line;     // becomes descriptor 3 of that program
  int report;
  StepTimes* times;
};

// The kernel ends what is in the namespaces when this process ends.
[[noreturn]] void become_first_process(const FirstProcessPlan& plan) noexcept;

struct EntrancePlan {
  int first_process;      // its pidfd
  int namespaces;         // CLONE_NEW… flags of those to enter
  bool listening_socket;  // make one inside and send it with the report
  int report;
  // In memory shared with Hearth: the kernel writes the child's id here as it makes the child, so
  // that it is known even if the one who enters is killed before it can report. May be null.
  pid_t* cloned;
  StepTimes* times;
};

// Enters, clones a child that becomes `child` and whose parent is the caller's parent, reports its
// id and ends. The listening socket comes with that report, as a descriptor.
[[noreturn]] void enter_and_start(const EntrancePlan& plan, const ChildPlan& child) noexcept;

}  // namespace emulator::sandbox
