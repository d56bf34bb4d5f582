// From what the user wishes and what the host can do to what will be done: named steps in their
// order, and a list of what was given up and why. A pure function; degradation is data.
#pragma once

#include "emulator/sandbox/host_capabilities.h"

#include <tl/expected.hpp>

#include <string>
#include <vector>

namespace emulator::sandbox {

enum class Strictness { full, degraded, none };
enum class Network {
  host,         // the host's
  none,         // an own one with nothing but a loopback
  own_outward,  // an own one, whose traffic pasta carries outwards
};

struct IsolationWish {
  Strictness strictness = Strictness::degraded;
  Network network = Network::host;
  bool root_image = false;  // --rootfs
};

enum class MemoryMeans { none, watcher, cgroup_v1, cgroup_v2 };
enum class CpuMeans { none, stop_and_continue, cgroup_v1, cgroup_v2 };
enum class FreezeMeans { none, stop_and_continue, cgroup_v1, cgroup_v2 };
enum class ProcessCountMeans { none, rlimit, cgroup_v1, cgroup_v2 };

struct PlannedStep {
  std::string name;    // "own root"
  std::string detail;  // "/var/task, /opt and the system folders read-only; /tmp of its own"
  bool operator==(const PlannedStep&) const = default;
};

struct Downgrade {
  std::string what;    // "memory limit by control group"
  std::string why;     // "this user may not write /sys/fs/cgroup"
  std::string effect;  // "resident sizes are watched instead; a short peak may pass unseen"
  std::string remedy;  // the command that would give it; may be empty
  bool operator==(const Downgrade&) const = default;
};

struct IsolationPlan {
  Strictness strictness = Strictness::none;
  Network network = Network::host;
  bool user_namespace = false;
  // Mount, process, ipc and uts namespaces with a root of their own, and a first process that
  // holds them. All or none: half of them keeps nobody in.
  bool namespaces = false;
  bool cgroup_namespace = false;
  bool new_proc = false;  // else the sandbox has no /proc
  bool system_call_filter = false;
  bool function_user = false;  // processes run as uid 993, gid 990
  bool check_peers = false;    // who connects to the Runtime API is asked of the kernel
  MemoryMeans memory = MemoryMeans::none;
  CpuMeans cpu = CpuMeans::none;
  FreezeMeans freeze = FreezeMeans::none;
  ProcessCountMeans process_count = ProcessCountMeans::none;
  CgroupPlaces cgroups;            // where the groups that it names are made
  std::vector<PlannedStep> steps;  // in the order in which they are done
  std::vector<Downgrade> given_up;
};

// Nothing but processes; what tests and `--sandbox none` use.
IsolationPlan bare_plan();

struct IsolationRefused {
  std::string message;  // every downgrade that `full` forbids, with its remedy
};

// Fails where the wish is `full` and something would be given up, or where what was asked for by
// name (an own network, a root image) cannot be had at all.
tl::expected<IsolationPlan, IsolationRefused> plan_isolation(const IsolationWish& wish,
                                                             const HostCapabilities& host);

// One line for people: "degraded: memory is watched, not limited; …". Empty when nothing was given
// up.
std::string summary(const std::vector<Downgrade>& given_up);

}  // namespace emulator::sandbox
