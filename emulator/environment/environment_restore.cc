// SnapStart: an environment that is initialised ahead, stands still, and is restored for the first
// invocation that it serves.
//
// Lambda initialises once, keeps a copy of the whole machine, and starts every environment from
// that copy. A process that lives cannot be copied, so here every environment has an Init of its
// own, made ahead and then frozen: what a function sees of it is the same (Init, its hooks, a pause
// of any length, other hooks, invocations), but what Init drew or fetched is unlike in each of
// them, where on Lambda it is alike in all. An environment that is restored is never a snapshot
// again.
#include "emulator/environment/environment.h"
#include "emulator/environment/platform_lines.h"
#include "emulator/environment/telemetry.h"

#include <string>
#include <utility>

namespace emulator::environment {

// Nothing: the environment is restored. A RestoreFailed, or how an Init failed that had to be made
// because there was no snapshot; then the phase is still `initialising`.
std::optional<Outcome> Environment::restore_before(Ongoing& ongoing) {
  auto begun = world_.clock.monotonic_now();
  if (take_up()) {
    if (is_restored()) return std::nullopt;
    auto failure = restore(begun, ongoing);
    if (!failure || std::holds_alternative<RestoreFailed>(*failure)) return failure;
    // What died in its sleep was no snapshot.
    drop_launch(failure_reason());
  }
  ongoing.cold = true;
  if (auto failure = make_snapshot()) return failure;
  begun = world_.clock.monotonic_now();
  auto failure = restore(begun, ongoing);
  if (failure && !std::holds_alternative<RestoreFailed>(*failure)) return restore_failure(*failure);
  return failure;
}

// For an invocation that found none. That it had to wait for this Init is neither told nor billed.
std::optional<Outcome> Environment::make_snapshot() {
  const auto begun = world_.clock.monotonic_now();
  auto failure = initialise(begun + spec_->init_limit, FailurePhase::init, nullptr);
  const auto duration = world_.clock.monotonic_now() - begun;
  tell_init_report(FailurePhase::init, failure, duration);
  if (failure) {
    tell_failed_init(*failure, duration, FailurePhase::init);
    return failure;
  }
  tell_snapshot_init(duration);
  const std::lock_guard lock(mutex_);
  move_to(Cause::init_done);
  move_to(Cause::invocation_given);
  return std::nullopt;
}

bool Environment::is_restored() const {
  const std::lock_guard lock(mutex_);
  return restored_;
}

// `begun` is when the processes began to be thawed, which is told and not billed.
std::optional<Outcome> Environment::restore(TimePoint begun, Ongoing& ongoing) {
  tell_restore_start();
  const auto resumed = world_.clock.monotonic_now();
  auto failure = launch_->restore(resumed + spec_->restore_limit);
  const auto now = world_.clock.monotonic_now();
  // What hooks print is told as of the restore.
  launch_->drain_output();
  tell_restored(failure ? environment::error_type(*failure) : std::string_view(), now - begun);
  if (failure) return failure;
  ongoing.cold = true;
  if (spec_->profile == Profile::aws) {
    ongoing.report.restore_duration = now - begun;
    ongoing.report.billed_restore_duration = now - resumed;
  }
  const std::lock_guard lock(mutex_);
  restored_ = true;
  return std::nullopt;
}

// There was no invocation: its log has no START and no REPORT.
Served Environment::unrestored(const SharedOngoing& ongoing, Outcome failure) {
  ongoing->started = world_.clock.monotonic_now();
  ongoing->report.started = world_.clock.wall_now();
  ongoing->unrestored = true;
  if (claim(ongoing)) {
    take_sample(ongoing.get());
    const auto kind = std::get<RestoreFailed>(failure).kind;
    end_with(ongoing,
             {std::string(environment::error_type(failure)),
              kind == RestoreFailed::Kind::timed_out ? ShutdownReason::timeout : failure_reason()});
  }
  return served(ongoing, std::move(failure));
}

// ---- What is told.

// Lambda reports the Init of every snapshot, and only failures of others.
void Environment::tell_snapshot_init(Nanoseconds duration) {
  if (spec_->initialization != Initialization::snap_start) return;
  log_.platform(
      init_report_lines(*spec_,
                        {.duration = duration, .phase = FailurePhase::init, .error_type = {}},
                        world_.clock.wall_now()));
}

// Published emulators have no Restore phase to tell of.
void Environment::tell_restore_start() {
  if (spec_->profile == Profile::rie) return;
  log_.platform(restore_start_lines(*spec_, id_, world_.clock.wall_now()));
  if (const auto telemetry = audience())
    telemetry->record(RestoreStart{instance_facts(*spec_, id_)});
}

void Environment::tell_restored(std::string_view error_type, Nanoseconds duration) {
  if (spec_->profile == Profile::rie) return;
  const RestoreReport report{.duration = duration, .error_type = std::string(error_type)};
  tell_event(RestoreRuntimeDone{.outcome = outcome_of_runtime(error_type), .tracing = {}});
  log_.platform(restore_report_lines(*spec_, report, world_.clock.wall_now()));
  const auto telemetry = audience();
  if (!telemetry) return;
  telemetry->record(RestoreReported{
      .outcome = outcome_in_report(error_type), .duration = duration, .tracing = {}});
}

}  // namespace emulator::environment
