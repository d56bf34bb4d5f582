#include "emulator/sandbox/host_capabilities.h"

#include "emulator/sandbox/unique_fd.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>

namespace emulator::sandbox {
namespace {

namespace fs = std::filesystem;

// What a child tried, in this order. Each needs those before it.
enum Attempt : std::size_t {
  user_namespace,
  namespaces,  // and that mounting is allowed in them
  cgroup_namespace,
  network_namespace,
  overlay,
  new_proc,
  function_user,
  attempts,
};

// Written by the children as they go: what each attempt's errno was, 0 for success.
struct Attempts {
  static constexpr int kNotReached = -1;
  std::array<int, attempts> error;
};

// What the children need, made before the clone: they must not allocate, because they are copies
// of one thread of a process that may have more.
struct TrialPlan {
  bool with_user_namespace = false;
  std::string uid_map;
  std::string gid_map;
};

int outcome(bool done) { return done ? 0 : errno; }

int write_text(const char* path, std::string_view text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  const int error =
      outcome(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(file);
  return error;
}

int enter_user_namespace(const TrialPlan& plan) {
  if (::unshare(CLONE_NEWUSER) != 0) return errno;
  if (const int error = write_text("/proc/self/setgroups", "deny"); error != 0) return error;
  if (const int error = write_text("/proc/self/uid_map", plan.uid_map); error != 0) return error;
  return write_text("/proc/self/gid_map", plan.gid_map);
}

// The bottom of a mounted tmpfs, so that nothing of the host is touched.
int try_overlay() {
  for (const char* folder : {"/tmp/lower", "/tmp/upper", "/tmp/work", "/tmp/whole"}) {
    if (::mkdir(folder, 0700) != 0) return errno;
  }
  // In a user namespace an overlay wants its marks as the user's own.
  constexpr const char* kOptions =
      "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
  if (::mount("overlay", "/tmp/whole", "overlay", 0, kOptions) == 0) return 0;
  return outcome(::mount("overlay",
                         "/tmp/whole",
                         "overlay",
                         0,
                         "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work") == 0);
}

int become_function_user() {
  // The system calls themselves: the C library would tell the other threads, which are not here.
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return errno;
  if (::syscall(SYS_setresgid, kFunctionGroup, kFunctionGroup, kFunctionGroup) != 0) return errno;
  return outcome(::syscall(SYS_setresuid, kFunctionUser, kFunctionUser, kFunctionUser) == 0);
}

// The first process of the new namespaces.
[[noreturn]] void run_inside(int report, Attempts& tried) {
  tried.error[new_proc] = outcome(::mount("proc", "/proc", "proc", 0, nullptr) == 0);
  tried.error[function_user] = become_function_user();
  std::ignore = ::write(report, &tried, sizeof(tried));
  ::_exit(0);
}

int enter_namespaces() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) != 0) return errno;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  return outcome(::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") == 0);
}

// Writes an Attempts: its own when there is nothing further to try, else that of its child.
[[noreturn]] void run_trial(const TrialPlan& plan, int report) {
  Attempts tried{};
  tried.error.fill(Attempts::kNotReached);
  tried.error[user_namespace] = plan.with_user_namespace ? enter_user_namespace(plan) : 0;
  if (tried.error[user_namespace] == 0) tried.error[namespaces] = enter_namespaces();
  if (tried.error[namespaces] == 0) {
    tried.error[cgroup_namespace] = outcome(::unshare(CLONE_NEWCGROUP) == 0);
    tried.error[network_namespace] = outcome(::unshare(CLONE_NEWNET) == 0);
    tried.error[overlay] = try_overlay();
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) run_inside(report, tried);
    if (child > 0) {
      while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
      ::_exit(0);
    }
    tried.error[namespaces] = errno;
  }
  std::ignore = ::write(report, &tried, sizeof(tried));
  ::_exit(0);
}

Attempts try_in_child(const TrialPlan& plan) {
  Attempts tried{};
  tried.error.fill(EAGAIN);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return tried;
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const auto child = ::fork();
  if (child == 0) run_trial(plan, writing.get());
  writing.reset();
  if (child < 0) return tried;
  Attempts told{};
  if (::read(reading.get(), &told, sizeof(told)) == static_cast<ssize_t>(sizeof(told))) {
    tried = told;
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return tried;
}

std::string reason(int error) {
  if (error == 0) return {};
  if (error == Attempts::kNotReached) return "there are no namespaces to have it in";
  if (error == EPERM || error == EACCES) return "this user is not permitted to";
  if (error == EINVAL || error == ENOSYS || error == ENODEV) return "this kernel does not have it";
  if (error == ENOSPC) return "the kernel's limit of them is reached";
  return std::generic_category().message(error);
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool mapped(const std::string& map, std::uint64_t id) {
  std::istringstream lines(map);
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (lines >> first >> outside >> count) {
    if (id >= first && id - first < count) return true;
  }
  return false;
}

// A word of /proc/self/status, "CapEff".
std::optional<std::uint64_t> status_number(const std::string& status, std::string_view key) {
  const auto at = status.find("\n" + std::string(key) + ":");
  if (at == std::string::npos) return {};
  const auto* text = status.c_str() + at + key.size() + 2;
  return std::strtoull(text, nullptr, 16);
}

// A reason to look no further than this: the user cannot be had directly.
std::string cannot_change_user(const std::string& status) {
  if (::geteuid() != 0) return "only root can take on another user";
  const auto rights = status_number(status, "CapEff").value_or(0);
  for (const int needed : {CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN}) {
    if ((rights >> needed & 1U) == 0) return "root lacks some of its rights here";
  }
  if (!mapped(text_of("/proc/self/uid_map"), kFunctionUser) ||
      !mapped(text_of("/proc/self/gid_map"), kFunctionGroup)) {
    return "user 993 or group 990 does not exist in this user namespace";
  }
  return {};
}

std::string probe_pidfd() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self.valid()) return "this kernel has no process descriptors (Linux 5.3 has)";
  // Entering our own namespace changes nothing; refused or not, a kernel that knows how to does
  // not call the descriptor invalid.
  if (::setns(self.get(), CLONE_NEWUTS) != 0 && errno == EINVAL) {
    return "this kernel cannot enter namespaces by process descriptor (Linux 5.8 can)";
  }
  return {};
}

std::string probe_seccomp() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return {};
  return reason(errno);
}

// Asks for a connection that does not exist; a kernel that can answer says that it does not.
std::string probe_socket_diagnosis() {
  const UniqueFd line(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!line.valid()) return reason(errno);
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof(question);
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_INET;
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = ~0U;
  question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(line.get(), &question, sizeof(question), 0) < 0) return reason(errno);
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> rest;
  } answer{};
  const auto got = ::recv(line.get(), &answer, sizeof(answer), 0);
  if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return reason(errno);
  if (answer.header.nlmsg_type != NLMSG_ERROR) return {};
  return answer.error.error == -ENOENT ? "" : reason(-answer.error.error);
}

std::string probe_program(const char* name) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && ::access((fs::path(folder) / name).c_str(), X_OK) == 0) return {};
  }
  return std::string(name) + " is not installed";
}

std::string probe_tunnel() {
  const int device = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (device >= 0) {
    ::close(device);
    return {};
  }
  return errno == EACCES || errno == EPERM ? "this user may not open /dev/net/tun"
                                           : "there is no /dev/net/tun";
}

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
}

int number_in(const char* file, int otherwise) {
  std::ifstream in(file);
  int number = otherwise;
  return in >> number ? number : otherwise;
}

void find_obstacle(HostCapabilities& host, const std::string& status) {
  using Obstacle = HostCapabilities::Obstacle;
  const bool in_container = fs::exists("/.dockerenv") || fs::exists("/run/.containerenv") ||
                            status_number(status, "Seccomp").value_or(0) == SECCOMP_MODE_FILTER;
  if (number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1) {
    host.obstacle = Obstacle::apparmor;
    host.setting = "kernel.apparmor_restrict_unprivileged_userns=0";
  } else if (number_in("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
    host.obstacle = Obstacle::sysctl;
    host.setting = "kernel.unprivileged_userns_clone=1";
  } else if (number_in("/proc/sys/user/max_user_namespaces", 1) == 0) {
    host.obstacle = Obstacle::sysctl;
    host.setting = "user.max_user_namespaces=10000";
  }
  // A container is the nearer wall: what the host allows does not reach in.
  if (in_container) host.obstacle = Obstacle::container;
  if (in_container) host.setting.clear();
}

void take_over(HostCapabilities& host, const Attempts& tried) {
  host.no_user_namespace = reason(tried.error[user_namespace]);
  host.no_namespaces =
      tried.error[user_namespace] != 0 ? host.no_user_namespace : reason(tried.error[namespaces]);
  host.no_cgroup_namespace = reason(tried.error[cgroup_namespace]);
  host.no_network_namespace = reason(tried.error[network_namespace]);
  host.no_overlay = reason(tried.error[overlay]);
  host.no_new_proc = reason(tried.error[new_proc]);
}

// Directly where the function's user can be taken on, else within a user namespace.
void probe_namespaces(HostCapabilities& host, const std::string& status) {
  host.no_function_user = cannot_change_user(status);
  const auto map = [](std::uint32_t inside, std::uint32_t outside) {
    return std::to_string(inside) + " " + std::to_string(outside) + " 1\n";
  };
  TrialPlan plan{.with_user_namespace = !host.no_function_user.empty(),
                 .uid_map = map(kFunctionUser, ::geteuid()),
                 .gid_map = map(kFunctionGroup, ::getegid())};
  auto tried = try_in_child(plan);
  if (!plan.with_user_namespace) {
    take_over(host, tried);
    if (host.no_namespaces.empty() && tried.error[function_user] == 0) return;
    host.no_function_user =
        host.no_namespaces.empty() ? reason(tried.error[function_user]) : host.no_namespaces;
    plan.with_user_namespace = true;
    tried = try_in_child(plan);
  }
  take_over(host, tried);
}

}  // namespace

HostCapabilities probe_host() {
  HostCapabilities host;
  utsname name{};
  ::uname(&name);
  host.kernel = name.release;
  host.cpus = usable_cpus();
  host.memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  host.superuser = ::geteuid() == 0;
  const auto status = text_of("/proc/self/status");
  host.no_pidfd = probe_pidfd();
  host.no_seccomp = probe_seccomp();
  host.no_socket_diagnosis = probe_socket_diagnosis();
  host.no_pasta = probe_program("pasta");
  host.no_tunnel = probe_tunnel();
  host.cgroups = find_cgroups(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"));
  probe_namespaces(host, status);
  find_obstacle(host, status);
  return host;
}

}  // namespace emulator::sandbox
