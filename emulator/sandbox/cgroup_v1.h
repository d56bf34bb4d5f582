// Controls on hierarchies of their own.
//
// Source: the kernel's admin-guide, cgroup-v1/{memory,freezer-subsystem}, and scheduler/sched-bwc.
#pragma once

#include "emulator/sandbox/group_controls.h"

#include <string>

namespace emulator::sandbox::cgroup_v1 {

MadeControl<MemoryGroup> memory_group(const std::string& folder);
MadeControl<CpuGroup> cpu_group(const std::string& folder);
MadeControl<FreezerGroup> freezer_group(const std::string& folder);

}  // namespace emulator::sandbox::cgroup_v1
