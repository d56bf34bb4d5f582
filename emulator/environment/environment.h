// One execution environment: drives its runtime through init, invocations and resets, and tells
// what each invocation did.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/invocation_report.h"
#include "emulator/environment/job_threads.h"
#include "emulator/environment/launch.h"
#include "emulator/environment/lifecycle.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/output_pump.h"
#include "emulator/environment/platform_lines.h"
#include "emulator/environment/shutdown_terms.h"
#include "emulator/environment/telemetry_event.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"
#include "runtime_api/wire.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::environment {

// Shutdowns at the same time, each of which waits for processes and does nothing. Our choice: more
// environments than this are hardly ever retired at once, and then the rest waits two seconds more.
inline constexpr std::size_t kMaxShutdownThreads = 128;

// What every environment is given of the world; the references must outlive the environments.
struct World {
  const time::Clock& clock;
  time::TimerQueue& timers;        // deadlines: nothing slow is done there
  time::TimerQueue& housekeeping;  // freezing, and ending what nobody waits for
  JobThreads& shutdowns;           // ending what may take its time
  sandbox::Launcher& launcher;
  OutputPump& pump;
  LogSink log;
  std::function<std::string()> new_log_stream_id;  // 32 hexadecimal digits
  std::function<std::string()> new_uuid;           // lower case
  std::function<void(const InvocationReport&)> reported;
  std::function<void(std::string_view)> advise;  // a hint for the developer; not the function's log

  // On which the service counts how long an environment idles and how fast functions scale. What
  // processes do, and how long they may take, is always counted on the clock above.
  const time::Clock& service_clock = clock;
  time::TimerQueue& service_timers = timers;

  // What the processes of a function sent to the X-Ray daemon: one datagram, as it came. On any
  // thread. Empty: there is no daemon.
  std::function<void(const std::string& function_name, std::string_view datagram)> segments{};
};

// The same as each launch of an environment is given it, with what is the environment's own.
inline LaunchWorld launch_world(const World& world,
                                const EnvironmentSpec& spec,
                                const std::string& log_stream_name,
                                sandbox::Sandbox& sandbox,
                                LogStream& log) {
  return {.spec = spec,
          .log_stream_name = log_stream_name,
          .sandbox = sandbox,
          .pump = world.pump,
          .log = log,
          .clock = world.clock,
          .timers = world.timers,
          .new_uuid = world.new_uuid,
          .advise = world.advise};
}

struct Served {
  Outcome outcome;
  std::string log_tail;                      // only with ReleaseAt::report
  std::optional<InvocationReport> report{};  // the same
};

struct Snapshot {
  std::string id;
  std::string function_name;
  std::string version;
  Phase phase = Phase::created;
  std::optional<pid_t> pid;
  Initialization initialization = Initialization::on_demand;
  std::uint64_t invocations = 0;
  // On the service's clock, which the pool keeps.
  std::chrono::milliseconds age{};
  std::chrono::milliseconds since_last_use{};  // nothing while it is in use
  std::string tenant_id{};  // the only one it serves, which the pool keeps; empty: it serves all
  std::uint64_t memory_bytes = 0;
  bool frozen = false;
};

// Threads: serve() and initialise_provisioned() by one thread at a time, after `idle` was called
// for the invocation before; the rest by any. Held by shared_ptr, because a timer and the thread
// that waits for an answer may each be the last to need it.
class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // Called when the environment may serve again, on whichever thread found that out, with no lock
  // held. It must not destroy the environment.
  using Idle = std::function<void(Environment&)>;

  // Called when the processes of an idle environment have ended by themselves, on the pump's
  // thread, with no lock held. It must neither destroy the environment nor wait for it. The next
  // invocation starts new processes, unless they are initialised ahead again.
  using Lost = std::function<void(Environment&)>;

  Environment(std::string id,
              std::shared_ptr<const EnvironmentSpec> spec,
              World& world,
              Idle idle,
              Lost lost = {});
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment();

  // Runs one invocation and blocks until it may be released. `next` is complete but for its
  // deadline. Whatever happens, the environment can serve again afterwards.
  Served serve(runtime_api::NextInvocation next, const ServingTerms& terms);

  // Starts the runtime ahead of any invocation, and blocks until it first asks for one, or with
  // SnapStart to be restored: nothing. Else how that failed, which the log tells as well. The
  // invocations that follow have no init of their own. Also for an environment that has lost its
  // processes. kill() ends it.
  std::optional<Outcome> initialise_provisioned();

  // Ends the processes for good: an invocation or an init that runs ends with them,
  // and a later one starts none.
  void kill();

  // The same, but extensions are left to shut_down().
  void stop();

  // Ends the processes of an environment that serves nobody, for good. Blocks while its extensions
  // are shut down, which may take as long as their budget; without extensions it is kill(). Not on
  // a thread of a timer queue or the pump.
  void shut_down();

  // Whether shut_down() would block.
  bool ends_slowly() const;

  Snapshot snapshot() const;
  Phase phase() const;
  const std::string& id() const { return id_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  // One invocation, shared with the thread that finds the runtime settled.
  struct Ongoing {
    InvocationReport report;
    TimePoint started;
    ReleaseAt release_at = ReleaseAt::response;
    std::optional<time::TimerQueue::TimerId> deadline;
    bool cold = false;        // it started a process, or restored one
    bool unrestored = false;  // the restore failed: no invocation is told of
    bool claimed = false;     // somebody writes its REPORT
    bool finished = false;    // and has, for whoever waits for it
    std::string log_tail;
    // For telemetry.
    std::optional<std::string> tenant_id;
    std::optional<std::string> trace_id;
    AnswerTimes answer_times;
    std::uint64_t produced_bytes = 0;
    bool runtime_done = false;  // and told
  };
  using SharedOngoing = std::shared_ptr<Ongoing>;

  enum class StillRunning { no, yes };

  // What is left of an invocation that the environment does not survive.
  struct Ending {
    std::string error_type;
    ShutdownReason reason;
    std::string lines{};  // of the platform, before END
  };

  SharedOngoing begin(const runtime_api::NextInvocation& next, const ServingTerms& terms);
  // In environment_init.cc.
  void initialise_before(Ongoing& ongoing);
  std::optional<Outcome> initialise_inside(TimePoint deadline, Ongoing& ongoing);
  std::optional<Outcome> initialise(TimePoint deadline, FailurePhase phase, Ongoing* ongoing);
  std::optional<Outcome> launch_processes(FailurePhase phase);
  void advise(const NeverStarted& never) const;
  void give_up_init();
  tl::expected<void, NeverStarted> make_sandbox();
  bool take_up();
  void tell_failed_init(const Outcome& failure, Nanoseconds duration, FailurePhase phase);

  // In environment_restore.cc.
  std::optional<Outcome> restore_before(Ongoing& ongoing);
  std::optional<Outcome> make_snapshot();
  std::optional<Outcome> restore(TimePoint begun, Ongoing& ongoing);
  bool is_restored() const;
  Served unrestored(const SharedOngoing& ongoing, Outcome failure);
  void tell_snapshot_init(Nanoseconds duration);
  void tell_restore_start();
  void tell_restored(std::string_view error_type, Nanoseconds duration);

  std::optional<Outcome> prepare(Ongoing& ongoing);
  Served served(const SharedOngoing& ongoing, Outcome outcome);
  Outcome exchange(runtime_api::NextInvocation next, TimePoint deadline, Ongoing& ongoing);
  std::optional<Outcome> give(const runtime_api::SharedInvocation& invocation, TimePoint deadline);
  void note_answer(Ongoing& ongoing);
  void release(const SharedOngoing& ongoing, TimePoint deadline);

  void settled(std::uint64_t launch, std::string_view error_type);
  void launch_failed(std::uint64_t launch, Launch& failed);
  void settle_deadline_passed(const SharedOngoing& ongoing);
  bool claim(const SharedOngoing& ongoing);
  void finish(const SharedOngoing& ongoing, std::string_view error_type, StillRunning running);
  void measure(Ongoing& ongoing, std::string_view error_type);
  void hold_end_lines(Ongoing& ongoing, StillRunning running);
  void serve_again(const SharedOngoing& ongoing, StillRunning running);
  void tell_finished(const SharedOngoing& ongoing);

  void move_to(Cause cause);  // with mutex_ held
  void take_sample(Ongoing* ongoing);
  bool sample_due(const Ongoing& ongoing);

  // In environment_telemetry.cc.
  std::shared_ptr<Telemetry> audience() const;
  bool is_heard() const;
  InvocationContext context_of(const Ongoing& ongoing) const;
  InvocationContext log_context(const Ongoing& ongoing) const;
  void tell_event(TelemetryRecord record);
  void tell_init_start(FailurePhase phase);
  void tell_runtime_initialised(FailurePhase phase, std::string_view error_type);
  void tell_extensions();
  void tell_init_report(FailurePhase phase,
                        const std::optional<Outcome>& failure,
                        Nanoseconds duration);
  void tell_start(const Ongoing& ongoing);
  void answer_begun(std::uint64_t launch);
  void answer_complete(std::uint64_t launch, const runtime_api::RuntimeAnswer& answer);
  void runtime_done(std::uint64_t launch, std::string_view error_type);
  void tell_runtime_done(Ongoing& ongoing, std::string_view error_type);
  void tell_fault(const Outcome& outcome, const Ongoing& ongoing);
  void tell_report(Ongoing& ongoing);

  // In environment_shutdown.cc.
  Ending ending_of(const Outcome& outcome, const Ongoing& ongoing) const;
  void end_with(const SharedOngoing& ongoing, const Ending& ending);
  void shut_down_later(const SharedOngoing& ongoing, ShutdownReason reason);
  std::unique_ptr<Launch> take_launch();  // with mutex_ held
  void drop_launch(ShutdownReason reason);
  void end(std::unique_ptr<Launch> dropped, ShutdownReason reason);
  void drop_failed_launch_later();
  void drop_failed_launch();
  bool has_extensions() const;
  ShutdownReason failure_reason() const;

  void freeze_later();  // with mutex_ held
  void freeze_if_idle();

  const std::string id_;
  const std::shared_ptr<const EnvironmentSpec> spec_;
  World& world_;
  const Idle idle_;
  const Lost lost_;
  const std::string log_stream_name_;
  LogStream log_;
  // Made at the first start and kept over resets, so that /tmp is. The serving thread makes it;
  // others use it only while there is a process.
  std::unique_ptr<sandbox::Sandbox> sandbox_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable finished_;
  Phase phase_ = Phase::created;
  // Taken away by the serving thread, and by others only in the phases settling, shutting_down,
  // reset and gone. A callback of the launch may use it without the lock: its destruction waits for
  // the callback.
  std::unique_ptr<Launch> launch_;
  std::size_t inside_launch_ = 0;  // threads that exchange an invocation with it
  std::condition_variable left_launch_;
  std::size_t dropping_ = 0;  // launches that were taken away and are still being ended
  std::condition_variable dropped_;
  std::uint64_t launches_ = 0;  // which one a callback belongs to
  bool launch_failed_ = false;
  bool failed_by_itself_ = false;     // the failed launch: nobody had stopped it
  bool runtime_initialised_ = false;  // and told
  bool restored_ = false;             // with SnapStart
  bool retired_ = false;              // no process is started any more
  SharedOngoing ongoing_;             // between START and REPORT
  bool initialised_once_ = false;
  std::uint64_t invocations_ = 0;
  std::uint64_t peak_memory_bytes_ = 0;  // of this launch
  Nanoseconds throttled_{};              // of this launch, as last read
  TimePoint next_sample_ = TimePoint::min();
  enum class Motion : std::uint8_t { running, freezing, frozen };
  Motion motion_ = Motion::running;
  std::condition_variable froze_;
  bool freeze_scheduled_ = false;
  TimePoint last_used_;
};

}  // namespace emulator::environment
