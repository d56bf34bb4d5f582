#include "emulator/environment/environment.h"

#include "emulator/environment/platform_lines.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace emulator::environment {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// Reading memory and throttled time takes longer than the rest of a short invocation. Both only
// ever rise, so what one of a quick series leaves out, the next reading has.
constexpr milliseconds kSampleInterval{10};

// No invocation shorter than this can have waited for its CPU quota.
constexpr milliseconds kShortest{1};

// After these the runtime is expected to go on and ask for the next invocation.
bool runtime_goes_on(const Outcome& outcome) {
  if (const auto* error = std::get_if<FunctionError>(&outcome)) {
    return error->phase == FailurePhase::invoke;
  }
  return std::holds_alternative<Responded>(outcome) ||
         std::holds_alternative<ResponseTooLarge>(outcome);
}

// Published emulators print nothing for an invocation whose runtime died.
bool prints_report(Profile profile, const InvocationReport& report, bool runtime_runs) {
  return profile == Profile::aws || runtime_runs || report.timed_out();
}

}  // namespace

Environment::Environment(
    std::string id, std::shared_ptr<const EnvironmentSpec> spec, World& world, Idle idle, Lost lost)
    : id_(std::move(id)),
      spec_(std::move(spec)),
      world_(world),
      idle_(std::move(idle)),
      lost_(std::move(lost)),
      log_stream_name_(log_stream_name(*spec_, world.clock, world.new_log_stream_id)),
      log_(world.log, spec_->logging, world.clock) {}

Environment::~Environment() {
  std::unique_ptr<Launch> launch;
  {
    // A callback of the launch may still look at it.
    const std::lock_guard lock(mutex_);
    launch = take_launch();
  }
  if (!launch) return;
  launch->kill();
  launch->drain_output();
}

Served Environment::serve(runtime_api::NextInvocation next, const ServingTerms& terms) {
  auto ongoing = begin(next, terms);
  auto failure = prepare(*ongoing);
  if (failure && std::holds_alternative<RestoreFailed>(*failure)) {
    return unrestored(ongoing, std::move(*failure));
  }
  ongoing->started = world_.clock.monotonic_now();
  ongoing->report.started = world_.clock.wall_now();
  const auto deadline = ongoing->started + spec_->timeout;
  log_.begin(start_lines(*spec_, next.request_id, log_context(*ongoing), ongoing->report.started),
             terms.release_at == ReleaseAt::report ? CaptureTail::yes : CaptureTail::no,
             next.request_id);

  if (!failure) failure = initialise_inside(deadline, *ongoing);
  tell_start(*ongoing);
  auto outcome = failure ? std::move(*failure) : exchange(std::move(next), deadline, *ongoing);
  if (runtime_goes_on(outcome)) {
    release(ongoing, deadline);
  } else if (claim(ongoing)) {
    // What failed in Init was sampled there.
    if (phase() != Phase::initialising) take_sample(ongoing.get());
    tell_fault(outcome, *ongoing);
    end_with(ongoing, ending_of(outcome, *ongoing));
  }
  return served(ongoing, std::move(outcome));
}

// What comes before the invocation itself. Published emulators have all of it inside.
std::optional<Outcome> Environment::prepare(Ongoing& ongoing) {
  if (spec_->profile == Profile::rie) return std::nullopt;
  if (spec_->initialization == Initialization::snap_start) return restore_before(ongoing);
  initialise_before(ongoing);
  return std::nullopt;
}

Served Environment::served(const SharedOngoing& ongoing, Outcome outcome) {
  if (ongoing->release_at == ReleaseAt::response) return {std::move(outcome), {}};
  std::unique_lock lock(mutex_);
  // Whoever claimed the report may still be writing it.
  finished_.wait(lock, [&] { return ongoing->finished; });
  // Who waited that long is told of a timeout that came after the response.
  if (spec_->profile == Profile::rie && ongoing->report.timed_out()) {
    outcome = TimedOut{spec_->timeout};
  }
  return {std::move(outcome), std::move(ongoing->log_tail), std::move(ongoing->report)};
}

Environment::SharedOngoing Environment::begin(const runtime_api::NextInvocation& next,
                                              const ServingTerms& terms) {
  auto ongoing = std::make_shared<Ongoing>();
  ongoing->report.request_id = next.request_id;
  ongoing->tenant_id = next.tenant_id;
  ongoing->trace_id = next.trace_id;
  ongoing->report.function_name = spec_->function_name;
  ongoing->report.version = spec_->version;
  ongoing->report.memory_size_mb = spec_->memory_size_mb;
  ongoing->report.kind = terms.kind;
  ongoing->report.attempt = terms.attempt;
  ongoing->report.tenant_id = terms.tenant_id;
  ongoing->report.trace = terms.trace;
  // Published emulators answer when the environment may serve again.
  ongoing->release_at = spec_->profile == Profile::rie ? ReleaseAt::report : terms.release_at;
  const std::lock_guard lock(mutex_);
  ongoing_ = ongoing;
  return ongoing;
}

// ---- Invoke.

Outcome Environment::exchange(runtime_api::NextInvocation next,
                              TimePoint deadline,
                              Ongoing& ongoing) {
  const auto left = duration_cast<milliseconds>(deadline - world_.clock.monotonic_now());
  const auto deadline_on_wall = world_.clock.wall_now() + left;
  next.deadline_ms = duration_cast<milliseconds>(deadline_on_wall.time_since_epoch()).count();
  next.rules = spec_->profile == Profile::aws ? runtime_api::ResponseRules::service
                                              : runtime_api::ResponseRules::published_emulator;
  const auto invocation = std::make_shared<const runtime_api::NextInvocation>(std::move(next));
  auto outcome = give(invocation, deadline);
  if (!outcome && !ongoing.cold) {
    // It ended while it was idle, and this is how we learn of it. Nothing of the invocation has
    // happened yet, so it begins anew; once, because now it is a cold one.
    drop_launch(failure_reason());
    if (auto failure = initialise_inside(deadline, ongoing)) return std::move(*failure);
    tell_start(ongoing);
    outcome = give(invocation, deadline);
  }
  if (!outcome) outcome = launch_->how_it_failed(FailurePhase::invoke);
  if (runtime_goes_on(*outcome)) note_answer(ongoing);
  return std::move(*outcome);
}

// The runtime may have asked for the next invocation, and have ended, before this thread wakes up
// with the answer: whoever takes the launch away then waits until it has left.
std::optional<Outcome> Environment::give(const runtime_api::SharedInvocation& invocation,
                                         TimePoint deadline) {
  struct Stay {
    explicit Stay(Environment& environment_in) : environment(environment_in) {
      const std::lock_guard lock(environment.mutex_);
      ++environment.inside_launch_;
      // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): under the lock only
      launch = environment.launch_.get();
    }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay() {
      {
        const std::lock_guard lock(environment.mutex_);
        --environment.inside_launch_;
      }
      environment.left_launch_.notify_all();
    }
    Environment& environment;
    Launch* launch = nullptr;
  };
  const Stay stay(*this);
  return stay.launch->exchange(invocation, deadline, spec_->timeout);
}

void Environment::note_answer(Ongoing& ongoing) {
  const auto after = world_.clock.monotonic_now() - ongoing.started;
  const std::lock_guard lock(mutex_);
  // Once claimed, the report belongs to who claimed it.
  if (!ongoing.claimed) ongoing.report.answered_after = after;
}

void Environment::release(const SharedOngoing& ongoing, TimePoint deadline) {
  std::unique_lock lock(mutex_);
  // Once claimed, the phase may already belong to the next invocation.
  if (!ongoing->claimed) move_to(Cause::answered);
  if (!ongoing->claimed && launch_failed_) {
    lock.unlock();
    if (claim(ongoing)) {
      take_sample(ongoing.get());
      end_with(ongoing, ending_of(launch_->how_it_failed(FailurePhase::invoke, {}), *ongoing));
    }
    return;
  }
  if (ongoing->release_at == ReleaseAt::report) {
    const bool finished = finished_.wait_until(lock, deadline, [&] { return ongoing->finished; });
    lock.unlock();
    if (!finished) settle_deadline_passed(ongoing);
    lock.lock();
    finished_.wait(lock, [&] { return ongoing->finished; });
    return;
  }
  if (ongoing->claimed) return;
  ongoing->deadline =
      world_.timers.schedule(deadline, [self = weak_from_this(), weak = std::weak_ptr(ongoing)] {
        const auto environment = self.lock();
        const auto late = weak.lock();
        if (environment && late) environment->settle_deadline_passed(late);
      });
}

Environment::Ending Environment::ending_of(const Outcome& outcome, const Ongoing& ongoing) const {
  const bool timed_out = std::holds_alternative<TimedOut>(outcome);
  Ending ending{std::string(error_type(outcome)),
                timed_out ? ShutdownReason::timeout : failure_reason()};
  if (spec_->profile == Profile::aws) {
    ending.lines =
        outcome_lines(*spec_, outcome, ongoing.report.request_id, world_.clock.wall_now());
  }
  return ending;
}

// ---- What others find out.

void Environment::settled(std::uint64_t launch, std::string_view error_type) {
  SharedOngoing ongoing;
  Launch* settled = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // Of a launch that has failed, the failure was noticed first and ends the invocation; what is
    // ongoing may be the next one already.
    if (launch != launches_ || !launch_ || launch_failed_) return;
    ongoing = ongoing_;
    settled = launch_.get();
  }
  if (!ongoing || !claim(ongoing)) return;
  settled->drain_output();
  if (sample_due(*ongoing)) take_sample(ongoing.get());
  finish(ongoing, error_type, StillRunning::yes);
}

void Environment::launch_failed(std::uint64_t launch, Launch& failed) {
  SharedOngoing answered;
  bool idled = false;
  {
    const std::lock_guard lock(mutex_);
    if (launch != launches_) return;
    if (!std::exchange(launch_failed_, true)) failed_by_itself_ = !retired_;
    if (phase_ == Phase::settling) answered = ongoing_;
    idled = phase_ == Phase::idle;
    if (idled) move_to(Cause::processes_lost);
    if (phase_ != Phase::settling && phase_ != Phase::reset) return;  // the serving thread sees it
  }
  if (answered && claim(answered)) {
    take_sample(answered.get());
    // A thread of the launch must not wait; what ended has.
    const auto ending = ending_of(failed.how_it_failed(FailurePhase::invoke, {}), *answered);
    if (has_extensions()) return end_with(answered, ending);
    // Nothing is left to be ended that the next invocation would wait for.
    log_.platform(ending.lines);
    finish(answered, ending.error_type, StillRunning::no);
  }
  drop_failed_launch_later();
  if (idled && lost_) lost_(*this);
}

void Environment::settle_deadline_passed(const SharedOngoing& ongoing) {
  if (!claim(ongoing)) return;
  take_sample(ongoing.get());
  end_with(ongoing, {"Sandbox.Timedout", ShutdownReason::timeout});
}

// ---- The end of an invocation.

bool Environment::claim(const SharedOngoing& ongoing) {
  const std::lock_guard lock(mutex_);
  return !std::exchange(ongoing->claimed, true);
}

void Environment::finish(const SharedOngoing& ongoing,
                         std::string_view error_type,
                         StillRunning running) {
  measure(*ongoing, error_type);
  hold_end_lines(*ongoing, running);
  // Whoever waits for the report has it before the environment serves again. For everyone else the
  // lines only get their place now; writing them is not worth keeping the next invocation waiting.
  const bool awaited = ongoing->release_at == ReleaseAt::report;
  const auto report = [&] {
    log_.flush();
    world_.reported(ongoing->report);
  };
  if (awaited) {
    report();
    ongoing->log_tail = log_.take_tail();
  }
  serve_again(ongoing, running);
  if (!awaited) report();
  tell_finished(ongoing);
}

void Environment::measure(Ongoing& ongoing, std::string_view error_type) {
  auto& report = ongoing.report;
  report.error_type = error_type;
  report.duration = world_.clock.monotonic_now() - ongoing.started;
  if (report.timed_out()) report.duration = std::min<Nanoseconds>(report.duration, spec_->timeout);
  const std::lock_guard lock(mutex_);
  report.produced_bytes = ongoing.produced_bytes;
  constexpr std::uint64_t kMebibyte = 1024 * 1024;
  report.max_memory_used_mb =
      static_cast<std::int64_t>((peak_memory_bytes_ + kMebibyte - 1) / kMebibyte);
}

void Environment::hold_end_lines(Ongoing& ongoing, StillRunning running) {
  if (ongoing.unrestored) return;
  tell_report(ongoing);
  if (!prints_report(spec_->profile, ongoing.report, running == StillRunning::yes)) return;
  log_.hold(end_lines(*spec_, ongoing.report, log_context(ongoing), world_.clock.wall_now()));
}

void Environment::serve_again(const SharedOngoing& ongoing, StillRunning running) {
  std::optional<time::TimerQueue::TimerId> deadline;
  bool died_since = false;
  {
    const std::lock_guard lock(mutex_);
    move_to(running == StillRunning::yes ? Cause::settled : Cause::processes_lost);
    if (running == StillRunning::yes && launch_failed_) {
      died_since = true;
      move_to(Cause::processes_lost);
    }
    ++invocations_;
    last_used_ = world_.clock.monotonic_now();
    if (phase_ == Phase::idle) freeze_later();
    deadline = std::exchange(ongoing->deadline, std::nullopt);
    ongoing_ = nullptr;
  }
  if (deadline) world_.timers.cancel(*deadline);
  if (died_since) drop_failed_launch_later();
  // Before the caller goes on, so that its next invocation finds this environment idle.
  idle_(*this);
}

void Environment::tell_finished(const SharedOngoing& ongoing) {
  {
    const std::lock_guard lock(mutex_);
    ongoing->finished = true;
  }
  finished_.notify_all();
}

// ---- Housekeeping.

void Environment::move_to(Cause cause) {
  if (const auto to = next_phase(phase_, cause)) phase_ = *to;
}

bool Environment::sample_due(const Ongoing& ongoing) {
  const auto now = world_.clock.monotonic_now();
  const std::lock_guard lock(mutex_);
  if (now < next_sample_ && now - ongoing.started < kShortest) return false;
  next_sample_ = now + kSampleInterval;
  return true;
}

void Environment::take_sample(Ongoing* ongoing) {
  const auto usage = sandbox_->usage();
  const std::lock_guard lock(mutex_);
  peak_memory_bytes_ = std::max(peak_memory_bytes_, usage.peak_memory_bytes);
  if (!usage.throttled) return;
  if (ongoing != nullptr) ongoing->report.throttled_cpu = *usage.throttled - throttled_;
  throttled_ = *usage.throttled;
}

Phase Environment::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

Snapshot Environment::snapshot() const {
  std::unique_lock lock(mutex_);
  Snapshot snapshot{.id = id_,
                    .function_name = spec_->function_name,
                    .version = spec_->version,
                    .phase = phase_,
                    .pid = {},
                    .initialization = spec_->initialization,
                    .invocations = invocations_,
                    .memory_bytes = 0};
  if (launch_ && !launch_failed_) {
    snapshot.pid = launch_->pid();
    snapshot.frozen = motion_ == Motion::frozen;
    // The sandbox stays as long as the environment.
    lock.unlock();
    snapshot.memory_bytes = sandbox_->usage().memory_bytes;
  }
  return snapshot;
}

}  // namespace emulator::environment
