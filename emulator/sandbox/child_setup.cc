#include "emulator/sandbox/child_setup.h"

#include "emulator/sandbox/guardian.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>

namespace emulator::sandbox {
namespace {

// Where the report line goes. By then everything else that the child needs is at 0, 1 and 2.
constexpr int kFirstFreeDescriptor = 3;

// As in the service's environments: what a function makes, others may read.
constexpr mode_t kFileModeMask = 022;

bool set_limits(const ChildPlan& plan) noexcept {
  for (std::size_t at = 0; at < plan.limit_count; ++at) {
    const auto& [resource, wanted] = plan.limits[at];
    rlimit current{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &current) != 0) return false;
    rlimit value = wanted;
    // Without privilege a hard limit can only go down.
    if (current.rlim_max < value.rlim_max) value.rlim_max = current.rlim_max;
    if (value.rlim_max < value.rlim_cur) value.rlim_cur = value.rlim_max;
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &value) != 0) return false;
  }
  return true;
}

// As rt_sigaction(2) takes it on x86-64 and arm64; all zero is the default action.
struct KernelSignalAction {
  void* handler;
  unsigned long flags;
  void* restorer;
  std::uint64_t mask;
};

bool place_streams(const ChildPlan& plan) noexcept {
  return ::dup2(plan.input, STDIN_FILENO) >= 0 && ::dup2(plan.output, STDOUT_FILENO) >= 0 &&
         ::dup2(plan.output, STDERR_FILENO) >= 0;
}

// Leaves 0, 1, 2 and the report line, which exec closes.
bool close_descriptors(int report) noexcept {
  if (::dup3(report, kFirstFreeDescriptor, O_CLOEXEC) < 0 && errno != EINVAL) return false;
  return close_from(kFirstFreeDescriptor + 1);
}

bool join_groups(const ChildPlan& plan) noexcept {
  for (std::size_t at = 0; at < plan.group_count; ++at) {
    ssize_t written = 0;
    do {
      written = ::write(plan.groups[at], "0", 1);
    } while (written < 0 && errno == EINTR);
    if (written != 1) return false;
  }
  return true;
}

bool drop_bounding_set() noexcept {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    // Without the right to, which is as good: then there is none to lose either.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) return false;
  }
  return true;
}

bool drop_capabilities() noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

// Kernels before 5.16 slow down a process with a filter unless told that they need not.
bool install_filter(const sock_fprog* filter) noexcept {
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, filter) ==
             0 ||
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0) == 0;
}

}  // namespace

void fail(int report, LaunchStep step, int item) noexcept {
  const LaunchReport failure{
      .kind = LaunchReport::Kind::failed, .step = step, .number = errno, .item = item};
  // The parent treats a line that closes without a report as success, so nothing else can be done
  // if this fails; the exit code still shows it.
  [[maybe_unused]] const auto sent = ::send(report, &failure, sizeof(failure), MSG_NOSIGNAL);
  ::_exit(127);
}

bool reset_signals() noexcept {
  // exec keeps what is ignored, such as the hang-up under nohup. By the kernel's own call, because
  // libc keeps two signals for itself, which a parent may have ignored all the same. That two
  // others cannot be set is no matter.
  const KernelSignalAction standard{};
  for (int signal = 1; signal < NSIG; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof(standard.mask));
  }
  sigset_t none;
  ::sigemptyset(&none);
  return ::pthread_sigmask(SIG_SETMASK, &none, nullptr) == 0;
}

// By the kernel's own calls: libc's would tell the threads of a process that is not this one.
bool become_function_user() noexcept {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, kFunctionGroup, kFunctionGroup, kFunctionGroup) == 0 &&
         ::syscall(SYS_setresuid, kFunctionUser, kFunctionUser, kFunctionUser) == 0;
}

bool close_from(int first) noexcept {
  if (::syscall(SYS_close_range, first, ~0U, 0) == 0) return true;
  // Kernels before 5.9, and filters that do not know the call: every descriptor of ours closes on
  // exec by itself.
  return errno == ENOSYS || errno == EPERM;
}

void become(const ChildPlan& plan) noexcept {
  int report = plan.report;
  const auto step = [&](LaunchStep name, bool done) {
    if (!done) fail(report, name);
    note(plan.times, name);
  };
  note(plan.times, LaunchStep::clone_process);
  step(LaunchStep::process_group, plan.session ? ::setsid() >= 0 : ::setpgid(0, 0) == 0);
  guard_this_group(plan.guardian);
  step(LaunchStep::standard_streams, place_streams(plan));
  if (plan.group_count > 0) step(LaunchStep::join_groups, join_groups(plan));
  if (plan.cgroup_namespace) {
    step(LaunchStep::cgroup_namespace, ::unshare(CLONE_NEWCGROUP) == 0);
  }
  step(LaunchStep::limits, set_limits(plan));
  if (plan.visible_cpus != nullptr) {
    step(LaunchStep::visible_cpus,
         ::sched_setaffinity(0, sizeof(cpu_set_t), plan.visible_cpus) == 0);
  }
  step(LaunchStep::signals, reset_signals());
  step(LaunchStep::descriptors, close_descriptors(report));
  report = kFirstFreeDescriptor;
  ::umask(kFileModeMask);
  if (plan.drop_privileges) step(LaunchStep::privileges, drop_bounding_set());
  if (plan.become_function_user) step(LaunchStep::user, become_function_user());
  if (plan.drop_privileges) {
    step(LaunchStep::privileges,
         drop_capabilities() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  }
  // After the change of user, which would clear it.
  step(LaunchStep::parent_death_signal, ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  // The parent may have gone before the kernel was asked.
  if (::getppid() != plan.parent) ::_exit(127);
  step(LaunchStep::working_folder, ::chdir(plan.working_folder) == 0);
  if (plan.filter != nullptr) {
    step(LaunchStep::system_call_filter, install_filter(plan.filter));
  }
  note(plan.times, LaunchStep::exec);
  ::execve(plan.path, plan.argv, plan.environment);
  fail(report, LaunchStep::exec);
}

}  // namespace emulator::sandbox
