// A World for environments in tests: real pump and timers, a launcher of scripts, and everything
// that was logged or reported kept for questions.
#pragma once

#include "emulator/environment/environment.h"
#include "emulator/time/virtual_time.h"
#include "tests/support/scripted_runtime.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tests {

class EnvironmentWorld {
  // First, because threads of what is declared below still use them while that is destroyed.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string log_;
  std::vector<emulator::environment::InvocationReport> reports_;
  std::vector<std::string> advice_;
  std::atomic<int> uuids_ = 0;
  emulator::time::VirtualTime* const virtual_time_;  // null: the service's clock is the host's

 public:
  explicit EnvironmentWorld(Script script) : virtual_time_(nullptr), launcher(std::move(script)) {}

  // `time`, which the test advances, is the service's.
  EnvironmentWorld(Script script, emulator::time::VirtualTime& time)
      : virtual_time_(&time), launcher(std::move(script)) {}

  std::shared_ptr<emulator::environment::EnvironmentSpec> spec(
      std::chrono::milliseconds timeout = std::chrono::minutes{10}) const {
    auto result = std::make_shared<emulator::environment::EnvironmentSpec>();
    result->function_name = "f";
    result->argv = {"scripted"};
    result->timeout = timeout;
    return result;
  }

  // The same function's, initialised ahead.
  std::shared_ptr<emulator::environment::EnvironmentSpec> provisioned_spec(
      std::chrono::milliseconds timeout = std::chrono::minutes{10}) const {
    return std::make_shared<emulator::environment::EnvironmentSpec>(
        emulator::environment::provisioned_variant(*spec(timeout)));
  }

  // The same function's, with SnapStart.
  std::shared_ptr<emulator::environment::EnvironmentSpec> snap_start_spec(
      std::chrono::milliseconds timeout = std::chrono::minutes{10}) const {
    return std::make_shared<emulator::environment::EnvironmentSpec>(
        emulator::environment::snap_start_variant(*spec(timeout)));
  }

  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  std::vector<emulator::environment::InvocationReport> reports() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  std::vector<std::string> advice() const {
    const std::lock_guard lock(mutex_);
    return advice_;
  }
  // 00000000-0000-4000-8000-000000000001 and so on.
  std::string next_uuid() {
    const auto digits = std::to_string(++uuids_);
    return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
  }
  // Blocks until that many invocations were reported.
  void await_reports(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reports_.size() >= count; });
  }
  void await_log(const std::string& text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return log_.find(text) != std::string::npos; });
  }

  emulator::time::SystemClock clock;
  ScriptedLauncher launcher;
  emulator::environment::World world{
      .clock = clock,
      .timers = timers,
      .housekeeping = housekeeping,
      .shutdowns = shutdowns,
      .launcher = launcher,
      .pump = pump,
      .log =
          [this](std::string_view lines) {
            const std::lock_guard lock(mutex_);
            log_ += lines;
            changed_.notify_all();
          },
      .new_log_stream_id = [] { return std::string(32, '0'); },
      .new_uuid = [this] { return next_uuid(); },
      .reported =
          [this](const emulator::environment::InvocationReport& report) {
            const std::lock_guard lock(mutex_);
            reports_.push_back(report);
            changed_.notify_all();
          },
      .advise =
          [this](std::string_view hint) {
            const std::lock_guard lock(mutex_);
            advice_.emplace_back(hint);
          },
      .service_clock = virtual_time_ == nullptr ? clock : virtual_time_->clock(),
      .service_timers = virtual_time_ == nullptr ? timers : virtual_time_->timers()};
  emulator::environment::OutputPump pump;
  emulator::time::TimerQueue timers{clock, emulator::time::TimerDrive::own_thread};
  emulator::time::TimerQueue housekeeping{clock, emulator::time::TimerDrive::own_thread};
  emulator::environment::JobThreads shutdowns{8};
};

inline runtime_api::NextInvocation next_invocation(const std::string& id,
                                                   const std::string& payload = "{}") {
  runtime_api::NextInvocation next;
  next.request_id = id;
  next.function_arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
  next.payload = payload;
  return next;
}

}  // namespace tests
