// What the processes of an environment print, by line, in order with the platform's own lines.
#pragma once

#include "emulator/environment/log_format.h"
#include "emulator/time/clock.h"
#include "runtime_api/telemetry_subscription.h"

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

// Takes each line that a process printed, without its newline, as it was printed. Any thread;
// called with the stream's lock held, so it must neither wait nor call the stream.
using LineTap = std::function<void(runtime_api::EventCategory writer, std::string_view line)>;

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

  // A log of that format; `clock` stamps the lines that get a time from us, and must outlive this.
  LogStream(LogSink sink, LogFormatting formatting, const time::Clock& clock)
      : sink_(std::move(sink)), formatting_(formatting), clock_(&clock) {}

  // Each printed line goes there as well, from now on; nothing: nowhere any more. After this
  // returns, the former tap is not called again.
  void set_tap(LineTap tap);

  // Begins an invocation's log with its first platform line. Lines of the JSON format name the
  // request from here on.
  void begin(std::string_view lines, CaptureTail capture, std::string_view request_id = {});

  // Writes platform lines after everything that was drained; an unfinished line of the function is
  // ended first. Does nothing without lines.
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
  void print(const LogSource& source, std::string_view lines);
  void end_line(LogSource& source);
  void end_function_lines();

  const LogSink sink_;
  const LogFormatting formatting_;
  const time::Clock* const clock_ = nullptr;  // null with the text format only
  std::mutex mutex_;                          // guards what follows
  LineTap tap_;
  std::vector<LogSource*> sources_;
  std::string held_;
  std::string tail_;
  std::string request_id_;  // with the JSON format only
  bool capturing_ = false;
};

}  // namespace emulator::environment
