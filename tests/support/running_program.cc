#include "tests/support/running_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

namespace tests {
namespace {

using namespace std::chrono_literals;

// Longer than anything a test waits for takes; it only ends what would never end.
constexpr auto kPatience = 60s;
constexpr auto kTimeToDie = 5s;

std::set<pid_t>& running() {
  static std::set<pid_t> pids;
  return pids;
}

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return {ends[0], ends[1]};
}

std::vector<std::string> surroundings(const std::map<std::string, std::string>& over) {
  std::map<std::string, std::string> variables = over;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string::npos)
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  std::vector<std::string> texts;
  for (const auto& [key, value] : variables) texts.push_back(key + "=" + value);
  return texts;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

pid_t spawn(const ProgramStart& start, int input, int output, int errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  if (!start.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, start.folder.c_str());
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  auto argv = start.argv;
  auto variables = surroundings(start.variables);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid,
                                   argv.at(0).c_str(),
                                   &actions,
                                   &attributes,
                                   pointers(argv).data(),
                                   pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) throw std::runtime_error("cannot start " + argv[0] + ": " + std::strerror(error));
  return pid;
}

int open_process(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

bool has_ended(int process, std::chrono::milliseconds within) {
  pollfd waited{.fd = process, .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, static_cast<int>(within.count())) == 1;
}

std::set<pid_t> children() {
  std::set<pid_t> pids;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) pids.insert(pid);
  }
  return pids;
}

// Reaps what was handed to us until there is nobody left, and returns who does not end. All at the
// same time: the first process of a namespace ends only once those that were in it are reaped.
std::vector<pid_t> await_orphans() {
  const auto end = std::chrono::steady_clock::now() + kTimeToDie;
  while (true) {
    std::vector<pid_t> alive;
    std::vector<pollfd> waited;
    for (const auto pid : children()) {
      if (running().contains(pid) || ::waitpid(pid, nullptr, WNOHANG) == pid) continue;
      alive.push_back(pid);
      waited.push_back({.fd = open_process(pid), .events = POLLIN, .revents = 0});
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    // Who ends may hand us its own children, so look until there is nobody new.
    const bool again = left > 0ms && !alive.empty();
    if (again) ::poll(waited.data(), waited.size(), static_cast<int>(left.count()));
    for (const auto& process : waited) ::close(process.fd);
    if (!again) return alive;
  }
}

}  // namespace

RunningProgram::RunningProgram(const ProgramStart& start)
    : kept_bytes_(start.kept_bytes), unsent_(start.input) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
  const auto input = make_pipe();
  const auto output = make_pipe();
  const auto errors = make_pipe();
  const auto close_theirs = [&] {
    for (const int end : {input.read, output.write, errors.write}) ::close(end);
  };
  try {
    pid_ = spawn(start, input.read, output.write, errors.write);
  } catch (...) {
    close_theirs();
    for (const int end : {input.write, output.read, errors.read}) ::close(end);
    throw;
  }
  close_theirs();
  running().insert(pid_);
  ::fcntl(input.write, F_SETFL, O_NONBLOCK);
  input_ = input.write;
  output_.descriptor = output.read;
  errors_.descriptor = errors.read;
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  reader_ = std::thread([this] { read_streams(); });
}

RunningProgram::~RunningProgram() {
  if (!reaped_) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    running().erase(pid_);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  reader_.join();
  for (const int end : {input_, output_.descriptor, errors_.descriptor, wake_}) {
    if (end >= 0) ::close(end);
  }
}

void RunningProgram::signal(int number) const { ::kill(pid_, number); }

void RunningProgram::read_streams() {
  std::array<char, 65536> bytes{};
  while (true) {
    if (unsent_.empty() && input_ >= 0) {
      ::close(input_);
      input_ = -1;
    }
    std::array<pollfd, 4> waited = {pollfd{wake_, POLLIN, 0},
                                    {output_.ended ? -1 : output_.descriptor, POLLIN, 0},
                                    {errors_.ended ? -1 : errors_.descriptor, POLLIN, 0},
                                    {input_, POLLOUT, 0}};
    ::poll(waited.data(), waited.size(), -1);
    if (waited[0].revents != 0) return;
    if (waited[3].revents != 0) {
      const auto sent = ::write(input_, unsent_.data(), unsent_.size());
      // Who does not read to the end is told no more.
      unsent_.erase(0,
                    sent < 0 && errno != EAGAIN
                        ? unsent_.size()
                        : static_cast<std::size_t>(std::max(sent, ssize_t{0})));
    }
    for (auto* stream : {&output_, &errors_}) {
      const auto& state = waited[stream == &output_ ? 1 : 2];
      if (state.fd < 0 || state.revents == 0) continue;
      const auto size = ::read(stream->descriptor, bytes.data(), bytes.size());
      const std::lock_guard lock(mutex_);
      if (size > 0) stream->text.append(bytes.data(), static_cast<std::size_t>(size));
      if (size <= 0) stream->ended = true;
      if (stream->text.size() / 2 > kept_bytes_) {
        stream->text.erase(0, stream->text.size() - kept_bytes_);
      }
      said_.notify_all();
    }
  }
}

std::string RunningProgram::await(const Stream& stream, std::string_view text) {
  std::unique_lock lock(mutex_);
  std::size_t begin = 0;
  std::size_t end = 0;
  const auto heard = [&] {
    const auto at = stream.text.find(text);
    if (at == std::string::npos) return false;
    begin = at == 0 ? 0 : stream.text.rfind('\n', at - 1) + 1;  // npos + 1 is 0
    end = stream.text.find('\n', at + text.size());
    return end != std::string::npos;
  };
  said_.wait_for(lock, kPatience, [&] { return heard() || stream.ended; });
  if (!heard()) {
    throw std::runtime_error("never said '" + std::string(text) + "', but:\n" + output_.text +
                             "\n" + errors_.text);
  }
  return stream.text.substr(begin, end - begin);
}

Ended RunningProgram::wait() {
  const int process = open_process(pid_);
  const bool ended = has_ended(process, kPatience);
  ::close(process);
  if (!ended) throw std::runtime_error("the program does not end");
  int status = 0;
  ::waitpid(pid_, &status, 0);
  reaped_ = true;
  running().erase(pid_);
  std::unique_lock lock(mutex_);
  if (!said_.wait_for(lock, kPatience, [&] { return output_.ended && errors_.ended; })) {
    throw std::runtime_error("the program has ended, but its output is still held open");
  }
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .output = output_.text,
          .errors = errors_.text};
}

Ended run_program(const ProgramStart& start) { return RunningProgram(start).wait(); }

std::vector<pid_t> survivors() {
  auto alive = await_orphans();
  for (const auto pid : alive) ::kill(pid, SIGKILL);
  if (!alive.empty()) await_orphans();
  return alive;
}

}  // namespace tests
