#include "emulator/runtimes/child_command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace emulator::runtimes {
namespace {

// A version takes one line; more is not worth remembering.
constexpr std::size_t kMaxOutput = 4096;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return number_; }
  void reset() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  FileActions(FileActions&&) = delete;
  FileActions& operator=(FileActions&&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) variables.emplace_back(text);
  }
  for (const auto& [name, value] : added) variables.emplace_back(name).append("=").append(value);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

Expected<pid_t> start(const ChildCommand& command, int output, int errors) {
  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), errors, STDERR_FILENO);
  if (!command.folder.empty()) {
    ::posix_spawn_file_actions_addchdir_np(actions.get(), command.folder.c_str());
  }
  auto arguments = command.argv;
  auto variables = environment_with(command.environment);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child,
                                   command.argv.at(0).c_str(),
                                   actions.get(),
                                   nullptr,
                                   pointers(arguments).data(),
                                   pointers(variables).data());
  if (error == 0) return child;
  return refuse(
      RuntimeError::Kind::installation_failed,
      command.argv[0] + " could not be started: " + std::generic_category().message(error));
}

// What a program says, as it comes: into its log, and by whole lines to whoever listens.
class Transcript {
 public:
  Transcript(int log, const LineSink& told) : log_(log), told_(told) {}

  void add(std::string_view bytes) {
    write_all(bytes);
    for (const char c : bytes) {
      if (c == '\n' || c == '\r') {
        if (!line_.empty()) told_(line_);
        line_.clear();
      } else if (line_.size() < kMaxOutput) {
        line_ += c;
      }
    }
  }

 private:
  // A log that cannot be written, on a full disk say, is no reason to end an installation.
  void write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto written = ::write(log_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  int log_;
  const LineSink& told_;
  std::string line_;
};

// Reads until nobody writes any more, or until the program itself is gone and what it wrote is
// read: an installer may leave a server of its own behind that keeps the pipe.
void follow(pid_t child, int output, Transcript& transcript) {
  const Descriptor gone(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  std::array<char, 4096> bytes{};
  for (;;) {
    std::array<pollfd, 2> waits = {pollfd{output, POLLIN, 0}, pollfd{gone.get(), POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    if (waits[0].revents != 0) {
      const auto count = ::read(output, bytes.data(), bytes.size());
      if (count == 0 || (count < 0 && errno != EINTR)) return;
      if (count > 0) transcript.add({bytes.data(), static_cast<std::size_t>(count)});
    } else if (waits[1].revents != 0) {
      return;
    }
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Expected<int> run_to_log(const ChildCommand& command,
                         const std::filesystem::path& log,
                         const LineSink& told) {
  const Descriptor file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return refuse(RuntimeError::Kind::cache_unusable,
                  log.string() + " cannot be written: " + std::generic_category().message(errno));
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return refuse(RuntimeError::Kind::installation_failed,
                  "no pipe could be made: " + std::generic_category().message(errno));
  }
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  const auto child = start(command, writing.get(), writing.get());
  writing.reset();
  if (!child) return tl::unexpected(child.error());
  Transcript transcript(file.get(), told);
  follow(*child, reading.get(), transcript);
  return wait_for(*child);
}

Expected<std::string> output_of(const ChildCommand& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return refuse(RuntimeError::Kind::interpreter_missing,
                  "no pipe could be made: " + std::generic_category().message(errno));
  }
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  const Descriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto child = start(command, writing.get(), nowhere.get());
  writing.reset();
  if (!child) return tl::unexpected(child.error());
  std::string output;
  std::array<char, 512> bytes{};
  ssize_t count = 0;
  while ((count = ::read(reading.get(), bytes.data(), bytes.size())) > 0) {
    if (output.size() < kMaxOutput) output.append(bytes.data(), static_cast<std::size_t>(count));
  }
  const int status = wait_for(*child);
  if (status == 0) return output;
  return refuse(RuntimeError::Kind::interpreter_missing,
                command.argv[0] + " ended with status " + std::to_string(status));
}

}  // namespace emulator::runtimes
