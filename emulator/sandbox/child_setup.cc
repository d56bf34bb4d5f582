#include "emulator/sandbox/child_setup.h"

#include "emulator/sandbox/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>

namespace emulator::sandbox {
namespace {

// Where the report pipe goes. By then everything else that the child needs is at 0, 1 and 2.
constexpr int kFirstFreeDescriptor = 3;

[[noreturn]] void fail(int report, ChildStep step) noexcept {
  const ChildFailure failure{step, errno};
  // The parent treats a pipe that closes without a report as success, so nothing else can be done
  // if this write fails; the exit code still shows it.
  [[maybe_unused]] const auto written = ::write(report, &failure, sizeof(failure));
  ::_exit(127);
}

bool set_limits(const ChildPlan& plan) noexcept {
  for (const auto& [resource, wanted] : plan.limits) {
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

bool place_streams(const ChildPlan& plan) noexcept {
  return ::dup2(plan.input, STDIN_FILENO) >= 0 && ::dup2(plan.output, STDOUT_FILENO) >= 0 &&
         ::dup2(plan.output, STDERR_FILENO) >= 0;
}

// Leaves 0, 1, 2 and the report pipe, which exec closes.
bool close_descriptors(int report) noexcept {
  if (::dup3(report, kFirstFreeDescriptor, O_CLOEXEC) < 0 && errno != EINVAL) return false;
  if (::syscall(SYS_close_range, kFirstFreeDescriptor + 1, ~0U, 0) == 0) return true;
  // Kernels before 5.9, and filters that do not know the call: every descriptor of ours closes on
  // exec by itself.
  return errno == ENOSYS || errno == EPERM;
}

}  // namespace

const char* describe(ChildStep step) {
  switch (step) {
    case ChildStep::process_group:
      return "making a process group";
    case ChildStep::parent_death_signal:
      return "asking to end with the parent";
    case ChildStep::standard_streams:
      return "placing the standard streams";
    case ChildStep::limits:
      return "setting resource limits";
    case ChildStep::signals:
      return "resetting signals";
    case ChildStep::descriptors:
      return "closing inherited descriptors";
    case ChildStep::working_folder:
      return "entering the working folder";
    case ChildStep::exec:
      return "executing the program";
  }
  return "";
}

void become(const ChildPlan& plan) noexcept {
  int report = plan.report;
  if (::setpgid(0, 0) != 0) fail(report, ChildStep::process_group);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(report, ChildStep::parent_death_signal);
  // The parent may have gone before the kernel was asked.
  if (::getppid() != plan.parent) ::_exit(127);
  guard_this_group(plan.guardian);
  if (!place_streams(plan)) fail(report, ChildStep::standard_streams);
  if (!set_limits(plan)) fail(report, ChildStep::limits);
  if (!reset_signals()) fail(report, ChildStep::signals);
  if (!close_descriptors(report)) fail(report, ChildStep::descriptors);
  report = kFirstFreeDescriptor;
  if (::chdir(plan.working_folder) != 0) fail(report, ChildStep::working_folder);
  ::execve(plan.path, plan.argv, plan.environment);
  fail(report, ChildStep::exec);
}

}  // namespace emulator::sandbox
