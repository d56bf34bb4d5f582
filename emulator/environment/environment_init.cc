// The Init phase of an environment: ahead of any invocation, before one that waits, or repeated
// inside one.
#include "emulator/environment/environment.h"
#include "emulator/environment/platform_lines.h"

#include <signal.h>

#include <string>
#include <utility>

namespace emulator::environment {

// The Init phase proper: before the invocation, with a limit of its own. When it fails, it is
// repeated inside the invocation.
void Environment::initialise_before(Ongoing& ongoing) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(initialised_once_, true)) return;
  }
  ongoing.cold = true;
  const auto begun = world_.clock.monotonic_now();
  const auto failure = initialise(begun + spec_->init_limit, FailurePhase::init, &ongoing);
  const auto duration = world_.clock.monotonic_now() - begun;
  tell_init_report(FailurePhase::init, failure, duration);
  if (!failure) {
    ongoing.report.init_duration = duration;
    const std::lock_guard lock(mutex_);
    move_to(Cause::init_done);
    return;
  }
  give_up_init();
  tell_failed_init(*failure, duration, FailurePhase::init);
}

std::optional<Outcome> Environment::initialise_provisioned() {
  {
    // What is about to be frozen may have lost its processes just before.
    std::unique_lock lock(mutex_);
    froze_.wait(lock, [this] { return motion_ != Motion::freezing; });
    initialised_once_ = true;
  }
  const auto begun = world_.clock.monotonic_now();
  auto failure = initialise(begun + spec_->init_limit, FailurePhase::init, nullptr);
  const auto duration = world_.clock.monotonic_now() - begun;
  tell_init_report(FailurePhase::init, failure, duration);
  if (!failure) {
    tell_snapshot_init(duration);
    std::unique_lock lock(mutex_);
    last_used_ = world_.clock.monotonic_now();
    // Whoever noticed its end left it to this thread.
    if (!launch_failed_) {
      move_to(Cause::init_done);
      freeze_later();
      return std::nullopt;
    }
    lock.unlock();
    failure = launch_->how_it_failed(FailurePhase::init);
  }
  give_up_init();
  // One that was ended on purpose has not failed.
  if (phase() != Phase::gone) {
    tell_failed_init(*failure, world_.clock.monotonic_now() - begun, FailurePhase::init);
  }
  return failure;
}

void Environment::tell_failed_init(const Outcome& failure,
                                   Nanoseconds duration,
                                   FailurePhase phase) {
  log_.platform(init_report_lines(*spec_,
                                  {.duration = duration,
                                   .phase = phase,
                                   .error_type = std::string(environment::error_type(failure))},
                                  world_.clock.wall_now()));
}

std::optional<Outcome> Environment::initialise_inside(TimePoint deadline, Ongoing& ongoing) {
  if (take_up()) return std::nullopt;
  ongoing.cold = true;
  const auto begun = world_.clock.monotonic_now();
  auto failure = initialise(deadline, FailurePhase::invoke, &ongoing);
  const auto duration = world_.clock.monotonic_now() - begun;
  if (!failure && spec_->initialization == Initialization::snap_start) {
    failure = restore(world_.clock.monotonic_now(), ongoing);
  }
  tell_init_report(FailurePhase::invoke, failure, duration);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = !std::exchange(initialised_once_, true);
    if (!failure) {
      move_to(Cause::init_done);
      move_to(Cause::invocation_given);
    }
  }
  if (spec_->profile == Profile::rie) {
    if (first) ongoing.report.init_duration = duration;
  } else if (failure) {
    tell_failed_init(*failure, duration, FailurePhase::invoke);
  }
  if (failure && std::holds_alternative<TimedOut>(*failure)) return TimedOut{spec_->timeout};
  return failure;
}

// Gives the invocation to a launch that lives. Looking and taking are one step: one that fails from
// here on is the serving thread's to notice, and nobody takes it away.
bool Environment::take_up() {
  bool frozen = false;
  {
    std::unique_lock lock(mutex_);
    froze_.wait(lock, [this] { return motion_ != Motion::freezing; });
    if (!launch_ || launch_failed_) return false;
    frozen = std::exchange(motion_, Motion::running) == Motion::frozen;
    move_to(Cause::invocation_given);
  }
  if (frozen) {
    sandbox_->thaw();
    if (const auto telemetry = audience()) telemetry->resume();
  }
  return true;
}

// The phase is still `initialising` afterwards, and a launch that failed is still there: what comes
// next is the caller's to say.
std::optional<Outcome> Environment::initialise(TimePoint deadline,
                                               FailurePhase phase,
                                               Ongoing* ongoing) {
  drop_launch(failure_reason());
  {
    const std::lock_guard lock(mutex_);
    move_to(Cause::processes_lost);
    move_to(Cause::init_begun);
  }
  auto failure = launch_processes(phase);
  if (failure) return failure;
  tell_init_start(phase);
  failure = launch_->start(deadline, spec_->init_limit);
  const bool ran = !failure || !std::holds_alternative<NeverStarted>(*failure);
  if (!failure) failure = launch_->await_init(deadline, spec_->init_limit);
  if (ran) {
    // What is printed in Init is told as of Init.
    launch_->drain_output();
    take_sample(ongoing);
    sandbox_->set_cpu_quota(spec_->machine.cpu.quota);
  } else {
    advise(std::get<NeverStarted>(*failure));
  }
  tell_extensions();
  return failure;
}

void Environment::give_up_init() {
  drop_launch(ShutdownReason::failed_init);
  const std::lock_guard lock(mutex_);
  move_to(Cause::processes_lost);
}

void Environment::advise(const NeverStarted& never) const {
  if (!never.hint.empty()) world_.advise(never.hint);
}

std::optional<Outcome> Environment::launch_processes(FailurePhase phase) {
  std::uint64_t launch = 0;
  {
    std::unique_lock lock(mutex_);
    // A launch has the sandbox for itself, and what ends the former must not end this one.
    dropped_.wait(lock, [this] { return dropping_ == 0; });
    if (retired_) {
      return RuntimeExited{.exit_code = {}, .signal = SIGKILL, .phase = FailurePhase::init};
    }
    launch = ++launches_;
    launch_failed_ = false;
    runtime_initialised_ = false;
    restored_ = false;
    next_sample_ = TimePoint::min();
    peak_memory_bytes_ = 0;
    throttled_ = {};
    motion_ = Motion::running;
  }
  if (auto made = make_sandbox(); !made) return made.error();
  sandbox_->set_cpu_quota(spec_->init_cpu_quota ? spec_->init_cpu_quota : spec_->machine.cpu.quota);
  auto opened = Launch::open(
      launch_world(world_, *spec_, log_stream_name_, *sandbox_, log_),
      {.settled = [this, launch](std::string_view type) { settled(launch, type); },
       .failed = [this, launch](Launch& failed) { launch_failed(launch, failed); },
       .segments = world_.segments,
       .runtime_initialised =
           [this, phase](std::string_view type) { tell_runtime_initialised(phase, type); },
       .answer_begun = [this, launch] { answer_begun(launch); },
       .answer_complete =
           [this, launch](const runtime_api::RuntimeAnswer& answer) {
             answer_complete(launch, answer);
           },
       .runtime_done = [this, launch](std::string_view type) { runtime_done(launch, type); }});
  if (!opened) {
    advise(opened.error());
    return opened.error();
  }
  const std::lock_guard lock(mutex_);
  launch_ = std::move(*opened);
  if (retired_) launch_->kill();
  return std::nullopt;
}

tl::expected<void, NeverStarted> Environment::make_sandbox() {
  if (sandbox_) return {};
  auto made = world_.launcher.make(spec_->machine);
  if (!made) {
    return tl::unexpected(
        NeverStarted{"Sandbox.Failure", made.error().message, made.error().message});
  }
  sandbox_ = std::move(*made);
  return {};
}

}  // namespace emulator::environment
