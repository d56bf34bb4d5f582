// One launch of an environment: its extensions and its runtime, the session, the hub and the
// listener that they talk to, and their output. A reset environment drops the whole of it and makes
// another.
//
// A launch without extensions has one process, and is ended by killing it. With extensions it is
// shut down: the runtime is asked to end, then the extensions are told and have time.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/extension_set.h"
#include "emulator/environment/followed_process.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/output_pump.h"
#include "emulator/environment/shutdown_terms.h"
#include "emulator/environment/telemetry.h"
#include "emulator/environment/xray_daemon.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"
#include "runtime_api/concurrent_session.h"
#include "runtime_api/extension_hub.h"
#include "runtime_api/server.h"
#include "runtime_api/session.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace emulator::environment {

// What every launch of an environment is given of it; the references must outlive the launch.
struct LaunchWorld {
  const EnvironmentSpec& spec;
  const std::string& log_stream_name;
  sandbox::Sandbox& sandbox;
  OutputPump& pump;
  LogStream& log;
  const time::Clock& clock;
  time::TimerQueue& timers;
  const std::function<std::string()>& new_uuid;
  const std::function<void(std::string_view)>& advise;  // see World
};

// Any thread, except where it says otherwise.
class Launch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Callbacks {
    // The runtime and every extension that was told of the invocation have asked for what is next;
    // on a thread of the listener. The type is empty after a plain response.
    std::function<void(std::string_view error_type)> settled;
    // The launch can serve no more: its runtime has ended, or an extension has, or has reported an
    // error. On the pump's thread, or on one of the listener; what ended has been drained. The
    // launch stays until this returns, whoever has taken it away meanwhile.
    std::function<void(Launch& failed)> failed;
    // See World::segments.
    std::function<void(const std::string& function_name, std::string_view datagram)> segments{};
    // For telemetry, each on a thread of the listener or the one that awaits the init, while the
    // launch goes on: the runtime's part of Init is over; an answer begins to come, and has come;
    // the runtime has asked for the next invocation, which extensions need not have done.
    std::function<void(std::string_view error_type)> runtime_initialised;
    std::function<void()> answer_begun;
    std::function<void(const runtime_api::RuntimeAnswer& answer)> answer_complete;
    std::function<void(std::string_view error_type)> runtime_done;
    // On Managed Instances: the runtime is about to be given an invocation.
    std::function<void(const runtime_api::NextInvocation& invocation)> taken{};
    // The same, when its answer begins to come.
    std::function<void(const runtime_api::NextInvocation& invocation)> answering{};
  };

  // Opens the listener; nothing runs yet.
  static tl::expected<std::unique_ptr<Launch>, NeverStarted> open(LaunchWorld world,
                                                                  Callbacks callbacks);

  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  // Kills, waits for the callbacks and reaps. Not on a thread that runs one of the callbacks.
  ~Launch();

  // ---- By one thread at a time.

  // Starts the extensions, waits until all have registered, and starts the runtime: nothing. Else
  // how that failed; `limit` is told where it took too long.
  std::optional<Outcome> start(TimePoint deadline, std::chrono::milliseconds limit);

  // Blocks until the runtime first asks for an invocation and every extension for an event:
  // nothing. Else how the init failed.
  std::optional<Outcome> await_init(TimePoint deadline, std::chrono::milliseconds limit);

  // Tells a runtime that waits in a snapshot that it is restored, and blocks until it first asks
  // for an invocation: nothing. Else a RestoreFailed; or how the launch had failed before the
  // runtime was told.
  std::optional<Outcome> restore(TimePoint deadline);

  // Hands over one invocation and blocks until it is answered. Nothing: the launch had failed
  // before the runtime took the invocation.
  std::optional<Outcome> exchange(runtime_api::SharedInvocation invocation,
                                  TimePoint deadline,
                                  std::chrono::milliseconds limit);

  // On Managed Instances: the same, any number of threads at a time. An error says why the
  // invocation was not given to the runtime. A timeout leaves all else as it was.
  enum class Unserved : std::uint8_t { no_idle_poll, duplicate_id, ended };
  tl::expected<Outcome, Unserved> exchange_one(runtime_api::SharedInvocation invocation,
                                               TimePoint deadline,
                                               std::chrono::milliseconds limit);
  std::size_t in_flight() const { return concurrent_ ? concurrent_->in_flight() : 0; }

  // Of a launch that has failed: the pipe and the connection may tell before the kernel does, so it
  // is worth `patience`.
  Outcome how_it_failed(FailurePhase phase, std::chrono::milliseconds patience = kLastWords);

  // Shuts the processes down within their budget, and blocks until they are gone. At once where
  // there is no extension, and when kill() is called meanwhile. Not while another thread is inside
  // start() or exchange(), nor on the pump's thread.
  void shut_down(ShutdownReason reason);

  // ---- By anyone.

  // Whether there is somebody to shut down, rather than to kill.
  bool has_extensions() const { return budget().total.count() > 0; }
  std::vector<runtime_api::ExtensionStatus> extensions() const { return hub_.extensions(); }

  // What this launch tells its extensions; null where it tells nothing. Shared, because whoever
  // tells the end of an invocation may be the last to know of the launch.
  const std::shared_ptr<Telemetry>& telemetry() const { return telemetry_; }
  // At the end of Init, well or not: nobody subscribes any more.
  void close_subscriptions();

  // Of the runtime, once it runs.
  std::optional<pid_t> pid();

  // Whatever the processes printed until now reaches the log, and their segments who takes them.
  void drain_output();

  // Ends what goes on without ending processes, which are to be shut down.
  void interrupt();

  // Ends the processes, the session and the hub at once; everything else stays until destruction.
  void kill() noexcept;

 private:
  Launch(LaunchWorld world, Callbacks callbacks, FoundExtensions found);

  static NeverStarted host_refused(const std::system_error& error);

  const EnvironmentSpec& spec() const { return world_.spec; }
  runtime_api::ExtensionHub::Terms hub_terms(FoundExtensions::Switch turned);

  // The socket that the session is served on, and what the processes are told of it.
  tl::expected<void, NeverStarted> listen();
  // Before the first program starts, because it is told the address.
  tl::expected<void, NeverStarted> listen_for_segments();
  void serve_inside(sandbox::Process& process);
  std::string address() const;
  std::shared_ptr<Telemetry> make_telemetry(FoundExtensions::Switch turned);
  runtime_api::SubscriptionDesk desk();
  // With SnapStart.
  std::optional<runtime_api::RestoreDesk> restore_desk();
  void add_credentials_address(std::map<std::string, std::string>& own) const;

  runtime_api::RuntimeDesk runtime_desk();
  void end_sessions(runtime_api::Session::Arriving arriving);
  void abandon_sessions();
  ShutdownBudget budget() const;
  std::optional<Outcome> start_extensions(TimePoint deadline, std::chrono::milliseconds limit);
  std::optional<Outcome> start_runtime();
  void started(sandbox::Process& process);
  FollowedProcess* runtime();
  Outcome outcome_of(runtime_api::RuntimeAnswer answer);

  void runtime_ended();
  void extension_ended(const std::string& name);
  void extension_reported(const std::string& name, runtime_api::ExtensionErrorPhase phase);
  void fail(const ExtensionFailed& failure);

  void advise_of(const ExtensionFailed& failure);
  void advise_of_untaken() const;
  void deliver_what_is_left(TimePoint deadline);
  void end_runtime(TimePoint deadline);
  void end_extensions(ShutdownReason reason, TimePoint deadline);

  const LaunchWorld world_;
  const Callbacks callbacks_;
  const std::string credentials_token_;  // empty without SnapStart
  // In this order, because the listener serves both until it is destroyed.
  runtime_api::Session session_;
  const std::unique_ptr<runtime_api::ConcurrentSession> concurrent_;  // null: one at a time
  ExtensionSet extensions_;
  runtime_api::ExtensionHub hub_;
  const std::shared_ptr<Telemetry> telemetry_;
  std::unique_ptr<runtime_api::Server> server_;
  std::unique_ptr<XRayDaemon> xray_;

  std::mutex mutex_;  // guards what follows; the runtime, once there, stays
  std::condition_variable changed_;
  std::unique_ptr<FollowedProcess> runtime_;
  bool runtime_ended_ = false;
  std::optional<ExtensionFailed> failure_;  // what failed first, if that was an extension
  bool interrupted_ = false;
  bool ending_ = false;  // on purpose: what ends from now on has not failed
  bool killed_ = false;
};

}  // namespace emulator::environment
