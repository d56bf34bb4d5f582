// What a test needs of the host. Each of these skips the running test where it is missing, with
// the host's own reason, so that a list of skipped tests reads as what the host cannot hold.
#pragma once

#include "emulator/sandbox/host_capabilities.h"
#include "emulator/sandbox/isolation_plan.h"

namespace tests {

// Of this process, probed once.
const emulator::sandbox::HostCapabilities& host();

// What `--sandbox degraded` does on this host.
const emulator::sandbox::IsolationPlan& host_plan();

void requires_namespaces();
void requires_own_proc();
void requires_function_user();
void requires_system_call_filter();
void requires_own_network();
void requires_outward_network();
void requires_peer_check();

// Limited by the kernel; a watcher sees what is resident, and some time later.
void requires_cgroup_memory();
void requires_cgroup_cpu();
void requires_cgroup_pids();
void requires_cgroup_freezer();

}  // namespace tests
