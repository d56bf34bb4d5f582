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

void LogStream::set_tap(LineTap tap) {
  const std::lock_guard lock(mutex_);
  tap_ = std::move(tap);
}

void LogStream::begin(std::string_view lines, CaptureTail capture, std::string_view request_id) {
  const std::lock_guard lock(mutex_);
  end_lines();
  tail_.clear();
  capturing_ = capture == CaptureTail::yes;
  if (formatting_.format == LogFormat::json) request_id_ = request_id;
  emit(lines);
}

bool LogStream::drain(int descriptor, runtime_api::EventCategory writer) {
  const std::lock_guard lock(mutex_);
  auto& printed = printed_[descriptor];
  printed.writer = writer;
  std::array<char, 16 * 1024> buffer;  // not cleared: only what was read is looked at
  std::size_t total = 0;
  while (total < kMaxDrainBytes) {
    const auto length = ::read(descriptor, buffer.data(), buffer.size());
    if (length > 0) {
      take({buffer.data(), static_cast<std::size_t>(length)}, printed);
      total += static_cast<std::size_t>(length);
      continue;
    }
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EAGAIN) return true;
    // The number may soon be another file's. What was not finished never will be.
    end_line(printed);
    printed_.erase(descriptor);
    return false;
  }
  return true;
}

void LogStream::platform(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  end_lines();
  emit(lines);
}

void LogStream::hold(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  end_lines();
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
    if (!lines.empty()) sink_(lines);
    return;
  }
  held_.append(lines);
  sink_(held_);
  held_.clear();
}

void LogStream::take(std::string_view bytes, Printed& printed) {
  auto& unfinished = printed.unfinished;
  const auto last = bytes.rfind('\n');
  if (last != std::string_view::npos) {
    if (unfinished.empty()) {
      print(bytes.substr(0, last + 1), printed.writer);
    } else {
      unfinished.append(bytes.substr(0, last + 1));
      print(unfinished, printed.writer);
      unfinished.clear();
    }
    bytes.remove_prefix(last + 1);
  }
  unfinished.append(bytes);
  if (unfinished.size() >= kMaxLogLineBytes) end_line(printed);
}

// Whole lines, newlines included. Line by line only where somebody looks at lines.
void LogStream::print(std::string_view lines, runtime_api::EventCategory writer) {
  const bool json = formatting_.format == LogFormat::json;
  if (!tap_ && !json) {
    emit(lines);
    return;
  }
  std::string shaped;
  for (auto rest = lines; !rest.empty();) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    if (tap_) tap_(writer, line);
    if (json) append_log_line(formatting_, line, request_id_, clock_->wall_now(), shaped);
    rest.remove_prefix(end + 1);
  }
  emit(json ? std::string_view(shaped) : lines);
}

void LogStream::end_line(Printed& printed) {
  if (printed.unfinished.empty()) return;
  printed.unfinished += '\n';
  print(printed.unfinished, printed.writer);
  printed.unfinished.clear();
}

void LogStream::end_lines() {
  for (auto& [descriptor, printed] : printed_) end_line(printed);
}

}  // namespace emulator::environment
