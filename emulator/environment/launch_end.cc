// How a launch fails, and how it is ended.
#include "emulator/environment/launch.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace emulator::environment {

using runtime_api::ExtensionCause;
using runtime_api::ExtensionState;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

void Launch::end_sessions(runtime_api::Session::Arriving arriving) {
  session_.end(arriving);
  if (concurrent_) concurrent_->end(arriving);
}

void Launch::abandon_sessions() {
  session_.abandon();
  if (concurrent_) concurrent_->abandon();
}

ShutdownBudget Launch::budget() const {
  const auto census = hub_.census();
  return spec().managed ? managed_shutdown_budget(census) : shutdown_budget(census, spec().profile);
}

// ---- What ends by itself.

void Launch::runtime_ended() {
  bool on_purpose = false;
  {
    const std::lock_guard lock(mutex_);
    runtime_ended_ = true;
    on_purpose = ending_;
  }
  changed_.notify_all();
  end_sessions(runtime_api::Session::Arriving::is_read);
  // The hub's waits are of the thread that waits for the runtime too.
  hub_.abandon();
  if (!on_purpose) callbacks_.failed(*this);
}

void Launch::extension_ended(const std::string& name) {
  ExtensionFailed failure{.error_type = "Extension.Crash",
                          .name = name,
                          .exit_code = {},
                          .signal = {},
                          .reason = {},
                          .phase = FailurePhase::init};
  for (const auto& extension : hub_.extensions()) {
    if (extension.name != name) continue;
    if (extension.state == ExtensionState::init_error) failure.error_type = "Extension.InitError";
    if (extension.state == ExtensionState::exit_error) failure.error_type = "Extension.ExitError";
  }
  hub_.ended(name, ExtensionCause::process_ended);
  fail(failure);
}

void Launch::extension_reported(const std::string& name, runtime_api::ExtensionErrorPhase phase) {
  // There the end of its process decides, for it may well live on.
  if (spec().profile == Profile::rie) return;
  const bool init = phase == runtime_api::ExtensionErrorPhase::init;
  fail({.error_type = init ? "Extension.InitError" : "Extension.ExitError",
        .name = name,
        .exit_code = {},
        .signal = {},
        .reason = {},
        .phase = FailurePhase::init});
}

// The first failure counts: what it makes others do is no news.
void Launch::fail(const ExtensionFailed& failure) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || killed_ || runtime_ended_ || failure_) return;
    failure_ = failure;
  }
  advise_of(failure);
  abandon_sessions();
  hub_.abandon();
  callbacks_.failed(*this);
}

// The function's log names no extension, and a developer has several.
void Launch::advise_of(const ExtensionFailed& failure) {
  auto told = failure;
  if (const auto exit = extensions_.exited_within(failure.name, {})) {
    told.exit_code = exit->code;
    told.signal = exit->signal;
  }
  const auto reason = describe(told);
  world_.advise("extension " + failure.name + " failed with " + failure.error_type +
                (reason.empty() ? "" : ": " + reason) + "; see what it printed");
}

// What a log has of it is not all that a developer may be looking for.
void Launch::advise_of_untaken() const {
  if (!telemetry_) return;
  for (const auto& [extension, events] : telemetry_->untaken()) {
    world_.advise("extension " + extension + " has not taken " + std::to_string(events) +
                  " telemetry events, and its environment has ended; it has to answer deliveries "
                  "until it exits in the Shutdown phase");
  }
}

Outcome Launch::how_it_failed(FailurePhase phase, std::chrono::milliseconds patience) {
  std::optional<ExtensionFailed> failure;
  bool interrupted = false;
  {
    const std::lock_guard lock(mutex_);
    failure = failure_;
    interrupted = interrupted_ || (killed_ && runtime_ == nullptr);
  }
  if (interrupted) return RuntimeExited{.exit_code = {}, .signal = SIGKILL, .phase = phase};
  if (!failure) {
    auto* const process = runtime();
    const auto exit = process == nullptr
                          ? sandbox::Exit{}
                          : process->exited_within(patience).value_or(sandbox::Exit{});
    if (world_.sandbox.usage().memory_exceeded) return OutOfMemory{phase};
    return RuntimeExited{.exit_code = exit.code, .signal = exit.signal, .phase = phase};
  }
  const auto exit = extensions_.exited_within(failure->name, patience).value_or(sandbox::Exit{});
  if (world_.sandbox.usage().memory_exceeded) return OutOfMemory{phase};
  failure->exit_code = exit.code;
  failure->signal = exit.signal;
  failure->reason = "extension " + failure->name + " reported an error";
  failure->phase = phase;
  return std::move(*failure);
}

// ---- What is ended.

void Launch::interrupt() {
  {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    ending_ = true;
  }
  abandon_sessions();
  hub_.abandon();
}

void Launch::kill() noexcept {
  {
    const std::lock_guard lock(mutex_);
    killed_ = true;
    if (runtime_) {
      runtime_->kill();
    } else {
      extensions_.kill();
    }
  }
  changed_.notify_all();
  end_sessions(runtime_api::Session::Arriving::is_cut);
  hub_.end();
}

void Launch::shut_down(ShutdownReason reason) {
  const auto census = hub_.census();
  const auto budget = this->budget();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  if (budget.total.count() > 0) {
    const auto begun = world_.clock.monotonic_now();
    abandon_sessions();
    hub_.abandon();
    deliver_what_is_left(begun + budget.last_delivery());
    end_runtime(std::min(world_.clock.monotonic_now() + budget.runtime, begun + budget.total));
    if (census.external > 0) end_extensions(reason, begun + budget.total);
    advise_of_untaken();
  }
  kill();
}

// Whoever leaves as soon as it is told of the end has had everything before, and internal
// extensions end with the runtime. What comes later goes out at once, beside their end.
void Launch::deliver_what_is_left(TimePoint deadline) {
  if (!telemetry_) return;
  const auto living = extensions_.living();
  bool runtime_lives = false;
  {
    const std::lock_guard lock(mutex_);
    runtime_lives = runtime_ && !runtime_ended_;
  }
  telemetry_->flush(deadline, [&](const std::string& extension) {
    if (hub_.kind_of(extension) == runtime_api::ExtensionKind::internal) return runtime_lives;
    return std::find(living.begin(), living.end(), extension) != living.end();
  });
}

void Launch::end_runtime(TimePoint deadline) {
  auto* const process = runtime();
  if (process == nullptr) return;
  process->terminate();
  std::unique_lock lock(mutex_);
  const bool ended =
      changed_.wait_until(lock, deadline, [this] { return runtime_ended_ || killed_; });
  lock.unlock();
  if (!ended) process->end();
}

void Launch::end_extensions(ShutdownReason reason, TimePoint deadline) {
  const auto left = duration_cast<milliseconds>(deadline - world_.clock.monotonic_now());
  const auto until = world_.clock.wall_now() + left;
  const auto told = hub_.give(runtime_api::ShutdownEvent{
      .reason = name_of(reason, spec().profile),
      .deadline_ms = duration_cast<milliseconds>(until.time_since_epoch()).count()});
  for (const auto& extension : hub_.extensions()) {
    const bool leaves = extension.state == ExtensionState::init_error ||
                        extension.state == ExtensionState::exit_error;
    if (leaves) extensions_.exited_within(extension.name, kLastWords);
  }
  extensions_.end_all_but(told);
  for (const auto& late : extensions_.await_end(deadline)) {
    hub_.ended(late, ExtensionCause::ended_by_force);
  }
}

// What runs callbacks goes before what callbacks use.
Launch::~Launch() {
  kill();
  server_.reset();
  extensions_.stop();
  // While its callback goes on it asks how the process ended, and so the process stays until then.
  if (auto* const process = runtime()) process->stop_watching();
  runtime_.reset();
  world_.log.set_tap({});
}

}  // namespace emulator::environment
