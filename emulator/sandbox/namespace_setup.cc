#include "emulator/sandbox/namespace_setup.h"

#include "emulator/sandbox/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <net/if.h>

namespace emulator::sandbox {
namespace {

// Where the base of the building is mounted. Nothing below is needed before the change of root.
constexpr const char* kBase = "/tmp";

constexpr int kListenBacklog = 128;

bool write_file(const char* path, const char* text, std::size_t size, int flags, mode_t mode) {
  // An image may have a pipe there, which nobody reads.
  const int file = ::open(path, flags | O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, mode);
  if (file < 0) return false;
  const bool whole = ::write(file, text, size) == static_cast<ssize_t>(size);
  const int error = errno;
  ::close(file);
  errno = error;
  return whole;
}

bool write_map(const char* path, const char* text) {
  return write_file(path, text, std::strlen(text), 0, 0);
}

bool map_user(const FirstProcessPlan& plan) {
  // Without giving up setgroups() an ordinary user may not map a group. A user namespace that
  // allows it no longer has lost it already.
  if (!write_map("/proc/self/setgroups", "deny") && errno != ENOENT && errno != EPERM) return false;
  return write_map("/proc/self/uid_map", plan.user_map) &&
         write_map("/proc/self/gid_map", plan.group_map);
}

bool set_interface_flags(int socket, const char* name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

// The loopback is up, and has the Runtime API's address besides its own; with it all link-local
// ones, so that none of them leads to a cloud's metadata.
bool set_up_network() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  ifreq request{};
  std::strncpy(request.ifr_name, "lo:1", sizeof(request.ifr_name) - 1);
  auto* address = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  address->sin_family = AF_INET;
  ::inet_pton(AF_INET, kListeningAddress, &address->sin_addr);
  const bool done =
      set_interface_flags(socket, "lo") && ::ioctl(socket, SIOCSIFADDR, &request) == 0;
  const int error = errno;
  ::close(socket);
  errno = error;
  return done;
}

int pivot_root(const char* root, const char* old_root) {
  return static_cast<int>(::syscall(SYS_pivot_root, root, old_root));
}

bool prepare_base() {
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("base", kBase, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0755") == 0 &&
         ::chdir(kBase) == 0 && ::mkdir(kHostRoot + 1, 0755) == 0 &&
         ::mkdir(kNewRoot + 1, 0755) == 0 && ::mkdir(kUpper + 1, 0755) == 0 &&
         ::mkdir(kWork + 1, 0700) == 0 && pivot_root(".", kHostRoot + 1) == 0 &&
         ::chdir("/") == 0 &&
         ::mount("root", kNewRoot, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0755") == 0;
}

bool make_read_only(const char* path, unsigned int extra) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
  return ::syscall(SYS_mount_setattr, AT_FDCWD, path, extra, &attributes, sizeof(attributes)) == 0;
}

// An image is a stranger's: a link in it must not lead what we make or mount to the host's files.
// Also true, with errno, where that cannot be told.
bool may_lead_through_link(const char* target) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;  // with O_NOFOLLOW, a link at the end would be found and not told
  how.resolve = RESOLVE_NO_SYMLINKS;
  const auto found = ::syscall(SYS_openat2, AT_FDCWD, target, &how, sizeof(how));
  if (found >= 0) ::close(static_cast<int>(found));
  return found < 0 && errno != ENOENT;
}

bool take(const RootStep& step) {
  if (step.kind != RootStep::Kind::link && may_lead_through_link(step.target)) return false;
  switch (step.kind) {
    case RootStep::Kind::folder:
      // umask must not tell what the processes may see.
      return (::mkdir(step.target, step.mode) == 0 && ::chmod(step.target, step.mode) == 0) ||
             errno == EEXIST;
    case RootStep::Kind::file:
      return write_file(step.target, step.source, step.source_size, O_CREAT | O_TRUNC, step.mode);
    case RootStep::Kind::link:
      return ::symlink(step.source, step.target) == 0 || errno == EEXIST;
    case RootStep::Kind::bind:
      return ::mount(step.source, step.target, nullptr, MS_BIND | MS_REC, nullptr) == 0;
    case RootStep::Kind::bind_read_only:
      return ::mount(step.source, step.target, nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
             make_read_only(step.target, AT_RECURSIVE);
    case RootStep::Kind::mount:
      return ::mount(step.type, step.target, step.type, step.flags, step.options) == 0;
    case RootStep::Kind::read_only:
      return make_read_only(step.target, 0);
  }
  return false;
}

bool change_root() {
  // The old root is stacked on the new one and let go, which needs no folder for it.
  return ::chdir(kNewRoot) == 0 && pivot_root(".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 &&
         ::chdir("/") == 0;
}

int listen_inside() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return -1;
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kListeningPort);
  // Of every address here, because credentials are fetched from the loopback's.
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener, kListenBacklog) != 0) {
    return -1;
  }
  return listener;
}

// With `descriptor` unless it is negative.
bool send_report(int line, LaunchReport report, int descriptor) {
  iovec bytes{.iov_base = &report, .iov_len = sizeof(report)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  return ::sendmsg(line, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof(report));
}

}  // namespace

void become_first_process(const FirstProcessPlan& plan) noexcept {
  const auto step = [&](LaunchStep name, bool done) {
    if (!done) fail(plan.report, name);
    note(plan.times, name);
  };
  note(plan.times, LaunchStep::clone_first_process);
  ::setsid();
  if (plan.user_map != nullptr) step(LaunchStep::user_mapping, map_user(plan));
  if (plan.own_network) step(LaunchStep::network_setup, set_up_network());
  step(LaunchStep::host_name, ::sethostname(plan.host_name, std::strlen(plan.host_name)) == 0);
  step(LaunchStep::root_base, prepare_base());
  for (std::size_t at = 0; at < plan.step_count; ++at) {
    if (!take(plan.steps[at]) && plan.steps[at].required) {
      fail(plan.report, LaunchStep::root_contents, static_cast<int>(at));
    }
  }
  note(plan.times, LaunchStep::root_contents);
  step(LaunchStep::root_change, change_root());

  // The program and the line at fixed numbers, everything else closed.
  constexpr int kLine = 3;
  constexpr int kProgram = 4;
  constexpr int kReport = 5;
  const int line = ::fcntl(plan.line, F_DUPFD_CLOEXEC, kReport + 1);
  const int program = ::fcntl(plan.program, F_DUPFD_CLOEXEC, kReport + 1);
  const int report = ::fcntl(plan.report, F_DUPFD_CLOEXEC, kReport + 1);
  const bool placed = line >= 0 && program >= 0 && report >= 0 && ::dup2(line, kLine) >= 0 &&
                      ::dup3(program, kProgram, O_CLOEXEC) >= 0 &&
                      ::dup3(report, kReport, O_CLOEXEC) >= 0 && close_from(kReport + 1);
  for (int stream = 0; stream < kLine; ++stream) ::close(stream);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  // As one user with the processes it signals, it needs no privilege for that.
  const bool user = plan.user_map != nullptr || become_function_user();
  if (!placed || !user) fail(kReport, LaunchStep::first_process_user);
  // Its line breaks when Hearth ends; this is for a Hearth that ended before.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  note(plan.times, LaunchStep::first_process_user);
  const LaunchReport ready{.kind = LaunchReport::Kind::ready, .step = {}, .number = 0, .item = -1};
  send_report(kReport, ready, -1);
  char name[] = "hearth-init";
  char* const arguments[] = {name, nullptr};
  char* const variables[] = {nullptr};
  ::syscall(SYS_execveat, kProgram, "", arguments, variables, AT_EMPTY_PATH);
  ::_exit(127);
}

void enter_and_start(const EntrancePlan& plan, const ChildPlan& child) noexcept {
  note(plan.times, LaunchStep::clone_entrance);
  if (::syscall(SYS_setns, plan.first_process, plan.namespaces) != 0) {
    fail(plan.report, LaunchStep::enter_namespaces);
  }
  note(plan.times, LaunchStep::enter_namespaces);
  int listener = -1;
  if (plan.listening_socket) {
    listener = listen_inside();
    if (listener < 0) fail(plan.report, LaunchStep::listening_socket);
    note(plan.times, LaunchStep::listening_socket);
  }
  auto flags = static_cast<unsigned long>(CLONE_PARENT) | SIGCHLD;
  if (plan.cloned != nullptr) flags |= CLONE_PARENT_SETTID;
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, plan.cloned, nullptr, nullptr));
  if (pid == 0) become(child);
  if (pid < 0) fail(plan.report, LaunchStep::clone_process);
  const LaunchReport cloned{
      .kind = LaunchReport::Kind::cloned, .step = {}, .number = pid, .item = -1};
  send_report(plan.report, cloned, listener);
  ::_exit(0);
}

}  // namespace emulator::sandbox
