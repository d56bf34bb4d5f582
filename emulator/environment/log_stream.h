// What the processes of an environment print, by line, in order with the platform's own lines.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace emulator::environment {

// Takes whole lines, newline included. Any thread; must write them in one piece.
using LogSink = std::function<void(std::string_view lines)>;

// Kept of an invocation's log for X-Amz-Log-Result. Source: the public service model.
inline constexpr std::size_t kLogTailBytes = 4096;

// A longer line is cut into several. Source: the size limit of a CloudWatch Logs event.
inline constexpr std::size_t kMaxLogLineBytes = 256 * 1024;

enum class CaptureTail { no, yes };

// Any thread.
class LogStream {
 public:
  explicit LogStream(LogSink sink) : sink_(std::move(sink)) {}

  // Begins an invocation's log with its first platform line.
  void begin(std::string_view lines, CaptureTail capture);

  // Reads what `descriptor` holds now, without blocking. False at its end.
  bool drain(int descriptor);

  // Writes platform lines after everything that was drained; an unfinished line of the function is
  // ended first.
  void platform(std::string_view lines);

  // Like platform(), but written by the next call that writes, or by flush(): so the lines have
  // their place before anything later, and writing them can wait.
  void hold(std::string_view lines);
  void flush();

  // The captured tail; ends the capture.
  std::string take_tail();

 private:
  void capture(std::string_view lines);
  void emit(std::string_view lines);
  void take(std::string_view bytes);
  void end_line();

  const LogSink sink_;
  std::mutex mutex_;  // guards what follows
  std::string unfinished_;
  std::string held_;
  std::string tail_;
  bool capturing_ = false;
};

}  // namespace emulator::environment
