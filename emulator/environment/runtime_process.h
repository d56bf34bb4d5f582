// One launch of an environment's runtime: its process, the session and listener it talks to, and
// its output. A reset environment drops the whole of it and makes another.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/output_pump.h"
#include "emulator/sandbox/sandbox.h"
#include "runtime_api/server.h"
#include "runtime_api/session.h"

#include <tl/expected.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace emulator::environment {

// Any thread, except where it says otherwise.
class RuntimeProcess {
 public:
  struct Callbacks {
    runtime_api::Session::Settled settled;  // on a thread of the listener
    std::function<void()> exited;           // on the pump's thread, output already drained
  };

  // Returns once the program runs. `log` and `pump` must outlive the result.
  static tl::expected<std::unique_ptr<RuntimeProcess>, NeverStarted> start(
      const EnvironmentSpec& spec,
      const std::string& log_stream_name,
      sandbox::Launcher& launcher,
      OutputPump& pump,
      LogStream& log,
      Callbacks callbacks);

  RuntimeProcess(const RuntimeProcess&) = delete;
  RuntimeProcess& operator=(const RuntimeProcess&) = delete;

  // Kills, waits for the callbacks and reaps. Not on a thread that runs one of the callbacks.
  ~RuntimeProcess();

  runtime_api::Session& session() { return session_; }
  pid_t pid() const { return sandbox_->pid(); }

  // Whatever the processes printed until now reaches the log.
  void drain_output();

  // How the main process ended, or nothing while it runs.
  std::optional<sandbox::Exit> exited();

  // The same, waiting up to `patience` for a process that has let its connection go.
  std::optional<sandbox::Exit> exited_within(std::chrono::milliseconds patience);

  sandbox::Usage usage();

  // Ends the processes and the session at once; everything else stays until destruction.
  void kill() noexcept;

 private:
  RuntimeProcess(runtime_api::Session::Settled settled, LogStream& log, OutputPump& pump)
      : session_(std::move(settled)), log_(log), pump_(pump) {}
  static tl::expected<std::unique_ptr<RuntimeProcess>, NeverStarted> start_or_throw(
      const EnvironmentSpec& spec,
      const std::string& log_stream_name,
      sandbox::Launcher& launcher,
      OutputPump& pump,
      LogStream& log,
      Callbacks callbacks);
  void watch(std::function<void()> exited);

  // In this order, because the listener serves the session until it is destroyed.
  runtime_api::Session session_;
  std::unique_ptr<runtime_api::Server> server_;
  LogStream& log_;
  OutputPump& pump_;
  std::mutex sandbox_mutex_;  // guards the calls of sandbox_ that are for one thread
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  std::optional<OutputPump::WatchId> output_watch_;
  std::optional<OutputPump::WatchId> exit_watch_;
};

}  // namespace emulator::environment
