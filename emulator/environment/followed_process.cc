#include "emulator/environment/followed_process.h"

#include <poll.h>

#include <cerrno>
#include <utility>

namespace emulator::environment {

FollowedProcess::FollowedProcess(std::unique_ptr<sandbox::Process> process,
                                 std::unique_ptr<LogSource> source,
                                 OutputPump& pump,
                                 Ended ended)
    : pump_(pump), source_(std::move(source)), process_(std::move(process)) {
  output_watch_ = pump_.watch(process_->output_descriptor(), [this] {
    return source_->drain(process_->output_descriptor()) ? OutputPump::Keep::watching
                                                         : OutputPump::Keep::no_more;
  });
  try {
    exit_watch_ = pump_.watch(process_->exit_descriptor(), [this, ended = std::move(ended)] {
      drain_output();
      ended();
      return OutputPump::Keep::no_more;
    });
  } catch (...) {
    stop_watching();
    throw;
  }
}

FollowedProcess::~FollowedProcess() {
  stop_watching();
  // What it printed in its last moments.
  process_->end();
  drain_output();
}

void FollowedProcess::stop_watching() {
  if (const auto watch = std::exchange(exit_watch_, std::nullopt)) pump_.unwatch(*watch);
  if (const auto watch = std::exchange(output_watch_, std::nullopt)) pump_.unwatch(*watch);
}

void FollowedProcess::drain_output() { source_->drain(process_->output_descriptor()); }

std::optional<sandbox::Exit> FollowedProcess::exited_within(std::chrono::milliseconds patience) {
  pollfd wait{.fd = process_->exit_descriptor(), .events = POLLIN, .revents = 0};
  while (::poll(&wait, 1, static_cast<int>(patience.count())) < 0 && errno == EINTR) {
  }
  const std::lock_guard lock(process_mutex_);
  return process_->exited();
}

}  // namespace emulator::environment
