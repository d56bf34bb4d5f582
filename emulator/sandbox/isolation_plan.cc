#include "emulator/sandbox/isolation_plan.h"

#include <cstdio>
#include <utility>

namespace emulator::sandbox {
namespace {

using Obstacle = HostCapabilities::Obstacle;
using Version = CgroupPlace::Version;

// Source: Docker's documentation of --security-opt; its default filter refuses namespaces, its
// AppArmor profile mounting, and its masked paths a new /proc.
constexpr const char* kOpenContainer =
    "start the container with --security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined --security-opt systempaths=unconfined";

// Since Linux 5.14 RLIMIT_NPROC counts the processes of one user namespace; before, and without
// one, all that the user has anywhere, which a limit for one sandbox must not meet.
constexpr std::pair<int, int> kProcessesCountedPerNamespace{5, 14};

bool at_least(const std::string& kernel, std::pair<int, int> wanted) {
  std::pair<int, int> version{0, 0};
  // NOLINTNEXTLINE(cert-err34-c): what is no number leaves the zero
  std::sscanf(kernel.c_str(), "%d.%d", &version.first, &version.second);
  return version >= wanted;
}

std::string remedy_for_namespaces(const HostCapabilities& host) {
  if (!host.no_pidfd.empty()) return "Linux 5.8 or newer";
  switch (host.obstacle) {
    case Obstacle::apparmor:
      return "sudo sysctl -w " + host.setting +
             ", or for Hearth alone an AppArmor profile that allows it userns";
    case Obstacle::sysctl:
      return "sudo sysctl -w " + host.setting;
    case Obstacle::container:
      return kOpenContainer;
    case Obstacle::none:
      return host.superuser ? "" : "run Hearth as root";
  }
  return {};
}

std::string remedy_for_groups(const HostCapabilities& host) {
  if (host.obstacle == Obstacle::container) {
    return host.superuser ? "start the container with --privileged --cgroupns=private, and Hearth "
                            "as its first process"
                          : "start the container with --privileged --cgroupns=private, as root";
  }
  if (host.cgroups.controllers == Version::v2) {
    return host.superuser ? "systemd-run --scope -p Delegate=yes hearth …"
                          : "systemd-run --user --scope -p Delegate=yes hearth …";
  }
  return host.superuser ? "" : "run Hearth as root";
}

template <typename Means>
Means means_at(const CgroupPlace& place) {
  return place.version == Version::v1 ? Means::cgroup_v1 : Means::cgroup_v2;
}

std::string version_word(const std::optional<CgroupPlace>& place) {
  return place && place->version == Version::v1 ? "control group, v1" : "control group, v2";
}

// Builds a plan part by part; each adds its steps and what it had to give up.
class Planner {
 public:
  Planner(const IsolationWish& wish, const HostCapabilities& host) : wish_(wish), host_(host) {
    plan_.strictness = wish.strictness;
    plan_.network = wish.network;
  }

  IsolationPlan build() {
    plan_control_groups();
    plan_namespaces();
    plan_network();
    plan_root();
    plan_user();
    plan_processes();
    plan_system_calls();
    plan_peers();
    plan_freeze();
    return std::move(plan_);
  }

 private:
  void step(std::string name, std::string detail) {
    plan_.steps.push_back({std::move(name), std::move(detail)});
  }

  void give_up(std::string what, std::string why, std::string effect, std::string remedy) {
    plan_.given_up.push_back(
        {std::move(what), std::move(why), std::move(effect), std::move(remedy)});
  }

  void plan_control_groups() {
    const auto& groups = host_.cgroups;
    if (groups.memory) {
      plan_.memory = means_at<MemoryMeans>(*groups.memory);
      step("memory limit", version_word(groups.memory) + ": over it, all processes are ended");
    } else {
      plan_.memory = MemoryMeans::watcher;
      step("memory limit", "resident sizes are watched: over it, all processes are ended");
      give_up("memory limit by control group",
              groups.no_memory,
              "resident sizes are watched instead; a short peak may pass unseen",
              remedy_for_groups(host_));
    }
    if (groups.cpu) {
      plan_.cpu = means_at<CpuMeans>(*groups.cpu);
      step("CPU share", version_word(groups.cpu) + ": CPU time in each period of 20 ms");
    } else {
      plan_.cpu = CpuMeans::stop_and_continue;
      step("CPU share", "processes are stopped and continued within each period of 20 ms");
      give_up("CPU share by control group",
              groups.no_cpu,
              "processes are stopped and continued by signals instead; shares are less exact and "
              "a parent can see its child stop",
              remedy_for_groups(host_));
    }
    plan_process_count();
  }

  void plan_process_count() {
    const auto& groups = host_.cgroups;
    const bool own_count = needs_user_namespace() && namespaces_can_be_had() &&
                           at_least(host_.kernel, kProcessesCountedPerNamespace);
    if (groups.pids) {
      plan_.process_count = means_at<ProcessCountMeans>(*groups.pids);
      step("process limit", version_word(groups.pids) + ": processes and threads are counted");
    } else if (own_count) {
      plan_.process_count = ProcessCountMeans::rlimit;
      step("process limit", "RLIMIT_NPROC, counted for this sandbox alone");
      give_up("process limit by control group",
              groups.no_pids,
              "a resource limit counts the processes and threads instead",
              remedy_for_groups(host_));
    } else {
      plan_.process_count = ProcessCountMeans::none;
      give_up("process limit",
              groups.no_pids,
              "processes that start others without end are held only by the limits of the "
              "user that Hearth runs as",
              remedy_for_groups(host_));
    }
  }

  bool needs_user_namespace() const { return !host_.no_function_user.empty(); }

  std::string why_no_namespaces() const {
    if (!host_.no_pidfd.empty()) return host_.no_pidfd;
    if (!host_.no_namespaces.empty()) return host_.no_namespaces;
    return needs_user_namespace() ? host_.no_user_namespace : "";
  }

  bool namespaces_can_be_had() const { return why_no_namespaces().empty(); }

  void plan_namespaces() {
    plan_.namespaces = namespaces_can_be_had();
    if (!plan_.namespaces) {
      give_up("namespaces and a root of their own",
              why_no_namespaces(),
              "processes run in a process group as the user that Hearth runs as; they see the "
              "host's files, its /tmp and its processes, and one that leaves its group outlives "
              "the sandbox; the name sandbox.localdomain is known only if the host's /etc/hosts "
              "has it",
              remedy_for_namespaces(host_));
      return;
    }
    plan_.user_namespace = needs_user_namespace();
    if (plan_.user_namespace) step("user namespace", "uid 993 in it is the user of Hearth");
    step("namespaces",
         "mounts, processes, IPC and host name of their own, held by a first process");
    plan_.cgroup_namespace = host_.no_cgroup_namespace.empty();
    if (plan_.cgroup_namespace) {
      step("control group namespace", "the host's groups are not seen");
    } else {
      give_up("control group namespace",
              host_.no_cgroup_namespace,
              "/proc/self/cgroup tells the host's group names",
              remedy_for_namespaces(host_));
    }
  }

  void plan_network() {
    if (wish_.network == Network::host) return;
    step("network namespace",
         wish_.network == Network::none ? "a loopback and nothing else"
                                        : "a loopback, and pasta carries traffic outwards");
  }

  void plan_root() {
    if (!plan_.namespaces) return;
    step("own root",
         wish_.root_image ? "the image, copy-on-write; /var/task and /opt read-only; /tmp of its "
                            "own size; a minimal /dev"
                          : "/var/task, /opt and the system folders read-only; /tmp of its own "
                            "size; a minimal /dev");
    plan_.new_proc = host_.no_new_proc.empty();
    if (plan_.new_proc) {
      step("own /proc", "with the sandbox's processes only");
      return;
    }
    give_up("own /proc",
            host_.no_new_proc,
            "there is no /proc; runtimes that read it (Java's and .NET's do) may not start",
            host_.obstacle == Obstacle::container
                ? "start the container with --security-opt systempaths=unconfined"
                : remedy_for_namespaces(host_));
  }

  void plan_user() {
    plan_.function_user = plan_.namespaces;
    if (plan_.function_user) step("function user", "uid 993, gid 990, no capabilities");
  }

  void plan_processes() {
    step("process group", "of their own, ended and reaped through process descriptors");
    step("limits", "open files, core size, locked memory, stack; the listed descriptors only");
    step("no new privileges", "set-user-id programs give nothing");
  }

  void plan_system_calls() {
    plan_.system_call_filter = host_.no_seccomp.empty();
    if (plan_.system_call_filter) {
      step("system call filter", "seccomp; a denied call gets EPERM");
      return;
    }
    give_up("system call filter",
            host_.no_seccomp,
            "every system call is allowed that the user's rights allow",
            "a kernel with CONFIG_SECCOMP_FILTER");
  }

  void plan_peers() {
    plan_.check_peers = host_.no_socket_diagnosis.empty();
    if (plan_.check_peers) {
      step("peer check", "the Runtime API answers the processes of its own environment only");
      return;
    }
    // A network of its own keeps strangers away without asking.
    if (wish_.network != Network::host) return;
    give_up("peer check",
            host_.no_socket_diagnosis,
            "any process of this host that finds its port can speak to an environment's Runtime "
            "API",
            "a kernel with CONFIG_INET_DIAG, or --network none");
  }

  void plan_freeze() {
    const auto& groups = host_.cgroups;
    if (groups.freezer) {
      plan_.freeze = means_at<FreezeMeans>(*groups.freezer);
      step("freeze", version_word(groups.freezer) + ": frozen processes do not run");
      return;
    }
    plan_.freeze = FreezeMeans::stop_and_continue;
    step("freeze", "SIGSTOP, and SIGCONT to go on");
    give_up("freeze by control group",
            groups.no_freezer,
            "processes are stopped by a signal instead; a parent can see its child "
            "stop",
            remedy_for_groups(host_));
  }

  const IsolationWish& wish_;
  const HostCapabilities& host_;
  IsolationPlan plan_;
};

std::string with_remedy(const std::string& sentence, const std::string& remedy) {
  return sentence + (remedy.empty() ? "" : "; to get it: " + remedy);
}

// What was asked for by name and cannot be given up. Empty when all can be had.
std::string impossible(const IsolationWish& wish,
                       const HostCapabilities& host,
                       const IsolationPlan& plan) {
  const std::string network =
      wish.network == Network::none ? "--network none" : "--network private";
  if (wish.network != Network::host) {
    const auto why = plan.namespaces ? host.no_network_namespace : "there are no namespaces";
    if (!why.empty()) {
      return with_remedy(network + " is impossible here: " + why, remedy_for_namespaces(host));
    }
  }
  if (wish.network == Network::own_outward && !host.no_pasta.empty()) {
    return network + " is impossible here: " + host.no_pasta +
           "; it is in Debian's and Ubuntu's package passt: sudo apt install passt";
  }
  if (wish.network == Network::own_outward && !host.no_tunnel.empty()) {
    return network + " is impossible here: " + host.no_tunnel +
           "; to get it: sudo modprobe tun && sudo chmod 666 /dev/net/tun";
  }
  if (wish.root_image) {
    const auto why = plan.namespaces ? host.no_overlay : "there are no namespaces";
    if (!why.empty()) {
      return with_remedy("--rootfs is impossible here: " + why, remedy_for_namespaces(host));
    }
  }
  return {};
}

std::string refusal(const std::vector<Downgrade>& given_up) {
  std::string message = "--sandbox full cannot be kept on this host:";
  for (const auto& lost : given_up) {
    message += with_remedy("\n  no " + lost.what + ": " + lost.why, lost.remedy);
  }
  return message;
}

}  // namespace

IsolationPlan bare_plan() {
  IsolationPlan plan;
  plan.steps = {
      {"process group", "of their own, ended and reaped through process descriptors"},
      {"limits", "open files, core size, locked memory, stack; the listed descriptors only"}};
  return plan;
}

tl::expected<IsolationPlan, IsolationRefused> plan_isolation(const IsolationWish& wish,
                                                             const HostCapabilities& host) {
  if (wish.strictness == Strictness::none) {
    if (wish.network != Network::host) {
      return tl::unexpected(IsolationRefused{
          "--sandbox none leaves the host's network; leave --network or --sandbox none away"});
    }
    if (wish.root_image) {
      return tl::unexpected(IsolationRefused{
          "--sandbox none leaves the host's root; leave --rootfs or --sandbox none away"});
    }
    return bare_plan();
  }
  auto plan = Planner(wish, host).build();
  plan.cgroups = host.cgroups;
  if (const auto why = impossible(wish, host, plan); !why.empty()) {
    return tl::unexpected(IsolationRefused{why});
  }
  if (wish.strictness == Strictness::full && !plan.given_up.empty()) {
    return tl::unexpected(IsolationRefused{refusal(plan.given_up)});
  }
  return plan;
}

std::string summary(const std::vector<Downgrade>& given_up) {
  if (given_up.empty()) return {};
  std::string line = "degraded:";
  for (const auto& lost : given_up)
    line += (&lost == &given_up.front() ? " no " : ", no ") + lost.what;
  return line + "; hearth doctor tells why and how to get it";
}

}  // namespace emulator::sandbox
