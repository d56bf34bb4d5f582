// A process of an environment that is followed: what it prints reaches the log, and its end is
// noticed.
#pragma once

#include "emulator/environment/log_stream.h"
#include "emulator/environment/output_pump.h"
#include "emulator/sandbox/sandbox.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace emulator::environment {

// A runtime that reports an init error or breaks its connection, and an extension that reports an
// error, are usually about to exit, and their last lines and exit status are worth this much
// patience. Our choice.
inline constexpr std::chrono::milliseconds kLastWords{100};

// Any thread, except where it says otherwise.
class FollowedProcess {
 public:
  using Ended = std::function<void()>;  // on the pump's thread, output already drained

  // `log` and `pump` must outlive it. Throws std::system_error where the host refuses to watch
  // another descriptor; the process ends then.
  FollowedProcess(std::unique_ptr<sandbox::Process> process,
                  std::unique_ptr<LogSource> source,
                  OutputPump& pump,
                  Ended ended);
  FollowedProcess(const FollowedProcess&) = delete;
  FollowedProcess& operator=(const FollowedProcess&) = delete;

  // Waits for the callback, ends the process and reaps it. Not on the pump's thread.
  ~FollowedProcess();

  // Waits for the callback; nothing more is noticed of the process. Not on the pump's thread.
  void stop_watching();

  pid_t pid() const { return process_->pid(); }

  // Whatever it printed until now reaches the log.
  void drain_output();

  // How it ended, or nothing if it has not within `patience`.
  std::optional<sandbox::Exit> exited_within(std::chrono::milliseconds patience);

  // As sandbox::Process has them; kill() ends every process of the sandbox.
  void terminate() noexcept { process_->terminate(); }
  void end() noexcept { process_->end(); }
  void kill() noexcept { process_->kill(); }

 private:
  OutputPump& pump_;
  const std::unique_ptr<LogSource> source_;
  std::mutex process_mutex_;  // guards the calls of process_ that are for one thread
  const std::unique_ptr<sandbox::Process> process_;
  std::optional<OutputPump::WatchId> output_watch_;
  std::optional<OutputPump::WatchId> exit_watch_;
};

}  // namespace emulator::environment
