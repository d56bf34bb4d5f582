// An owned child process, held by its pidfd, so that neither a signal nor a wait can reach a
// stranger who was given the same number.
#pragma once

#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <sys/types.h>

#include <optional>

namespace emulator::sandbox {

// kill() and signal() by any thread; the rest by its owner's.
class ChildProcess {
 public:
  enum class Scope { process, group };  // what a kill reaches

  ChildProcess(pid_t pid, UniqueFd pidfd, Scope scope)
      : pid_(pid), pidfd_(std::move(pidfd)), scope_(scope) {}
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // kills and reaps

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }

  // Nothing while it runs. Leaves it unreaped, so that its number stays ours.
  std::optional<Exit> exited() const;

  // SIGKILL to the child and, by scope, everyone in its process group.
  void kill() const noexcept;

  // Any other signal, to everyone in its process group, or to the child alone where that has none.
  void signal(int number) const noexcept;

 private:
  const pid_t pid_;
  const UniqueFd pidfd_;
  const Scope scope_;
};

}  // namespace emulator::sandbox
