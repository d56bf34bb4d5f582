#include "emulator/sandbox/program_start.h"

#include "emulator/sandbox/line.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace emulator::sandbox {

tl::expected<Streams, SandboxError> open_streams() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return tl::unexpected(system_error("making a pipe"));
  Streams streams;
  streams.output_reading = above_standard_streams(UniqueFd(ends[0]));
  streams.output_writing = above_standard_streams(UniqueFd(ends[1]));
  streams.input = above_standard_streams(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!streams.input.valid() || !streams.output_reading.valid() ||
      !streams.output_writing.valid() ||
      ::fcntl(streams.output_reading.get(), F_SETFL, O_NONBLOCK) != 0) {
    return tl::unexpected(system_error("opening the standard streams"));
  }
  return streams;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string path_of(const std::vector<std::string>& environment) {
  constexpr std::string_view kKey = "PATH=";
  for (const auto& variable : environment) {
    if (variable.starts_with(kKey)) return variable.substr(kKey.size());
  }
  return {};
}

cpu_set_t choose_cpus(int wanted, unsigned turn) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ::sched_getaffinity(0, sizeof(allowed), &allowed);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  if (cpus.empty() || static_cast<std::size_t>(wanted) >= cpus.size()) return allowed;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (int at = 0; at < wanted; ++at) {
    CPU_SET(cpus[(turn * static_cast<unsigned>(wanted) + static_cast<unsigned>(at)) % cpus.size()],
            &chosen);
  }
  return chosen;
}

// Not clone3: container engines refuse it by default, because a seccomp filter cannot read the
// flags behind its pointer.
pid_t clone_with_pidfd(int& pidfd) {
  constexpr auto kFlags = static_cast<unsigned long>(CLONE_PIDFD) | SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone, kFlags, nullptr, &pidfd, nullptr, nullptr));
}

void reap_unreported(pid_t pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

SandboxError start_failure(const LaunchReport& report, const Program& program) {
  SandboxError error;
  error.operation = describe(report.step);
  error.error_number = report.number;
  const std::string reason = std::generic_category().message(report.number);
  if (report.step == LaunchStep::exec) {
    error.kind = SandboxError::Kind::entrypoint;
    error.message = "cannot execute " + program.argv.front() + ": " + reason;
    if (report.number == ENOENT) {
      error.message += "; build or copy it there, and check that its interpreter exists";
    }
    if (report.number == EACCES) {
      error.message += "; make it executable and readable for everyone with chmod a+rx";
    }
    if (report.number == ENOEXEC) {
      error.message += "; begin a script with #!, or build for this machine's architecture";
    }
  } else if (report.step == LaunchStep::working_folder) {
    error.kind = SandboxError::Kind::working_folder;
    error.message = "cannot enter " + program.working_folder + ": " + reason;
  } else {
    error.message = error.operation + " failed: " + reason;
  }
  return error;
}

}  // namespace emulator::sandbox
