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
  const auto failure = initialise(begun + spec_->init_limit, &ongoing);
  const auto duration = world_.clock.monotonic_now() - begun;
  if (!failure) {
    ongoing.report.init_duration = duration;
    const std::lock_guard lock(mutex_);
    move_to(Cause::init_done);
    return;
  }
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
  auto failure = initialise(begun + spec_->init_limit, nullptr);
  if (!failure) {
    std::unique_lock lock(mutex_);
    last_used_ = world_.clock.monotonic_now();
    // Whoever noticed its end left it to this thread.
    if (!process_ended_) {
      move_to(Cause::init_done);
      freeze_later();
      return std::nullopt;
    }
    move_to(Cause::processes_lost);
    lock.unlock();
    failure = process_->how_it_ended(FailurePhase::init);
    drop_process();
  }
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
  auto failure = initialise(deadline, &ongoing);
  const auto duration = world_.clock.monotonic_now() - begun;
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

// Gives the invocation to a process that lives. Looking and taking are one step: a process that
// ends from here on is the serving thread's to notice, and nobody takes it away.
bool Environment::take_up() {
  bool frozen = false;
  {
    std::unique_lock lock(mutex_);
    froze_.wait(lock, [this] { return motion_ != Motion::freezing; });
    if (!process_ || process_ended_) return false;
    frozen = std::exchange(motion_, Motion::running) == Motion::frozen;
    move_to(Cause::invocation_given);
  }
  if (frozen) sandbox_->thaw();
  return true;
}

// After success the phase is still `initialising`: what comes next is the caller's to say.
std::optional<Outcome> Environment::initialise(TimePoint deadline, Ongoing* ongoing) {
  drop_process();
  {
    const std::lock_guard lock(mutex_);
    move_to(Cause::processes_lost);
    move_to(Cause::init_begun);
  }
  auto failure = start_process();
  if (!failure) {
    failure = process_->await_init(deadline, spec_->init_limit);
    take_sample(ongoing);
    sandbox_->set_cpu_quota(spec_->machine.cpu.quota);
  }
  if (failure) {
    drop_process();
    const std::lock_guard lock(mutex_);
    move_to(Cause::processes_lost);
  }
  return failure;
}

std::optional<Outcome> Environment::start_process() {
  std::uint64_t launch = 0;
  {
    std::unique_lock lock(mutex_);
    // A sandbox has one process at a time, and what ends the former must not end this one.
    dropped_.wait(lock, [this] { return !dropping_; });
    if (retired_) {
      return RuntimeExited{.exit_code = {}, .signal = SIGKILL, .phase = FailurePhase::init};
    }
    launch = ++launches_;
    process_ended_ = false;
    next_sample_ = TimePoint::min();
    peak_memory_bytes_ = 0;
    throttled_ = {};
    motion_ = Motion::running;
  }
  if (auto made = make_sandbox(); !made) return made.error();
  sandbox_->set_cpu_quota(spec_->init_cpu_quota ? spec_->init_cpu_quota : spec_->machine.cpu.quota);
  auto process = RuntimeProcess::start(
      *spec_,
      log_stream_name_,
      *sandbox_,
      world_.pump,
      log_,
      {.settled = [this, launch](std::string_view type) { settled(launch, type); },
       .exited = [this, launch] { process_exited(launch); },
       .segments = world_.segments});
  if (!process) {
    if (!process.error().hint.empty()) world_.advise(process.error().hint);
    return process.error();
  }
  const std::lock_guard lock(mutex_);
  process_ = std::move(*process);
  if (retired_) process_->kill();
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
