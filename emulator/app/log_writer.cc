#include "emulator/app/log_writer.h"

#include <unistd.h>

#include <cerrno>

namespace emulator::app {

void LogWriter::write(std::string_view lines) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return !writing_ || waiting_.size() < kMaxWaitingLogBytes; });
  waiting_.append(lines);
  if (writing_) return;
  writing_ = true;
  while (!waiting_.empty()) {
    in_hand_.swap(waiting_);
    lock.unlock();
    put_out(in_hand_);
    in_hand_.clear();
    lock.lock();
    room_.notify_all();
  }
  writing_ = false;
}

void LogWriter::put_out(std::string_view lines) const {
  while (!lines.empty()) {
    const auto written = ::write(descriptor_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    // Nobody reads any more: a function goes on without its log, as it would on AWS.
    if (written <= 0) return;
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace emulator::app
