// A program that a test started: what it says, and how it ends.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tests {

struct ProgramStart {
  std::vector<std::string> argv;                   // argv[0] is a path, or looked for in PATH
  std::map<std::string, std::string> variables{};  // over those of the test
  std::string folder{};                            // empty: the test's own
  std::string input{};                             // standard input, then its end
  std::size_t kept_bytes = SIZE_MAX;               // of each stream; what was said first goes
};

struct Ended {
  int status = 0;  // 128 + N when signal N ended it
  std::string output;
  std::string errors;
};

// It has a process group of its own, which the destructor kills. The test's process becomes the
// one that orphans are handed to, so that survivors() sees every process that outlived its parent.
//
// Its owner's thread. What waits gives up after a minute by throwing.
class RunningProgram {
 public:
  explicit RunningProgram(const ProgramStart& start);
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  ~RunningProgram();

  pid_t pid() const { return pid_; }
  void signal(int number) const;

  // The first line of standard output (or error) that holds `text`; waits for it. Throws when the
  // program closes the stream without having said so.
  std::string await_output(std::string_view text) { return await(output_, text); }
  std::string await_errors(std::string_view text) { return await(errors_, text); }

  // Until it has ended and everything it said is read.
  Ended wait();

 private:
  struct Stream {
    int descriptor = -1;
    bool ended = false;
    std::string text;
  };
  std::string await(const Stream& stream, std::string_view text);
  void read_streams();

  const std::size_t kept_bytes_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  std::mutex mutex_;
  std::condition_variable said_;
  Stream output_;
  Stream errors_;
  int input_ = -1;
  std::string unsent_;
  int wake_ = -1;  // ends the reading
  std::thread reader_;
};

Ended run_program(const ProgramStart& start);

// The processes that programs of this test left behind and that are still there after a few
// seconds, which a killed process needs less of; those of running programs do not count.
std::vector<pid_t> survivors();

}  // namespace tests
