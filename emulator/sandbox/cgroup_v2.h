// Controls on the unified hierarchy.
//
// Source: the kernel's admin-guide, cgroup-v2.
#pragma once

#include "emulator/sandbox/control_group.h"
#include "emulator/sandbox/group_controls.h"

#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox::cgroup_v2 {

MadeControl<MemoryGroup> memory_group(const std::string& folder);
MadeControl<CpuGroup> cpu_group(const std::string& folder);
MadeControl<FreezerGroup> freezer_group(const std::string& folder);

// CPU time of a group: usage_usec, which every group has, also without the controller.
std::chrono::nanoseconds cpu_time(const GroupFile& cpu_stat);

// Makes controllers available to the groups below a folder of ours for as long as it lives.
//
// A group that gives controllers to groups below it may not itself hold processes (but for the
// root). Where the folder is the group that Hearth runs in, its processes therefore move to a group
// beside those that we make, and back in the end.
// Threads: its owner's.
class Controllers {
 public:
  // `own_group` names the group for what lies in `folder`.
  static tl::expected<Controllers, SandboxError> enable(const std::string& folder,
                                                        const std::vector<std::string>& names,
                                                        const std::string& own_group);

  Controllers(Controllers&& other) noexcept;
  Controllers& operator=(Controllers&&) = delete;
  Controllers(const Controllers&) = delete;
  Controllers& operator=(const Controllers&) = delete;
  ~Controllers();

 private:
  explicit Controllers(std::string folder) : folder_(std::move(folder)) {}

  tl::expected<void, SandboxError> move_members_to(const std::string& own_group);

  std::string folder_;
  std::vector<std::string> enabled_;
  std::string own_group_;  // empty unless processes were moved
};

}  // namespace emulator::sandbox::cgroup_v2
