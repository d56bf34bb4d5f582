// One execution environment: drives its runtime through init, invocations and resets, and tells
// what each invocation did.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/invocation_report.h"
#include "emulator/environment/lifecycle.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/output_pump.h"
#include "emulator/environment/runtime_process.h"
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

// What every environment is given of the world; the references must outlive the environments.
struct World {
  const time::Clock& clock;
  time::TimerQueue& timers;        // deadlines: nothing slow is done there
  time::TimerQueue& housekeeping;  // freezing, and ending what nobody waits for
  sandbox::Launcher& launcher;
  OutputPump& pump;
  LogSink log;
  std::function<std::string()> new_log_stream_id;  // 32 hexadecimal digits
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

  // Starts the runtime ahead of any invocation, and blocks until it first asks for one: nothing.
  // Else how that failed, which the log tells as well. The invocations that follow have no init of
  // their own. Also for an environment that has lost its processes. kill() ends it.
  std::optional<Outcome> initialise_provisioned();

  // Ends the processes for good: an invocation or an init that runs ends with them,
  // and a later one starts none.
  void kill();

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
    bool cold = false;      // it started a process
    bool claimed = false;   // somebody writes its REPORT
    bool finished = false;  // and has
    std::string log_tail;
  };
  using SharedOngoing = std::shared_ptr<Ongoing>;

  enum class StillRunning { no, yes };

  SharedOngoing begin(const std::string& request_id, const ServingTerms& terms);
  // In environment_init.cc.
  void initialise_before(Ongoing& ongoing);
  std::optional<Outcome> initialise_inside(TimePoint deadline, Ongoing& ongoing);
  std::optional<Outcome> initialise(TimePoint deadline, Ongoing* ongoing);
  std::optional<Outcome> start_process();
  tl::expected<void, NeverStarted> make_sandbox();
  bool take_up();
  void tell_failed_init(const Outcome& failure, Nanoseconds duration, FailurePhase phase);

  Outcome exchange(runtime_api::NextInvocation next, TimePoint deadline, Ongoing& ongoing);
  void note_answer(Ongoing& ongoing);
  void release(const SharedOngoing& ongoing, TimePoint deadline);

  void settled(std::uint64_t launch, std::string_view error_type);
  void process_exited(std::uint64_t launch);
  std::string_view how_it_ended_after_answering(Ongoing& ongoing);
  void settle_deadline_passed(const SharedOngoing& ongoing);
  bool claim(const SharedOngoing& ongoing);
  void finish(const SharedOngoing& ongoing, std::string_view error_type, StillRunning running);

  void move_to(Cause cause);  // with mutex_ held
  void drop_process();
  void drop_dead_process_later();
  void take_sample(Ongoing* ongoing);
  bool sample_due(const Ongoing& ongoing);

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
  // Taken away by the serving thread, and by others only in the phases settling and reset. A
  // callback of the process may use it without the lock: its destruction waits for the callback.
  std::unique_ptr<RuntimeProcess> process_;
  bool dropping_ = false;  // a process that was taken away for good is still being ended
  std::condition_variable dropped_;
  std::uint64_t launches_ = 0;  // which process a callback belongs to
  bool process_ended_ = false;
  bool retired_ = false;   // no process is started any more
  SharedOngoing ongoing_;  // between START and REPORT
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
