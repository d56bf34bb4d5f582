#include "emulator/environment/log_stream.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

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
  end_function_lines();
  tail_.clear();
  capturing_ = capture == CaptureTail::yes;
  if (formatting_.format == LogFormat::json) request_id_ = request_id;
  emit(lines);
}

LogSource::LogSource(LogStream& stream, Kind kind, std::string name)
    : stream_(stream), kind_(kind), name_(std::move(name)) {
  const std::lock_guard lock(stream_.mutex_);
  stream_.sources_.push_back(this);
}

LogSource::~LogSource() {
  const std::lock_guard lock(stream_.mutex_);
  stream_.end_line(*this);
  auto& sources = stream_.sources_;
  sources.erase(std::find(sources.begin(), sources.end(), this));
}

bool LogSource::drain(int descriptor) {
  const std::lock_guard lock(stream_.mutex_);
  std::array<char, 16 * 1024> buffer;  // not cleared: only what was read is looked at
  std::size_t total = 0;
  while (total < kMaxDrainBytes) {
    const auto length = ::read(descriptor, buffer.data(), buffer.size());
    if (length == 0) return false;
    if (length < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    stream_.take(*this, {buffer.data(), static_cast<std::size_t>(length)});
    total += static_cast<std::size_t>(length);
  }
  return true;
}

void LogStream::platform(std::string_view lines) {
  if (lines.empty()) return;
  const std::lock_guard lock(mutex_);
  end_function_lines();
  emit(lines);
}

void LogStream::hold(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  end_function_lines();
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

void LogStream::take(LogSource& source, std::string_view bytes) {
  auto& unfinished = source.unfinished_;
  const auto last = bytes.rfind('\n');
  if (last != std::string_view::npos) {
    if (unfinished.empty()) {
      print(source, bytes.substr(0, last + 1));
    } else {
      unfinished.append(bytes.substr(0, last + 1));
      print(source, unfinished);
      unfinished.clear();
    }
    bytes.remove_prefix(last + 1);
  }
  unfinished.append(bytes);
  if (unfinished.size() >= kMaxLogLineBytes) end_line(source);
}

// Whole lines, newlines included. Line by line only where somebody looks at lines.
void LogStream::print(const LogSource& source, std::string_view lines) {
  const bool function = source.kind() == LogSource::Kind::function;
  const bool json = function && formatting_.format == LogFormat::json;
  if (!tap_ && !json) {
    emit(lines);
    return;
  }
  using runtime_api::EventCategory;
  const auto writer = function ? EventCategory::function : EventCategory::extension;
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

void LogStream::end_line(LogSource& source) {
  auto& unfinished = source.unfinished_;
  if (unfinished.empty()) return;
  unfinished += '\n';
  print(source, unfinished);
  unfinished.clear();
}

// Between two invocations a function stands still; its extensions need not.
void LogStream::end_function_lines() {
  for (auto* source : sources_) {
    if (source->kind() == LogSource::Kind::function) end_line(*source);
  }
}

}  // namespace emulator::environment
