// How the processes of an environment end. Without extensions they are killed where that is
// decided. With extensions they are shut down, which takes time: so the answer and the report come
// first, and the rest happens on a thread for it, while the environment serves nobody.
#include "emulator/environment/environment.h"

#include <utility>

namespace emulator::environment {

// Of an invocation that the caller has claimed. On the serving thread or one that runs no callback
// of the launch; with extensions on any.
void Environment::end_with(const SharedOngoing& ongoing, const Ending& ending) {
  if (!has_extensions()) {
    drop_launch(ending.reason);
    log_.platform(ending.lines);
    finish(ongoing, ending.error_type, StillRunning::no);
    return;
  }
  Launch* launch = nullptr;
  {
    const std::lock_guard lock(mutex_);
    move_to(Cause::shutdown_begun);
    launch = launch_.get();
  }
  // In this phase only the destructor takes it away, which waits for threads of the launch.
  if (launch != nullptr) launch->drain_output();
  log_.platform(ending.lines);
  measure(*ongoing, ending.error_type);
  hold_end_lines(*ongoing, StillRunning::no);
  log_.flush();
  ongoing->log_tail = log_.take_tail();
  world_.reported(ongoing->report);
  // Published emulators answer when they have been reset.
  if (spec_->profile == Profile::aws) tell_finished(ongoing);
  shut_down_later(ongoing, ending.reason);
}

void Environment::shut_down_later(const SharedOngoing& ongoing, ShutdownReason reason) {
  auto self = weak_from_this().lock();
  if (!self) return;  // it is being destroyed, and nobody waits
  const auto job = [self = std::move(self), ongoing, reason] {
    self->drop_launch(reason);
    self->serve_again(ongoing, StillRunning::no);
    self->tell_finished(ongoing);
  };
  if (world_.shutdowns.run(job) == JobThreads::Accepted::yes) return;
  // The host allows no thread: freezing waits then.
  world_.housekeeping.schedule(world_.clock.monotonic_now(), job);
}

std::unique_ptr<Launch> Environment::take_launch() {
  if (launch_) ++dropping_;
  return std::move(launch_);
}

void Environment::drop_launch(ShutdownReason reason) {
  std::unique_ptr<Launch> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped = take_launch();
  }
  end(std::move(dropped), reason);
}

void Environment::end(std::unique_ptr<Launch> dropped, ShutdownReason reason) {
  if (!dropped) return;
  dropped->shut_down(reason);
  dropped->drain_output();
  {
    std::unique_lock lock(mutex_);
    left_launch_.wait(lock, [this] { return inside_launch_ == 0; });
  }
  dropped.reset();
  {
    const std::lock_guard lock(mutex_);
    --dropping_;
  }
  dropped_.notify_all();
}

// Whoever notices is a thread of the launch, which cannot end it.
void Environment::drop_failed_launch_later() {
  const auto job = [self = weak_from_this()] {
    if (const auto environment = self.lock()) environment->drop_failed_launch();
  };
  if (has_extensions() && world_.shutdowns.run(job) == JobThreads::Accepted::yes) return;
  world_.housekeeping.schedule(world_.clock.monotonic_now(), job);
}

void Environment::drop_failed_launch() {
  std::unique_ptr<Launch> dropped;
  auto reason = ShutdownReason::failure;
  {
    const std::lock_guard lock(mutex_);
    // The next invocation may have been quicker, and have another one.
    if (phase_ != Phase::reset || !launch_failed_) return;
    if (!failed_by_itself_) reason = ShutdownReason::spindown;
    dropped = take_launch();
  }
  end(std::move(dropped), reason);
}

// What fails because it is stopped is no failure. To be asked when it is noticed: whoever has the
// answer may stop the environment before its processes are told.
ShutdownReason Environment::failure_reason() const {
  const std::lock_guard lock(mutex_);
  return retired_ ? ShutdownReason::spindown : ShutdownReason::failure;
}

bool Environment::has_extensions() const {
  const std::lock_guard lock(mutex_);
  return launch_ && launch_->has_extensions();
}

bool Environment::ends_slowly() const {
  const std::lock_guard lock(mutex_);
  return dropping_ > 0 || (launch_ && launch_->has_extensions());
}

void Environment::kill() {
  const std::lock_guard lock(mutex_);
  retired_ = true;
  if (!ongoing_) move_to(Cause::retired);
  if (launch_) launch_->kill();
}

void Environment::stop() {
  if (!has_extensions()) return kill();
  std::uint64_t launch = 0;
  Launch* failed = nullptr;
  {
    const std::lock_guard lock(mutex_);
    retired_ = true;
    // One that serves nobody is shut down by whoever retires it.
    if (!launch_ || phase_ == Phase::idle) return;
    launch = launches_;
    failed = launch_.get();
    launch_->interrupt();
  }
  launch_failed(launch, *failed);
}

void Environment::shut_down() {
  if (!ends_slowly()) return kill();
  bool frozen = false;
  {
    std::unique_lock lock(mutex_);
    froze_.wait(lock, [this] { return motion_ != Motion::freezing; });
    frozen = std::exchange(motion_, Motion::running) == Motion::frozen;
    retired_ = true;
    move_to(Cause::retired);
  }
  if (frozen) {
    sandbox_->thaw();
    if (const auto telemetry = audience()) telemetry->resume();
  }
  drop_launch(ShutdownReason::spindown);
  std::unique_lock lock(mutex_);
  dropped_.wait(lock, [this] { return dropping_ == 0; });
}

}  // namespace emulator::environment
