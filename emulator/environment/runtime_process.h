// One launch of an environment's runtime: its process, the session and listener it talks to, and
// its output. A reset environment drops the whole of it and makes another.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/output_pump.h"
#include "emulator/environment/xray_daemon.h"
#include "emulator/sandbox/sandbox.h"
#include "runtime_api/server.h"
#include "runtime_api/session.h"

#include <tl/expected.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace emulator::environment {

// Any thread, except where it says otherwise.
class RuntimeProcess {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Callbacks {
    runtime_api::Session::Settled settled;  // on a thread of the listener
    std::function<void()> exited;           // on the pump's thread, output already drained
    // See World::segments.
    std::function<void(const std::string& function_name, std::string_view datagram)> segments{};
  };

  // Returns once the program runs. `sandbox`, `log` and `pump` must outlive the result; the sandbox
  // starts nothing else meanwhile.
  static tl::expected<std::unique_ptr<RuntimeProcess>, NeverStarted> start(
      const EnvironmentSpec& spec,
      const std::string& log_stream_name,
      sandbox::Sandbox& sandbox,
      OutputPump& pump,
      LogStream& log,
      Callbacks callbacks);

  RuntimeProcess(const RuntimeProcess&) = delete;
  RuntimeProcess& operator=(const RuntimeProcess&) = delete;

  // Kills, waits for the callbacks and reaps. Not on a thread that runs one of the callbacks.
  ~RuntimeProcess();

  pid_t pid() const { return process_->pid(); }

  // Blocks until the runtime first asks for an invocation: nothing. Else how the init failed;
  // `limit` is told where it took too long.
  std::optional<Outcome> await_init(TimePoint deadline, std::chrono::milliseconds limit);

  // Hands over one invocation and blocks until it has ended. Nothing: the runtime was gone before
  // it took the invocation.
  std::optional<Outcome> exchange(runtime_api::SharedInvocation invocation,
                                  TimePoint deadline,
                                  std::chrono::milliseconds limit);

  // Of a process that is ending: the pipe and the connection may tell before the kernel does.
  Outcome how_it_ended(FailurePhase phase);

  // Whatever the processes printed until now reaches the log, and their segments who takes them.
  void drain_output();

  // Ends the processes and the session at once; everything else stays until destruction.
  void kill() noexcept;

 private:
  RuntimeProcess(runtime_api::Session::Settled settled,
                 sandbox::Sandbox& sandbox,
                 LogStream& log,
                 OutputPump& pump)
      : session_(std::move(settled)), sandbox_(sandbox), log_(log), pump_(pump) {}
  // The socket that the session is served on, and what the processes are told of it.
  tl::expected<void, NeverStarted> listen(const EnvironmentSpec& spec);
  // Before the program starts, because it is told the address.
  tl::expected<void, NeverStarted> listen_for_segments(const EnvironmentSpec& spec,
                                                       const Callbacks& callbacks);
  void serve_inside();
  std::string address(const EnvironmentSpec& spec) const;
  std::optional<sandbox::Exit> exited_within(std::chrono::milliseconds patience);
  Outcome outcome_of(runtime_api::RuntimeAnswer answer);
  void watch(std::function<void()> exited);

  // In this order, because the listener serves the session until it is destroyed.
  runtime_api::Session session_;
  std::unique_ptr<runtime_api::Server> server_;
  std::unique_ptr<XRayDaemon> xray_;
  sandbox::Sandbox& sandbox_;
  LogStream& log_;
  OutputPump& pump_;
  std::mutex process_mutex_;  // guards the calls of process_ that are for one thread
  std::unique_ptr<sandbox::Process> process_;
  std::optional<OutputPump::WatchId> output_watch_;
  std::optional<OutputPump::WatchId> exit_watch_;
};

}  // namespace emulator::environment
