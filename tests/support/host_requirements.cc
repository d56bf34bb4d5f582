#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

namespace tests {
namespace {

using namespace emulator::sandbox;

void require_had(bool had, const std::string& what, const std::string& why) {
  if (!had) SKIP("SKIPPED: needs " << what << "; " << (why.empty() ? "the plan has none" : why));
}

template <typename Means>
bool by_kernel(Means means) {
  return means == Means::cgroup_v1 || means == Means::cgroup_v2;
}

}  // namespace

const HostCapabilities& host() {
  static const HostCapabilities capabilities = probe_host();
  return capabilities;
}

const IsolationPlan& host_plan() {
  static const IsolationPlan plan = [] {
    auto planned = plan_isolation({.strictness = Strictness::degraded}, host());
    REQUIRE(planned);
    return *planned;
  }();
  return plan;
}

void requires_namespaces() {
  require_had(host_plan().namespaces, "namespaces and a root of its own", host().no_namespaces);
}

void requires_own_proc() {
  requires_namespaces();
  require_had(host_plan().new_proc, "a /proc of its own", host().no_new_proc);
}

void requires_function_user() {
  require_had(host_plan().function_user, "processes that run as uid 993", host().no_function_user);
}

void requires_system_call_filter() {
  require_had(host_plan().system_call_filter, "a filter of system calls", host().no_seccomp);
}

void requires_own_network() {
  requires_namespaces();
  require_had(
      host().no_network_namespace.empty(), "a network of its own", host().no_network_namespace);
}

void requires_outward_network() {
  requires_own_network();
  require_had(host().no_pasta.empty(), "pasta", host().no_pasta);
  require_had(host().no_tunnel.empty(), "the device for tunnels", host().no_tunnel);
}

void requires_peer_check() {
  require_had(host_plan().check_peers, "to know who connects", host().no_socket_diagnosis);
}

void requires_cgroup_memory() {
  require_had(by_kernel(host_plan().memory), "control groups for memory", host().cgroups.no_memory);
}

void requires_cgroup_cpu() {
  require_had(by_kernel(host_plan().cpu), "control groups for CPU time", host().cgroups.no_cpu);
}

void requires_cgroup_pids() {
  require_had(by_kernel(host_plan().process_count),
              "control groups for numbers of processes",
              host().cgroups.no_pids);
}

void requires_cgroup_freezer() {
  require_had(
      by_kernel(host_plan().freeze), "control groups that freeze", host().cgroups.no_freezer);
}

}  // namespace tests
