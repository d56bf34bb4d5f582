#include "emulator/environment/log_stream.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace emulator::environment {
namespace {

// One turn reads at most this much, so that a function that never stops printing cannot keep a
// thread for itself. It is well above what a pipe holds.
constexpr std::size_t kMaxDrainBytes = std::size_t{1} << 20;

}  // namespace

void LogStream::begin(std::string_view lines, CaptureTail capture) {
  const std::lock_guard lock(mutex_);
  end_line();
  tail_.clear();
  capturing_ = capture == CaptureTail::yes;
  emit(lines);
}

bool LogStream::drain(int descriptor) {
  const std::lock_guard lock(mutex_);
  std::array<char, 16 * 1024> buffer;  // not cleared: only what was read is looked at
  std::size_t total = 0;
  while (total < kMaxDrainBytes) {
    const auto length = ::read(descriptor, buffer.data(), buffer.size());
    if (length == 0) return false;
    if (length < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    take({buffer.data(), static_cast<std::size_t>(length)});
    total += static_cast<std::size_t>(length);
  }
  return true;
}

void LogStream::platform(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  end_line();
  emit(lines);
}

void LogStream::hold(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  end_line();
  capture(lines);
  held_.append(lines);
}

void LogStream::flush() {
  const std::lock_guard lock(mutex_);
  if (held_.empty()) return;
  sink_(held_);
  held_.clear();
}

std::string LogStream::take_tail() {
  const std::lock_guard lock(mutex_);
  capturing_ = false;
  return std::move(tail_);
}

void LogStream::capture(std::string_view lines) {
  if (!capturing_) return;
  tail_.append(lines);
  if (tail_.size() > kLogTailBytes) tail_.erase(0, tail_.size() - kLogTailBytes);
}

void LogStream::emit(std::string_view lines) {
  capture(lines);
  if (held_.empty()) {
    sink_(lines);
    return;
  }
  held_.append(lines);
  sink_(held_);
  held_.clear();
}

void LogStream::take(std::string_view bytes) {
  const auto last = bytes.rfind('\n');
  if (last != std::string_view::npos) {
    if (unfinished_.empty()) {
      emit(bytes.substr(0, last + 1));
    } else {
      unfinished_.append(bytes.substr(0, last + 1));
      emit(unfinished_);
      unfinished_.clear();
    }
    bytes.remove_prefix(last + 1);
  }
  unfinished_.append(bytes);
  if (unfinished_.size() >= kMaxLogLineBytes) end_line();
}

void LogStream::end_line() {
  if (unfinished_.empty()) return;
  unfinished_ += '\n';
  emit(unfinished_);
  unfinished_.clear();
}

}  // namespace emulator::environment
