#include "emulator/environment/concurrent_environment.h"

#include "emulator/environment/platform_lines.h"
#include "emulator/environment/telemetry.h"

#include <utility>

namespace emulator::environment {
namespace {

// With a tab where the text log otherwise has a space. Source: the published emulator's mode for
// Managed Instances.
std::string managed_start_lines(const EnvironmentSpec& spec,
                                const std::string& request_id,
                                const InvocationContext& context,
                                WallTime now) {
  if (spec.logging.format == LogFormat::json) return start_lines(spec, request_id, context, now);
  return "START RequestId: " + request_id + "\tVersion: " + spec.version + "\n";
}

}  // namespace

ConcurrentEnvironment::ConcurrentEnvironment(std::string id,
                                             std::shared_ptr<const EnvironmentSpec> spec,
                                             World& world,
                                             Lost lost)
    : id_(std::move(id)),
      spec_(std::move(spec)),
      world_(world),
      lost_(std::move(lost)),
      log_stream_name_(log_stream_name(*spec_, world.clock, world.new_log_stream_id)),
      log_(world.log, spec_->logging, world.clock) {}

ConcurrentEnvironment::~ConcurrentEnvironment() { close(); }

// ---- Init.

std::optional<Outcome> ConcurrentEnvironment::initialise() {
  const auto begun = world_.clock.monotonic_now();
  auto failure = open_launch();
  if (!failure) {
    tell_event(InitStart{.type = init_type_of(spec_->initialization),
                         .phase = FailurePhase::init,
                         .instance = instance_facts(*spec_, id_),
                         .tracing = {}});
    const auto deadline = begun + spec_->init_limit;
    failure = launch_->start(deadline, spec_->init_limit);
    if (!failure) failure = launch_->await_init(deadline, spec_->init_limit);
    launch_->drain_output();
    sandbox_->set_cpu_quota(spec_->machine.cpu.quota);
    tell_init(failure, world_.clock.monotonic_now() - begun);
  }
  if (!failure) {
    std::unique_lock lock(mutex_);
    initialised_ = !failed_;
    idle_since_ = world_.service_clock.monotonic_now();
    if (!failed_) return std::nullopt;
    lock.unlock();
    failure = launch_->how_it_failed(FailurePhase::init);
  }
  if (const auto* never = std::get_if<NeverStarted>(&*failure); never && !never->hint.empty()) {
    world_.advise(never->hint);
  }
  log_.platform(init_report_lines(*spec_,
                                  {.duration = world_.clock.monotonic_now() - begun,
                                   .phase = FailurePhase::init,
                                   .error_type = std::string(error_type(*failure))},
                                  world_.clock.wall_now()));
  return failure;
}

std::optional<Outcome> ConcurrentEnvironment::open_launch() {
  auto made = world_.launcher.make(spec_->machine);
  if (!made) return NeverStarted{"Sandbox.Failure", made.error().message, made.error().message};
  sandbox_ = std::move(*made);
  sandbox_->set_cpu_quota(spec_->init_cpu_quota ? spec_->init_cpu_quota : spec_->machine.cpu.quota);
  auto opened = Launch::open(
      launch_world(world_, *spec_, log_stream_name_, *sandbox_, log_),
      {.settled = [](std::string_view) {},
       .failed = [this](Launch&) { failed(); },
       .segments = world_.segments,
       .runtime_initialised = [](std::string_view) {},
       .answer_begun = [] {},
       .answer_complete = [](const runtime_api::RuntimeAnswer&) {},
       .runtime_done = [](std::string_view) {},
       .taken = [this](const runtime_api::NextInvocation& invocation) { begun(invocation); },
       .answering =
           [this](const runtime_api::NextInvocation& invocation) { answer_begun(invocation); }});
  if (!opened) return opened.error();
  const std::lock_guard lock(mutex_);
  launch_ = std::move(*opened);
  if (retired_) launch_->kill();
  return std::nullopt;
}

// What only a JSON log has a line for.
void ConcurrentEnvironment::tell_event(TelemetryRecord record) {
  log_.platform(event_lines(*spec_, record, world_.clock.wall_now()));
  if (const auto telemetry = audience()) telemetry->record(std::move(record));
}

void ConcurrentEnvironment::tell_init(const std::optional<Outcome>& failure, Nanoseconds duration) {
  const auto type = failure ? error_type(*failure) : std::string_view();
  const auto telemetry = audience();
  std::string lines;
  for (const auto& extension : launch_->extensions()) {
    if (spec_->profile == Profile::aws) {
      lines += extension_lines(*spec_, extension, world_.clock.wall_now());
    }
    if (telemetry) telemetry->record(reported_extension(extension));
  }
  log_.platform(lines);
  tell_event(InitRuntimeDone{.type = init_type_of(spec_->initialization),
                             .phase = FailurePhase::init,
                             .outcome = outcome_of_runtime(type),
                             .tracing = {}});
  InitReported reported{.type = init_type_of(spec_->initialization),
                        .phase = FailurePhase::init,
                        .outcome = outcome_in_report(type),
                        .duration = duration,
                        .tracing = {}};
  if (!failure) {
    tell_event(std::move(reported));
  } else if (telemetry) {  // whoever asked for this Init logs that it failed
    telemetry->record(std::move(reported));
  }
  launch_->close_subscriptions();
}

std::shared_ptr<Telemetry> ConcurrentEnvironment::audience() const {
  const std::lock_guard lock(mutex_);
  if (!launch_ || !launch_->telemetry()) return nullptr;
  const auto& telemetry = launch_->telemetry();
  return telemetry->open() || telemetry->has_subscribers() ? telemetry : nullptr;
}

// ---- Invoke.

tl::expected<Served, ConcurrentEnvironment::Unserved> ConcurrentEnvironment::serve(
    runtime_api::SharedInvocation invocation, TimePoint deadline, const ServingTerms& terms) {
  Launch* launch = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!initialised_ || failed_ || retired_) return tl::unexpected(Unserved::ended);
    ++serving_;
    launch = launch_.get();
  }
  note_underway(*invocation, terms.trace);
  InvocationReport report;
  report.request_id = invocation->request_id;
  report.function_name = spec_->function_name;
  report.version = spec_->version;
  report.memory_size_mb = spec_->memory_size_mb;
  report.metering = Metering::duration;
  report.kind = terms.kind;
  report.attempt = terms.attempt;
  report.trace = terms.trace;
  report.started = world_.clock.wall_now();
  const auto started = world_.clock.monotonic_now();
  auto outcome = launch->exchange_one(std::move(invocation), deadline, spec_->timeout);
  report.duration = world_.clock.monotonic_now() - started;
  const auto context = take_context(report);
  if (outcome) finish(report, context, *outcome);
  {
    const std::lock_guard lock(mutex_);
    if (outcome) {
      ++invocations_;
      idle_since_ = world_.service_clock.monotonic_now();
    }
    --serving_;
  }
  left_.notify_all();
  if (!outcome) return tl::unexpected(outcome.error());
  Served served{std::move(*outcome), {}};
  if (terms.release_at == ReleaseAt::report) served.report = std::move(report);
  return served;
}

// On the thread that gives the runtime its invocation, so before anything that the runtime prints.
void ConcurrentEnvironment::begun(const runtime_api::NextInvocation& invocation) {
  const auto now = world_.clock.wall_now();
  InvocationContext context;
  {
    const std::lock_guard lock(mutex_);
    const auto mine = underway_.find(invocation.request_id);
    if (mine != underway_.end()) context = mine->second.context;
  }
  log_.platform(managed_start_lines(*spec_, invocation.request_id, context, now));
  if (const auto telemetry = audience()) {
    telemetry->record(InvocationStart{.request_id = invocation.request_id,
                                      .version = spec_->version,
                                      .tenant_id = std::move(context.tenant_id),
                                      .tracing = std::move(context.tracing)});
  }
}

// ---- What events tell of it.

// Two of one id cannot be under way: the session refuses the later, and the earlier keeps its own.
void ConcurrentEnvironment::note_underway(const runtime_api::NextInvocation& invocation,
                                          const TraceContext& trace) {
  InvocationContext context{.tenant_id = invocation.tenant_id,
                            .tracing = tracing_of(trace, invocation.trace_id)};
  const std::lock_guard lock(mutex_);
  auto& mine = underway_[invocation.request_id];
  if (mine.users++ == 0) mine.context = std::move(context);
}

// One that has timed out meanwhile is not there any more.
void ConcurrentEnvironment::answer_begun(const runtime_api::NextInvocation& invocation) {
  const auto now = world_.clock.wall_now();
  const std::lock_guard lock(mutex_);
  const auto mine = underway_.find(invocation.request_id);
  if (mine != underway_.end()) mine->second.answer_begun = now;
}

InvocationContext ConcurrentEnvironment::take_context(const InvocationReport& report) {
  const auto now = world_.clock.wall_now();
  const std::lock_guard lock(mutex_);
  const auto mine = underway_.find(report.request_id);
  auto context = mine->second.context;
  context.spans =
      spans_of(report.started,
               {.first_byte = mine->second.answer_begun, .last_byte = now, .next_asked = {}});
  if (--mine->second.users == 0) underway_.erase(mine);
  return context;
}

void ConcurrentEnvironment::finish(InvocationReport& report,
                                   const InvocationContext& context,
                                   const Outcome& outcome) {
  report.error_type = error_type(outcome);
  if (report.timed_out()) report.duration = std::min<Nanoseconds>(report.duration, spec_->timeout);
  const auto now = world_.clock.wall_now();
  launch_->drain_output();
  std::string lines;
  if (spec_->profile == Profile::aws) {
    lines = outcome_lines(*spec_, outcome, report.request_id, now);
  }
  log_.platform(lines + end_lines(*spec_, report, context, now));
  if (const auto telemetry = audience()) {
    telemetry->record(InvocationReported{.report = report,
                                         .profile = spec_->profile,
                                         .tenant_id = context.tenant_id,
                                         .spans = context.spans,
                                         .tracing = context.tracing});
  }
  world_.reported(report);
}

// ---- Its end.

void ConcurrentEnvironment::failed() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(failed_, true) || !initialised_ || retired_) return;
  }
  if (lost_) lost_(*this);
}

void ConcurrentEnvironment::interrupt() {
  const std::lock_guard lock(mutex_);
  retired_ = true;
  if (!launch_) return;
  if (launch_->has_extensions()) {
    launch_->interrupt();
  } else {
    launch_->kill();
  }
}

bool ConcurrentEnvironment::retire_if_idle_since(TimePoint moment) {
  const std::lock_guard lock(mutex_);
  if (!initialised_ || serving_ > 0 || idle_since_ > moment) return false;
  retired_ = true;
  return true;
}

void ConcurrentEnvironment::close() {
  interrupt();
  std::unique_ptr<Launch> closing;
  ShutdownReason reason = ShutdownReason::spindown;
  {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return serving_ == 0; });
    if (failed_) reason = ShutdownReason::failure;
    closing = std::move(launch_);
  }
  if (!closing) return;
  closing->shut_down(reason);
  closing->drain_output();
}

Snapshot ConcurrentEnvironment::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot snapshot{.id = id_,
                    .function_name = spec_->function_name,
                    .version = spec_->version,
                    .phase = Phase::initialising,
                    .pid = {},
                    .initialization = spec_->initialization,
                    .invocations = invocations_,
                    .memory_bytes = 0};
  if (initialised_) snapshot.phase = serving_ > 0 ? Phase::invoking : Phase::idle;
  if (failed_) snapshot.phase = Phase::reset;
  if (retired_) snapshot.phase = Phase::gone;
  if (launch_ && !failed_ && !retired_) {
    snapshot.pid = launch_->pid();
    snapshot.memory_bytes = sandbox_->usage().memory_bytes;
  }
  return snapshot;
}

std::optional<ConcurrentEnvironment::TimePoint> ConcurrentEnvironment::idle_since() const {
  const std::lock_guard lock(mutex_);
  if (!initialised_ || serving_ > 0) return std::nullopt;
  return idle_since_;
}

}  // namespace emulator::environment
