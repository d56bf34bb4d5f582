// A program under measurement: started, watched through /proc, stopped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

using Nanoseconds = std::chrono::nanoseconds;

// Its owner's thread. Standard output goes to a file without a name.
class MeasuredProgram {
 public:
  MeasuredProgram(const std::vector<std::string>& argv, const std::string& working_folder);
  MeasuredProgram(const MeasuredProgram&) = delete;
  MeasuredProgram& operator=(const MeasuredProgram&) = delete;
  ~MeasuredProgram();  // SIGTERM and wait

  pid_t pid() const { return pid_; }
  const std::string& first_line() const { return first_line_; }
  Nanoseconds ready_after() const { return ready_after_; }

  // Kilobytes of a field of /proc/PID/status such as "VmRSS:".
  std::uint64_t status_kb(const std::string& field) const;
  void reset_peak() const;  // VmHWM starts again

 private:
  pid_t pid_ = -1;
  std::string first_line_;
  Nanoseconds ready_after_{};
};

// Time to start a program without arguments and wait for its end.
Nanoseconds spawn_and_wait(const std::string& program);

// Time to start a program, argv[0] being its path, until it has written its first byte. Waits for
// its end too.
Nanoseconds spawn_to_first_byte(const std::vector<std::string>& argv);

// Says why on standard error, and ends the benchmark.
[[noreturn]] void give_up(const std::string& what);

}  // namespace bench
