// What this kernel and this user may do. Probed once into a value that is printed and planned from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

// A folder of a control group hierarchy below which we may make groups, and how it works.
//
// In v2 a controller may have to be switched on in the folder's cgroup.subtree_control first. Where
// that is refused because a group with processes cannot have it, those in the folder may be moved
// into a group below: they are this process and its children, or the group was delegated.
struct CgroupPlace {
  enum class Version { v1, v2 };
  Version version = Version::v2;
  std::string folder;  // absolute; this process's own group, or one above it that we may write
  bool operator==(const CgroupPlace&) const = default;
};

// Where each kind of control can be had; nothing where it cannot. On a host that mounts both
// versions they may lie in different hierarchies; those of v2 are one folder, because a process is
// in one group of v2.
struct CgroupPlaces {
  // Where this host has its controllers, usable or not; nothing where none is mounted.
  std::optional<CgroupPlace::Version> controllers;
  std::optional<CgroupPlace> memory;
  std::optional<CgroupPlace> cpu;
  std::optional<CgroupPlace> freezer;
  std::optional<CgroupPlace> pids;
  // Why each is missing, a clause; empty when it is not.
  std::string no_memory;
  std::string no_cpu;
  std::string no_freezer;
  std::string no_pids;
  bool operator==(const CgroupPlaces&) const = default;
};

// Each is the reason why it cannot be had, a clause; empty when it can.
struct HostCapabilities {
  std::string kernel;
  int cpus = 0;  // that this process may run on
  std::uint64_t memory_bytes = 0;
  bool superuser = false;

  std::string no_pidfd;           // or not for entering another process's namespaces
  std::string no_user_namespace;  // tried only where namespaces are not to be had without
  // Mount, process, ipc and uts namespaces together, inside a user namespace where needed.
  std::string no_namespaces;
  std::string no_cgroup_namespace;
  std::string no_network_namespace;
  std::string no_new_proc;  // mounting /proc in a new process namespace
  std::string no_overlay;   // an overlay file system in those namespaces
  // uid 993 and gid 990 can be taken on, and those namespaces be had, without a user namespace.
  std::string no_function_user;
  std::string no_seccomp;
  std::string no_socket_diagnosis;  // the kernel tells which process holds a connection
  std::string no_pasta;             // the program that carries an own network's traffic outwards
  CgroupPlaces cgroups;

  // What may stand in the way of namespaces and control groups, where it shows itself in a known
  // way: Ubuntu's AppArmor restriction of user namespaces, a kernel setting that forbids them, the
  // walls of a container.
  enum class Obstacle { none, apparmor, sysctl, container };
  Obstacle obstacle = Obstacle::none;
  // The kernel setting that would take it away, as sysctl -w wants it; empty unless it is one.
  std::string setting;
};

// Source: what functions run as on the service, sbx_user1051.
inline constexpr std::uint32_t kFunctionUser = 993;
inline constexpr std::uint32_t kFunctionGroup = 990;

// Tries each thing in a child of its own where trying changes the caller: everything at once, and
// one by one only what that did not show. A few milliseconds. The caller has no other threads, or
// none that hold locks the child would need: it calls nothing but the kernel.
HostCapabilities probe_host();

// Which control groups this process may make, from the texts of /proc/self/cgroup and
// /proc/self/mountinfo and from what lies below `root` (normally empty; a fake tree in tests).
CgroupPlaces find_cgroups(const std::string& self_cgroup,
                          const std::string& mountinfo,
                          const std::string& root = "");

}  // namespace emulator::sandbox
