#include "tests/bench/measured_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

namespace bench {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

void give_up(const std::string& what) {
  std::cerr << "bench: " << what << "\n";
  std::exit(1);
}

MeasuredProgram::MeasuredProgram(const std::vector<std::string>& argv,
                                 const std::string& working_folder) {
  // A file, as in a script: a reader at the other end of a pipe would be measured too.
  char name[] = "/tmp/hearth-bench-XXXXXX";
  const int log = ::mkostemp(name, O_CLOEXEC | O_APPEND);
  if (log < 0) give_up("no temporary file");
  ::unlink(name);
  const auto words = pointers(argv);
  const auto started = std::chrono::steady_clock::now();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(log, STDOUT_FILENO);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDERR_FILENO);
    if (::chdir(working_folder.c_str()) != 0) ::_exit(126);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  std::array<char, 256> line{};
  while (first_line_.empty()) {
    const auto length = ::pread(log, line.data(), line.size(), 0);
    const std::string text(line.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    if (const auto end = text.find('\n'); end != std::string::npos)
      first_line_ = text.substr(0, end);
    if (first_line_.empty() && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      give_up(argv[0] + " did not start in " + working_folder);
    }
    std::this_thread::sleep_for(std::chrono::microseconds{100});
  }
  ready_after_ = std::chrono::steady_clock::now() - started;
  ::close(log);
}

MeasuredProgram::~MeasuredProgram() {
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

std::uint64_t MeasuredProgram::status_kb(const std::string& field) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string word; status >> word;) {
    std::uint64_t value = 0;
    if (word == field && status >> value) return value;
  }
  return 0;
}

void MeasuredProgram::reset_peak() const {
  std::ofstream("/proc/" + std::to_string(pid_) + "/clear_refs") << "5";
}

Nanoseconds spawn_and_wait(const std::string& program) {
  const std::vector<std::string> argv = {program};
  const auto words = pointers(argv);
  std::array<char*, 1> no_environment{nullptr};
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  ::posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
  const auto started = std::chrono::steady_clock::now();
  pid_t child = 0;
  if (::posix_spawn(&child, words[0], &quiet, nullptr, words.data(), no_environment.data()) != 0) {
    give_up("cannot start " + program);
  }
  ::waitpid(child, nullptr, 0);
  const auto took = std::chrono::steady_clock::now() - started;
  ::posix_spawn_file_actions_destroy(&quiet);
  return took;
}

Nanoseconds spawn_to_first_byte(const std::vector<std::string>& argv) {
  const auto words = pointers(argv);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("no pipe");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::array<char*, 1> no_environment{nullptr};
  const auto started = std::chrono::steady_clock::now();
  pid_t child = 0;
  if (::posix_spawn(&child, words[0], &actions, nullptr, words.data(), no_environment.data()) !=
      0) {
    give_up("cannot start " + argv[0]);
  }
  ::close(ends[1]);
  char byte = 0;
  const auto length = ::read(ends[0], &byte, 1);
  const auto took = std::chrono::steady_clock::now() - started;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  ::posix_spawn_file_actions_destroy(&actions);
  if (length != 1) give_up(argv[0] + " wrote nothing");
  return took;
}

}  // namespace bench
