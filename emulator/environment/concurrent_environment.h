// One execution environment of a function on Managed Instances: one runtime process that serves
// several invocations at once. It is initialised before any invocation, never frozen, and outlives
// invocations that time out; when its runtime or an extension ends, so does it.
#pragma once

#include "emulator/environment/environment.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace emulator::environment {

// Threads: initialise() by one, once, before all others but interrupt(); close() by one, once, as
// the last; the rest by any number at a time.
class ConcurrentEnvironment {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Unserved = Launch::Unserved;

  // Called once, when the processes of an environment that was initialised have ended by
  // themselves; on the pump's thread or one of the listener, with no lock held. It must neither
  // close the environment nor wait for it.
  using Lost = std::function<void(ConcurrentEnvironment&)>;

  // `spec` is one with `managed`; `world` must outlive the environment.
  ConcurrentEnvironment(std::string id,
                        std::shared_ptr<const EnvironmentSpec> spec,
                        World& world,
                        Lost lost);
  ConcurrentEnvironment(const ConcurrentEnvironment&) = delete;
  ConcurrentEnvironment& operator=(const ConcurrentEnvironment&) = delete;
  ~ConcurrentEnvironment();

  // Starts the processes and blocks until the extensions are ready and the runtime has asked for an
  // invocation for the first time: nothing. Else how that failed, which the log tells as well.
  std::optional<Outcome> initialise();

  // Runs one invocation beside others and blocks until it is answered, or `deadline` has passed,
  // which ends nothing but this invocation. An error: the runtime was not given it.
  tl::expected<Served, Unserved> serve(runtime_api::SharedInvocation invocation,
                                       TimePoint deadline,
                                       const ServingTerms& terms);

  // Ends what initialise() and serve() wait for; later ones fail at once. Does not wait.
  void interrupt();

  // Takes no further invocation, if it serves none and has served none since then; false: it goes
  // on as before. Whoever gets true closes it.
  bool retire_if_idle_since(TimePoint moment);

  // As interrupt(), shuts the processes down within their budget, and blocks until they are gone
  // and nobody is inside serve(). Not on a thread of the pump.
  void close();

  Snapshot snapshot() const;
  // On the service's clock; nothing while it serves or is not initialised.
  std::optional<TimePoint> idle_since() const;
  const std::string& id() const { return id_; }

 private:
  std::optional<Outcome> open_launch();
  // Of an invocation that is under way, for events.
  struct Underway {
    InvocationContext context;
    std::optional<WallTime> answer_begun{};
    std::size_t users = 0;  // calls of serve() with this id
  };

  void note_underway(const runtime_api::NextInvocation& invocation, const TraceContext& trace);
  void begun(const runtime_api::NextInvocation& invocation);
  void answer_begun(const runtime_api::NextInvocation& invocation);
  InvocationContext take_context(const InvocationReport& report);
  void finish(InvocationReport& report, const InvocationContext& context, const Outcome& outcome);
  void failed();
  std::shared_ptr<Telemetry> audience() const;
  void tell_event(TelemetryRecord record);
  void tell_init(const std::optional<Outcome>& failure, Nanoseconds duration);

  const std::string id_;
  const std::shared_ptr<const EnvironmentSpec> spec_;
  World& world_;
  const Lost lost_;
  const std::string log_stream_name_;
  LogStream log_;
  std::unique_ptr<sandbox::Sandbox> sandbox_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable left_;
  // Set by initialise(), taken away by close() when nobody is inside.
  std::unique_ptr<Launch> launch_;
  std::size_t serving_ = 0;
  std::map<std::string, Underway, std::less<>> underway_;
  std::uint64_t invocations_ = 0;
  TimePoint idle_since_;  // since it was initialised, or since it last served
  bool initialised_ = false;
  bool failed_ = false;
  bool retired_ = false;
};

}  // namespace emulator::environment
