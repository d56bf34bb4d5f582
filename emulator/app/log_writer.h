// Writes the log of all functions to one descriptor, in whole lines.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace emulator::app {

// Lines that wait to be written. Our choice: beyond it whoever logs waits for a slow reader, so
// that nothing is lost and memory stays bounded.
inline constexpr std::size_t kMaxWaitingLogBytes = std::size_t{4} << 20;

// Any thread. Of several threads that log at the same time one writes for all, and the others go
// on.
class LogWriter {
 public:
  // The descriptor stays the caller's and must outlive the writer.
  explicit LogWriter(int descriptor) : descriptor_(descriptor) {}
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter() = default;

  // Lines are written in the order of these calls, by this one or by one that runs now.
  void write(std::string_view lines);

 private:
  void put_out(std::string_view lines) const;

  const int descriptor_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable room_;
  std::string waiting_;
  std::string in_hand_;  // the writing thread's own while `writing_`
  bool writing_ = false;
};

}  // namespace emulator::app
