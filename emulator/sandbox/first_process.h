// The owner of a sandbox's first process: its namespaces and its root live as long as this.
#pragma once

#include "emulator/sandbox/inside_socket.h"
#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/launch_step.h"
#include "emulator/sandbox/root_filesystem.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

// The program that the first process becomes, in memory. Invalid, with errno, where the host
// refuses.
UniqueFd first_process_program();

// Any thread, but for construction and destruction.
class FirstProcess {
 public:
  // On the thread whose end is to end the process. `program` is first_process_program(). Builds the
  // root meanwhile; nothing can be brought in before await_ready().
  static tl::expected<std::unique_ptr<FirstProcess>, SandboxError> start(
      const IsolationPlan& plan,
      const std::vector<FilesystemStep>& root,
      const UniqueFd& program,
      StepTimes* times);

  // Blocks until the root is built, `root` as it was given to start(), or until that has failed.
  tl::expected<void, SandboxError> await_ready(const std::vector<FilesystemStep>& root);

  FirstProcess(const FirstProcess&) = delete;
  FirstProcess& operator=(const FirstProcess&) = delete;
  // Ends every process in the namespaces. Those that are somebody else's children must be reaped
  // by then, for the kernel keeps the first process until they are.
  ~FirstProcess();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  // The CLONE_NEW… flags of the namespaces that it holds and that others enter.
  int namespaces() const { return namespaces_; }

  // Sends to every other process in the namespaces; returns once it is sent.
  void signal_all(int signal) noexcept;

  // As open_socket(), in its network. An error after kConnectPatience.
  tl::expected<UniqueFd, SandboxError> make_socket(SocketKind kind);

  // Of its root, as this process reaches it.
  std::string root_folder() const;

  // Bytes in its /tmp; 0 where that is not known.
  std::uint64_t temporary_bytes() const;

 private:
  FirstProcess(pid_t pid, UniqueFd pidfd, UniqueFd line, UniqueFd report, int namespaces)
      : pid_(pid),
        pidfd_(std::move(pidfd)),
        line_(std::move(line)),
        report_(std::move(report)),
        namespaces_(namespaces) {}

  struct Answer {
    std::uint8_t request = 0;
    std::uint8_t error = 0;  // errno, of a socket that cannot be had
    UniqueFd descriptor;
  };
  // Nothing: it is gone, or has not answered in time, which -1 is not limited to.
  std::optional<Answer> exchange(std::uint8_t request, int patience_ms);
  std::optional<Answer> receive_answer(int patience_ms) const;

  const pid_t pid_;
  const UniqueFd pidfd_;
  std::mutex mutex_;  // one request and its answer at a time
  const UniqueFd line_;
  int late_answers_ = 0;  // that nobody waits for any more and that come before others
  UniqueFd report_;       // until it is ready
  const int namespaces_;
  std::atomic<int> temporary_ = -1;  // the top folder of /tmp, owned by the next one
  UniqueFd temporary_owned_;
};

}  // namespace emulator::sandbox
