#include "emulator/sandbox/host_capabilities.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace emulator::sandbox {
namespace {

namespace fs = std::filesystem;

// The error of unshare(flags) in a child, 0 when it succeeded there.
int try_unshare(int flags) {
  const auto child = ::fork();
  if (child == 0) ::_exit(::unshare(flags) == 0 ? 0 : errno);
  if (child < 0) return errno;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

Capability namespaces(const std::string& name, int flags) {
  const int error = try_unshare(flags);
  Capability capability{.name = name, .available = error == 0, .detail = "", .remedy = ""};
  capability.detail =
      error == 0 ? "allowed" : std::string("refused: ") + std::generic_category().message(error);
  if (error == 0) return capability;
  if (fs::exists("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")) {
    capability.remedy = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  } else if (fs::exists("/proc/sys/kernel/unprivileged_userns_clone")) {
    capability.remedy = "sudo sysctl -w kernel.unprivileged_userns_clone=1";
  } else {
    capability.remedy = "in a container: start it with --security-opt seccomp=unconfined";
  }
  return capability;
}

Capability pidfd() {
  const auto descriptor = ::syscall(SYS_pidfd_open, ::getpid(), 0);
  const bool open = descriptor >= 0;
  if (open) ::close(static_cast<int>(descriptor));
  return {.name = "process descriptors",
          .available = open,
          .detail = open ? "pidfd" : std::generic_category().message(errno),
          .remedy = open ? "" : "Linux 5.4 or newer is needed"};
}

Capability seccomp() {
  const bool present = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
  return {.name = "system call filter",
          .available = present,
          .detail = present ? "seccomp" : "not in this kernel",
          .remedy = ""};
}

std::string controllers_of_v1() {
  std::ifstream mounts("/proc/mounts");
  std::string found;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device;
    std::string path;
    std::string type;
    words >> device >> path >> type;
    if (type == "cgroup") found += (found.empty() ? "" : " ") + fs::path(path).filename().string();
  }
  return found;
}

Capability control_groups() {
  Capability capability{.name = "control groups", .available = false, .detail = "", .remedy = ""};
  std::ifstream unified("/sys/fs/cgroup/cgroup.controllers");
  std::string controllers;
  std::getline(unified, controllers);
  const auto v1 = controllers_of_v1();
  if (!controllers.empty()) {
    capability.detail = "v2: " + controllers;
    capability.available = ::access("/sys/fs/cgroup/cgroup.subtree_control", W_OK) == 0;
  } else if (!v1.empty()) {
    capability.detail = "v1: " + v1;
    capability.available = ::access("/sys/fs/cgroup/memory", W_OK) == 0;
  } else {
    capability.detail = "none are mounted";
  }
  if (!capability.available) {
    capability.detail += "; not writable by this user";
    capability.remedy = "systemd-run --user --scope -p Delegate=yes hearth …";
  }
  return capability;
}

std::uint64_t memory_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

HostCapabilities probe_host() {
  HostCapabilities host;
  utsname name{};
  ::uname(&name);
  host.kernel = name.release;
  host.cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  host.memory_bytes = memory_bytes();
  host.superuser = ::geteuid() == 0;
  // Without privilege every other namespace needs a user namespace around it.
  const int user = host.superuser ? 0 : CLONE_NEWUSER;
  host.list = {
      pidfd(),
      namespaces("user namespaces", CLONE_NEWUSER),
      namespaces("mount namespaces", user | CLONE_NEWNS),
      namespaces("process namespaces", user | CLONE_NEWPID),
      namespaces("network namespaces", user | CLONE_NEWNET),
      seccomp(),
      control_groups(),
  };
  return host;
}

}  // namespace emulator::sandbox
