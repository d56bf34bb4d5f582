// What an environment tells of itself to extensions that subscribed: events, at their moments.
#include "emulator/environment/environment.h"
#include "emulator/environment/platform_lines.h"
#include "emulator/environment/telemetry.h"

#include <string>
#include <utility>

namespace emulator::environment {

// Null where nobody listens, so that nothing has to be put together for it.
std::shared_ptr<Telemetry> Environment::audience() const {
  const std::lock_guard lock(mutex_);
  if (!launch_ || !launch_->telemetry()) return nullptr;
  const auto& telemetry = launch_->telemetry();
  return telemetry->open() || telemetry->has_subscribers() ? telemetry : nullptr;
}

// A log in the JSON format has what telemetry has.
bool Environment::is_heard() const {
  return spec_->logging.format == LogFormat::json || audience() != nullptr;
}

InvocationContext Environment::context_of(const Ongoing& ongoing) const {
  AnswerTimes times;
  {
    const std::lock_guard lock(mutex_);
    times = ongoing.answer_times;
  }
  return {.tenant_id = ongoing.tenant_id,
          .tracing = tracing_of(ongoing.report.trace, ongoing.trace_id),
          .spans = spans_of(ongoing.report.started, times)};
}

InvocationContext Environment::log_context(const Ongoing& ongoing) const {
  return spec_->logging.format == LogFormat::json ? context_of(ongoing) : InvocationContext{};
}

// What only a JSON log has a line for.
void Environment::tell_event(TelemetryRecord record) {
  log_.platform(event_lines(*spec_, record, world_.clock.wall_now()));
  if (const auto telemetry = audience()) telemetry->record(std::move(record));
}

// ---- Init.

void Environment::tell_init_start(FailurePhase phase) {
  InitStart start{.type = init_type_of(spec_->initialization),
                  .phase = phase,
                  .instance = instance_facts(*spec_, id_),
                  .tracing = {}};
  log_.platform(init_start_lines(*spec_, start, world_.clock.wall_now()));
  if (const auto telemetry = audience()) telemetry->record(std::move(start));
}

void Environment::tell_runtime_initialised(FailurePhase phase, std::string_view error_type) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(runtime_initialised_, true)) return;
  }
  tell_event(InitRuntimeDone{.type = init_type_of(spec_->initialization),
                             .phase = phase,
                             .outcome = outcome_of_runtime(error_type),
                             .tracing = {}});
}

// The service logs extensions when Init has ended, well or not, and tells of them.
void Environment::tell_extensions() {
  if (spec_->profile != Profile::aws) return;
  const auto telemetry = audience();
  std::string lines;
  for (const auto& extension : launch_->extensions()) {
    lines += extension_lines(*spec_, extension, world_.clock.wall_now());
    if (telemetry) telemetry->record(reported_extension(extension));
  }
  log_.platform(lines);
}

void Environment::tell_init_report(FailurePhase phase,
                                   const std::optional<Outcome>& failure,
                                   Nanoseconds duration) {
  const auto type = failure ? environment::error_type(*failure) : std::string_view();
  if (failure) tell_runtime_initialised(phase, type);
  InitReported reported{.type = init_type_of(spec_->initialization),
                        .phase = phase,
                        .outcome = outcome_in_report(type),
                        .duration = duration,
                        .tracing = {}};
  // A failure's and a snapshot's are logged in every format, by whoever told of them.
  if (!failure && spec_->initialization != Initialization::snap_start) {
    log_.platform(event_lines(*spec_, reported, world_.clock.wall_now()));
  }
  const auto telemetry = audience();
  if (!telemetry) return;
  telemetry->record(std::move(reported));
  // The thread that initialises it is the only one that takes a launch away in this phase.
  launch_->close_subscriptions();
}

// ---- Invoke.

void Environment::tell_start(const Ongoing& ongoing) {
  const auto telemetry = audience();
  if (!telemetry) return;
  auto context = context_of(ongoing);
  telemetry->record(InvocationStart{.request_id = ongoing.report.request_id,
                                    .version = ongoing.report.version,
                                    .tenant_id = std::move(context.tenant_id),
                                    .tracing = std::move(context.tracing)});
}

void Environment::answer_begun(std::uint64_t launch) {
  if (!is_heard()) return;
  const auto now = world_.clock.wall_now();
  const std::lock_guard lock(mutex_);
  if (launch == launches_ && ongoing_) ongoing_->answer_times.first_byte = now;
}

void Environment::answer_complete(std::uint64_t launch, const runtime_api::RuntimeAnswer& answer) {
  const bool heard = is_heard();
  // A trace names the exceptions.
  if (!heard && answer.exceptions.empty()) return;
  const auto now = world_.clock.wall_now();
  const std::lock_guard lock(mutex_);
  if (launch != launches_ || !ongoing_) return;
  ongoing_->report.exceptions = answer.exceptions;
  if (!heard) return;
  ongoing_->produced_bytes = answer.size_bytes;
  ongoing_->answer_times.last_byte = now;
}

void Environment::runtime_done(std::uint64_t launch, std::string_view error_type) {
  if (!is_heard()) return;
  SharedOngoing ongoing;
  {
    const std::lock_guard lock(mutex_);
    if (launch != launches_ || !ongoing_) return;
    ongoing = ongoing_;
    ongoing->answer_times.next_asked = world_.clock.wall_now();
  }
  tell_runtime_done(*ongoing, error_type);
}

// Once for each invocation: whoever finds out first how its runtime was done with it.
void Environment::tell_runtime_done(Ongoing& ongoing, std::string_view error_type) {
  const auto telemetry = audience();
  if (!telemetry) return;
  std::uint64_t produced_bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ongoing.runtime_done, true)) return;
    produced_bytes = ongoing.produced_bytes;
  }
  auto context = context_of(ongoing);
  telemetry->record(RuntimeDone{.request_id = ongoing.report.request_id,
                                .tenant_id = std::move(context.tenant_id),
                                .outcome = outcome_of_runtime(error_type),
                                .duration = world_.clock.monotonic_now() - ongoing.started,
                                .produced_bytes = produced_bytes,
                                .spans = std::move(context.spans),
                                .tracing = std::move(context.tracing)});
}

void Environment::tell_fault(const Outcome& outcome, const Ongoing& ongoing) {
  const auto telemetry = audience();
  if (!telemetry) return;
  auto sentence = outcome_lines(outcome, ongoing.report.request_id, world_.clock.wall_now());
  while (sentence.ends_with('\n')) sentence.pop_back();
  if (!sentence.empty()) telemetry->record(Fault{std::move(sentence)});
}

void Environment::tell_report(Ongoing& ongoing) {
  tell_runtime_done(ongoing, ongoing.report.error_type);
  const auto telemetry = audience();
  if (!telemetry) return;
  auto context = context_of(ongoing);
  telemetry->record(InvocationReported{.report = ongoing.report,
                                       .profile = spec_->profile,
                                       .tenant_id = std::move(context.tenant_id),
                                       .spans = std::move(context.spans),
                                       .tracing = std::move(context.tracing)});
}

}  // namespace emulator::environment
