// What this kernel and this user may do. Probed once into a value that is printed and planned from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

// A folder of a control group hierarchy below which we may make groups, and how it works.
struct CgroupPlace {
  enum class Version { v1, v2 };
  Version version = Version::v2;
  std::string folder;  // absolute; this process's own group, or one above it that we may write
  bool operator==(const CgroupPlace&) const = default;
};

// Where each kind of control can be had; nothing where it cannot. On a host that mounts both
// versions they may lie in different hierarchies.
struct CgroupPlaces {
  std::optional<CgroupPlace> memory;
  std::optional<CgroupPlace> cpu;
  std::optional<CgroupPlace> freezer;
  std::optional<CgroupPlace> pids;
  std::string refused;  // why what is missing is missing, a clause; empty when nothing is
  bool operator==(const CgroupPlaces&) const = default;
};

// Each is the reason why it cannot be had, a clause; empty when it can.
struct HostCapabilities {
  std::string kernel;
  int cpus = 0;  // that this process may run on
  std::uint64_t memory_bytes = 0;
  bool superuser = false;

  std::string no_pidfd;
  std::string no_user_namespace;
  // Mount, process, ipc and uts namespaces together, inside a user namespace where needed.
  std::string no_namespaces;
  std::string no_cgroup_namespace;
  std::string no_network_namespace;
  std::string no_new_proc;       // mounting /proc in a new process namespace
  std::string no_overlay;        // an overlay file system in those namespaces
  std::string no_function_user;  // uid 993 and gid 990 can be taken on without a user namespace
  std::string no_seccomp;
  std::string no_socket_diagnosis;  // the kernel tells which process holds a connection
  std::string no_pasta;             // the program that carries an own network's traffic outwards
  CgroupPlaces cgroups;

  // Why namespaces are refused, where the host says so in a known way.
  enum class Obstacle { none, apparmor, sysctl, container };
  Obstacle obstacle = Obstacle::none;
};

// Tries each thing in a child of its own where trying changes the caller. A few milliseconds.
HostCapabilities probe_host();

// Which control groups this process may make, from the texts of /proc/self/cgroup and
// /proc/self/mountinfo and from what lies below `root` (normally empty; a fake tree in tests).
CgroupPlaces find_cgroups(const std::string& self_cgroup,
                          const std::string& mountinfo,
                          const std::string& root = "");

}  // namespace emulator::sandbox
