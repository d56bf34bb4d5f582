#include "emulator/environment/environment.h"

#include <signal.h>

#include <algorithm>
#include <ctime>
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

// 2026/01/13/[$LATEST]0123456789abcdef0123456789abcdef
std::string make_log_stream_name(const EnvironmentSpec& spec, World& world) {
  if (spec.log_stream_name) return *spec.log_stream_name;
  const auto now = std::chrono::system_clock::to_time_t(world.clock.wall_now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char date[16];
  std::strftime(date, sizeof(date), "%Y/%m/%d", &parts);
  return std::string(date) + "/[" + spec.version + "]" + world.new_log_stream_id();
}

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

Environment::Environment(std::string id,
                         std::shared_ptr<const EnvironmentSpec> spec,
                         World& world,
                         Idle idle)
    : id_(std::move(id)),
      spec_(std::move(spec)),
      world_(world),
      idle_(std::move(idle)),
      log_stream_name_(make_log_stream_name(*spec_, world)),
      created_(world.clock.monotonic_now()),
      log_(world.log),
      last_used_(created_) {}

Environment::~Environment() { drop_process(); }

Served Environment::serve(runtime_api::NextInvocation next, const ServingTerms& terms) {
  auto ongoing = begin(next.request_id, terms);
  if (spec_->profile == Profile::aws) initialise_ahead(*ongoing);

  ongoing->started = world_.clock.monotonic_now();
  ongoing->report.started = world_.clock.wall_now();
  const auto deadline = ongoing->started + spec_->timeout;
  log_.begin(start_line(next.request_id, spec_->version),
             terms.release_at == ReleaseAt::report ? CaptureTail::yes : CaptureTail::no);

  auto failure = initialise_inside(deadline, *ongoing);
  auto outcome = failure ? std::move(*failure) : exchange(std::move(next), deadline, *ongoing);
  if (runtime_goes_on(outcome)) {
    release(ongoing, deadline);
  } else if (claim(ongoing)) {
    if (process_) take_sample(*ongoing);
    drop_process();
    if (spec_->profile == Profile::aws) {
      log_.platform(outcome_lines(outcome, ongoing->report.request_id, world_.clock.wall_now()));
    }
    finish(ongoing, error_type(outcome), StillRunning::no);
  }
  if (terms.release_at == ReleaseAt::response) return {std::move(outcome), {}};
  std::unique_lock lock(mutex_);
  // Whoever claimed the report may still be writing it.
  finished_.wait(lock, [&] { return ongoing->finished; });
  return {std::move(outcome), std::move(ongoing->log_tail), std::move(ongoing->report)};
}

Environment::SharedOngoing Environment::begin(const std::string& request_id,
                                              const ServingTerms& terms) {
  auto ongoing = std::make_shared<Ongoing>();
  ongoing->report.request_id = request_id;
  ongoing->report.function_name = spec_->function_name;
  ongoing->report.version = spec_->version;
  ongoing->report.memory_size_mb = spec_->memory_size_mb;
  ongoing->report.kind = terms.kind;
  ongoing->report.attempt = terms.attempt;
  ongoing->release_at = terms.release_at;
  const std::lock_guard lock(mutex_);
  ongoing_ = ongoing;
  return ongoing;
}

// ---- Init.

// The Init phase proper: before the invocation, with a limit of its own. When it fails, it is
// repeated inside the invocation.
void Environment::initialise_ahead(Ongoing& ongoing) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(initialised_once_, true)) return;
  }
  ongoing.cold = true;
  const auto begun = world_.clock.monotonic_now();
  const auto failure = initialise(begun + spec_->init_limit, ongoing);
  const auto duration = world_.clock.monotonic_now() - begun;
  if (!failure) {
    ongoing.report.init_duration = duration;
    const std::lock_guard lock(mutex_);
    move_to(Cause::init_done);
    return;
  }
  log_.platform(init_report_line({.duration = duration,
                                  .phase = FailurePhase::init,
                                  .error_type = std::string(environment::error_type(*failure))}));
}

std::optional<Outcome> Environment::initialise_inside(TimePoint deadline, Ongoing& ongoing) {
  if (take_up()) return std::nullopt;
  ongoing.cold = true;
  const auto begun = world_.clock.monotonic_now();
  auto failure = initialise(deadline, ongoing);
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
    log_.platform(init_report_line({.duration = duration,
                                    .phase = FailurePhase::invoke,
                                    .error_type = std::string(environment::error_type(*failure))}));
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
std::optional<Outcome> Environment::initialise(TimePoint deadline, Ongoing& ongoing) {
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
       .exited = [this, launch] { process_exited(launch); }});
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

// ---- Invoke.

Outcome Environment::exchange(runtime_api::NextInvocation next,
                              TimePoint deadline,
                              Ongoing& ongoing) {
  const auto left = duration_cast<milliseconds>(deadline - world_.clock.monotonic_now());
  const auto deadline_on_wall = world_.clock.wall_now() + left;
  next.deadline_ms = duration_cast<milliseconds>(deadline_on_wall.time_since_epoch()).count();
  const auto invocation = std::make_shared<const runtime_api::NextInvocation>(std::move(next));
  auto outcome = process_->exchange(invocation, deadline, spec_->timeout);
  if (!outcome && !ongoing.cold) {
    // It ended while it was idle, and this is how we learn of it. Nothing of the invocation has
    // happened yet, so it begins anew; once, because now it is a cold one.
    drop_process();
    if (auto failure = initialise_inside(deadline, ongoing)) return std::move(*failure);
    outcome = process_->exchange(invocation, deadline, spec_->timeout);
  }
  if (!outcome) outcome = process_->how_it_ended(FailurePhase::invoke);
  return std::move(*outcome);
}

void Environment::release(const SharedOngoing& ongoing, TimePoint deadline) {
  std::unique_lock lock(mutex_);
  // Once claimed, the phase may already belong to the next invocation.
  if (!ongoing->claimed) move_to(Cause::answered);
  if (!ongoing->claimed && process_ended_) {
    lock.unlock();
    if (claim(ongoing)) {
      const auto type = how_it_ended_after_answering(*ongoing);
      drop_process();
      finish(ongoing, type, StillRunning::no);
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

// ---- What others find out.

void Environment::settled(std::uint64_t launch, std::string_view error_type) {
  SharedOngoing ongoing;
  RuntimeProcess* process = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // Of a process that has ended, the end was noticed first and ends the invocation; what is
    // ongoing may be the next one already.
    if (launch != launches_ || !process_ || process_ended_) return;
    ongoing = ongoing_;
    process = process_.get();
  }
  if (!ongoing || !claim(ongoing)) return;
  process->drain_output();
  if (sample_due(*ongoing)) take_sample(*ongoing);
  finish(ongoing, error_type, StillRunning::yes);
}

void Environment::process_exited(std::uint64_t launch) {
  SharedOngoing answered;
  {
    const std::lock_guard lock(mutex_);
    if (launch != launches_) return;
    process_ended_ = true;
    if (phase_ == Phase::settling) answered = ongoing_;
    if (phase_ == Phase::idle) move_to(Cause::processes_lost);
    if (phase_ != Phase::settling && phase_ != Phase::reset) return;  // the serving thread sees it
  }
  if (answered && claim(answered)) {
    finish(answered, how_it_ended_after_answering(*answered), StillRunning::no);
  }
  drop_dead_process_later();
}

void Environment::settle_deadline_passed(const SharedOngoing& ongoing) {
  if (!claim(ongoing)) return;
  take_sample(*ongoing);
  drop_process();
  finish(ongoing, "Sandbox.Timedout", StillRunning::no);
}

// While the process that answered is still there, dead as it is.
std::string_view Environment::how_it_ended_after_answering(Ongoing& ongoing) {
  take_sample(ongoing);
  return sandbox_->usage().memory_exceeded ? "Runtime.OutOfMemory" : "Runtime.ExitError";
}

// ---- The end of an invocation.

bool Environment::claim(const SharedOngoing& ongoing) {
  const std::lock_guard lock(mutex_);
  return !std::exchange(ongoing->claimed, true);
}

void Environment::finish(const SharedOngoing& ongoing,
                         std::string_view error_type,
                         StillRunning running) {
  auto& report = ongoing->report;
  report.error_type = error_type;
  report.duration = world_.clock.monotonic_now() - ongoing->started;
  if (report.timed_out()) report.duration = std::min<Nanoseconds>(report.duration, spec_->timeout);
  {
    const std::lock_guard lock(mutex_);
    constexpr std::uint64_t kMebibyte = 1024 * 1024;
    report.max_memory_used_mb =
        static_cast<std::int64_t>((peak_memory_bytes_ + kMebibyte - 1) / kMebibyte);
  }
  // Whoever waits for the report has it before the environment serves again. For everyone else the
  // lines only get their place now; writing them is not worth keeping the next invocation waiting.
  const bool awaited = ongoing->release_at == ReleaseAt::report;
  if (prints_report(spec_->profile, report, running == StillRunning::yes)) {
    log_.hold(end_lines(report, spec_->profile));
  }
  if (awaited) {
    log_.flush();
    ongoing->log_tail = log_.take_tail();
    world_.reported(report);
  }

  std::optional<time::TimerQueue::TimerId> deadline;
  bool died_since = false;
  {
    const std::lock_guard lock(mutex_);
    move_to(running == StillRunning::yes ? Cause::settled : Cause::processes_lost);
    if (running == StillRunning::yes && process_ended_) {
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
  if (died_since) drop_dead_process_later();
  // Before the caller goes on, so that its next invocation finds this environment idle.
  idle_(*this);
  if (!awaited) {
    log_.flush();
    world_.reported(report);
  }
  {
    const std::lock_guard lock(mutex_);
    ongoing->finished = true;
  }
  finished_.notify_all();
}

// ---- Freezing.

void Environment::freeze_later() {
  if (spec_->freezing == Freezing::off || std::exchange(freeze_scheduled_, true)) return;
  world_.housekeeping.schedule(last_used_ + kFreezeDelay, [self = weak_from_this()] {
    if (const auto environment = self.lock()) environment->freeze_if_idle();
  });
}

void Environment::freeze_if_idle() {
  {
    const std::lock_guard lock(mutex_);
    freeze_scheduled_ = false;
    if (phase_ != Phase::idle || !process_ || motion_ != Motion::running) return;
    // Used since: the delay begins anew.
    if (world_.clock.monotonic_now() < last_used_ + kFreezeDelay) {
      freeze_later();
      return;
    }
    motion_ = Motion::freezing;
  }
  const bool frozen = sandbox_->freeze();
  {
    const std::lock_guard lock(mutex_);
    motion_ = frozen ? Motion::frozen : Motion::running;
  }
  froze_.notify_all();
}

// ---- Housekeeping.

void Environment::move_to(Cause cause) {
  if (const auto to = next_phase(phase_, cause)) phase_ = *to;
}

void Environment::drop_process() {
  std::unique_ptr<RuntimeProcess> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped = std::move(process_);
  }
  if (!dropped) return;
  dropped->kill();
  dropped->drain_output();
}

void Environment::drop_dead_process_later() {
  world_.housekeeping.schedule(world_.clock.monotonic_now(), [self = weak_from_this()] {
    const auto environment = self.lock();
    if (!environment) return;
    std::unique_ptr<RuntimeProcess> dropped;
    {
      const std::lock_guard lock(environment->mutex_);
      if (environment->phase_ != Phase::reset || !environment->process_) return;
      dropped = std::move(environment->process_);
      environment->dropping_ = true;
    }
    dropped.reset();
    {
      const std::lock_guard lock(environment->mutex_);
      environment->dropping_ = false;
    }
    environment->dropped_.notify_all();
  });
}

bool Environment::sample_due(const Ongoing& ongoing) {
  const auto now = world_.clock.monotonic_now();
  const std::lock_guard lock(mutex_);
  if (now < next_sample_ && now - ongoing.started < kShortest) return false;
  next_sample_ = now + kSampleInterval;
  return true;
}

void Environment::take_sample(Ongoing& ongoing) {
  const auto usage = sandbox_->usage();
  const std::lock_guard lock(mutex_);
  peak_memory_bytes_ = std::max(peak_memory_bytes_, usage.peak_memory_bytes);
  if (!usage.throttled) return;
  ongoing.report.throttled_cpu = *usage.throttled - throttled_;
  throttled_ = *usage.throttled;
}

void Environment::kill() {
  const std::lock_guard lock(mutex_);
  retired_ = true;
  if (!ongoing_) move_to(Cause::retired);
  if (process_) process_->kill();
}

Snapshot Environment::snapshot() const {
  const auto now = world_.clock.monotonic_now();
  std::unique_lock lock(mutex_);
  Snapshot snapshot{.id = id_,
                    .function_name = spec_->function_name,
                    .version = spec_->version,
                    .phase = phase_,
                    .pid = {},
                    .invocations = invocations_,
                    .age = duration_cast<milliseconds>(now - created_),
                    .since_last_use = duration_cast<milliseconds>(now - last_used_),
                    .memory_bytes = 0};
  if (process_ && !process_ended_) {
    snapshot.pid = process_->pid();
    snapshot.frozen = motion_ == Motion::frozen;
    // The sandbox stays as long as the environment.
    lock.unlock();
    snapshot.memory_bytes = sandbox_->usage().memory_bytes;
  }
  return snapshot;
}

}  // namespace emulator::environment
