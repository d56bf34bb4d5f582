#include "emulator/sandbox/child_process.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace emulator::sandbox {
namespace {

constexpr auto kPidfdType = static_cast<idtype_t>(3);  // P_PIDFD, Linux 5.4

}  // namespace

ChildProcess::~ChildProcess() {
  kill();
  siginfo_t info{};
  while (::waitid(kPidfdType, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

std::optional<Exit> ChildProcess::exited() const {
  siginfo_t info{};
  if (::waitid(kPidfdType, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG | WNOWAIT) !=
          0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  if (info.si_code == CLD_EXITED) return Exit{.code = info.si_status, .signal = {}};
  return Exit{.code = {}, .signal = info.si_status};
}

void ChildProcess::kill() const noexcept {
  // The child is unreaped as long as this object lives, so its number still names its group.
  if (scope_ == Scope::group) ::kill(-pid_, SIGKILL);
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

void ChildProcess::signal(int number) const noexcept {
  // Not both: a program counts what it is told.
  if (scope_ == Scope::group && ::kill(-pid_, number) == 0) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

}  // namespace emulator::sandbox
