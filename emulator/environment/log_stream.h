// What the processes of an environment print, by line, in order with the platform's own lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::environment {

// Takes whole lines, newline included. Any thread; must write them in one piece.
using LogSink = std::function<void(std::string_view lines)>;

// Kept of an invocation's log for X-Amz-Log-Result. Source: the public service model.
inline constexpr std::size_t kLogTailBytes = 4096;

// A longer line is cut into several. Source: the size limit of a CloudWatch Logs event.
inline constexpr std::size_t kMaxLogLineBytes = 256 * 1024;

enum class CaptureTail { no, yes };

class LogStream;

// What one process prints, so that the lines of two are not mixed. Any thread.
class LogSource {
 public:
  enum class Kind : std::uint8_t { function, extension };

  // `stream` must outlive it. `name` is an extension's.
  LogSource(LogStream& stream, Kind kind, std::string name = {});
  LogSource(const LogSource&) = delete;
  LogSource& operator=(const LogSource&) = delete;
  ~LogSource();  // ends an unfinished line

  // Reads what `descriptor` holds now, without blocking. False at its end.
  bool drain(int descriptor);

  Kind kind() const { return kind_; }
  const std::string& name() const { return name_; }

 private:
  friend class LogStream;

  LogStream& stream_;
  const Kind kind_;
  const std::string name_;
  std::string unfinished_;  // guarded by the stream's mutex
};

// Any thread.
class LogStream {
 public:
  explicit LogStream(LogSink sink) : sink_(std::move(sink)) {}

  // Begins an invocation's log with its first platform line.
  void begin(std::string_view lines, CaptureTail capture);

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
  friend class LogSource;

  void capture(std::string_view lines);
  void emit(std::string_view lines);
  void take(LogSource& source, std::string_view bytes);
  void end_line(LogSource& source);
  void end_function_lines();

  const LogSink sink_;
  std::mutex mutex_;  // guards what follows
  std::vector<LogSource*> sources_;
  std::string held_;
  std::string tail_;
  bool capturing_ = false;
};

}  // namespace emulator::environment
