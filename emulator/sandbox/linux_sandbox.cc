#include "emulator/sandbox/linux_sandbox.h"

#include "emulator/sandbox/child_process.h"
#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/guardian.h"
#include "emulator/sandbox/memory_usage.h"
#include "emulator/sandbox/unique_fd.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <future>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

// A process group under the guardian's eyes, until it is gone.
class GuardedGroup {
 public:
  GuardedGroup(const Guardian& guardian, pid_t group) : guardian_(guardian), group_(group) {}
  GuardedGroup(const GuardedGroup&) = delete;
  GuardedGroup& operator=(const GuardedGroup&) = delete;
  ~GuardedGroup() { guardian_.forget(group_); }

 private:
  const Guardian& guardian_;
  const pid_t group_;
};

class LinuxSandbox final : public Sandbox {
 public:
  LinuxSandbox(const Guardian& guardian, pid_t pid, UniqueFd pidfd, UniqueFd output)
      : group_(guardian, pid),
        output_(std::move(output)),
        memory_(pid),
        process_(pid, std::move(pidfd)) {}

  pid_t pid() const override { return process_.pid(); }
  int output_descriptor() const override { return output_.get(); }
  int exit_descriptor() const override { return process_.pidfd(); }
  std::optional<Exit> exited() override { return process_.exited(); }
  Usage usage() override { return memory_.read(); }
  void kill() noexcept override { process_.kill(); }

 private:
  GuardedGroup group_;  // outlives the process
  UniqueFd output_;
  MemoryUsage memory_;
  ChildProcess process_;
};

tl::unexpected<SandboxError> system_failure(const char* operation) {
  const int error = errno;
  return tl::unexpected(SandboxError{
      .kind = SandboxError::Kind::system,
      .operation = operation,
      .error_number = error,
      .message = std::string(operation) + " failed: " + std::generic_category().message(error)});
}

// As a shell would find it. A name that is not found is returned as it is, and exec says so.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = ::secure_getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    auto candidate = std::string(rest.substr(0, colon)) + "/" + name;
    struct stat status {};
    if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return name;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::array<ChildLimit, 4> child_limits(const ProcessLimits& limits) {
  return {{
      {RLIMIT_NOFILE, {limits.open_files, limits.open_files}},
      {RLIMIT_CORE, {limits.core_bytes, limits.core_bytes}},
      {RLIMIT_MEMLOCK, {limits.locked_memory_bytes, limits.locked_memory_bytes}},
      {RLIMIT_STACK, {limits.stack_bytes, RLIM_INFINITY}},
  }};
}

SandboxError launch_failure(const ChildFailure& failure, const Program& program) {
  SandboxError error;
  error.operation = describe(failure.step);
  error.error_number = failure.error_number;
  const std::string reason = std::generic_category().message(failure.error_number);
  if (failure.step == ChildStep::exec) {
    error.kind = SandboxError::Kind::entrypoint;
    error.message = "cannot execute " + program.argv.front() + ": " + reason;
    if (failure.error_number == ENOENT) {
      error.message += "; build or copy it there, and check that its interpreter exists";
    }
    if (failure.error_number == EACCES) error.message += "; make it executable with chmod +x";
    if (failure.error_number == ENOEXEC) {
      error.message += "; begin a script with #!, or build for this machine's architecture";
    }
  } else if (failure.step == ChildStep::working_folder) {
    error.kind = SandboxError::Kind::working_folder;
    error.message = "cannot enter " + program.working_folder + ": " + reason;
  } else {
    error.message = error.operation + " failed: " + reason;
  }
  return error;
}

// Standard streams that the emulator was started without must not end up under our descriptors: the
// child places its own at those numbers.
UniqueFd above_standard_streams(UniqueFd descriptor) {
  if (!descriptor.valid() || descriptor.get() > STDERR_FILENO) return descriptor;
  return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

tl::expected<Pipe, SandboxError> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("making a pipe");
  Pipe pipe{above_standard_streams(UniqueFd(ends[0])), above_standard_streams(UniqueFd(ends[1]))};
  if (!pipe.reading.valid() || !pipe.writing.valid()) return system_failure("making a pipe");
  return pipe;
}

// fork() that also gives a pidfd. Returns 0 in the child. Not clone3: container engines refuse it
// by default, because a seccomp filter cannot read the flags behind its pointer.
pid_t clone_with_pidfd(int& pidfd) {
  constexpr auto kFlags = static_cast<unsigned long>(CLONE_PIDFD) | SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone, kFlags, nullptr, &pidfd, nullptr, nullptr));
}

tl::expected<std::unique_ptr<Sandbox>, SandboxError> launch_here(const LaunchRequest& request,
                                                                 const Guardian& guardian) {
  auto output = make_pipe();
  if (!output) return tl::unexpected(output.error());
  auto report = make_pipe();
  if (!report) return tl::unexpected(report.error());
  const auto input = above_standard_streams(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!input.valid()) return system_failure("opening /dev/null");
  if (::fcntl(output->reading.get(), F_SETFL, O_NONBLOCK) != 0) {
    return system_failure("preparing the output pipe");
  }

  const auto path = find_program(request.program.argv.front());
  const auto argv = pointers_to(request.program.argv);
  const auto environment = pointers_to(request.program.environment);
  const ChildPlan plan{.path = path.c_str(),
                       .argv = argv.data(),
                       .environment = environment.data(),
                       .working_folder = request.program.working_folder.c_str(),
                       .limits = child_limits(request.limits),
                       .input = input.get(),
                       .output = output->writing.get(),
                       .report = report->writing.get(),
                       .parent = ::getpid(),
                       .guardian = guardian.descriptor()};

  int pidfd = -1;
  const auto pid = clone_with_pidfd(pidfd);
  if (pid == 0) become(plan);
  if (pid < 0) return system_failure("starting a process");
  auto sandbox =
      std::make_unique<LinuxSandbox>(guardian, pid, UniqueFd(pidfd), std::move(output->reading));

  report->writing.reset();
  ChildFailure failure{};
  ssize_t length = 0;
  do {
    length = ::read(report->reading.get(), &failure, sizeof(failure));
  } while (length < 0 && errno == EINTR);
  if (length == sizeof(failure)) return tl::unexpected(launch_failure(failure, request.program));
  return sandbox;
}

}  // namespace

ProcessLimits inherited_limits() {
  const auto soft = [](__rlimit_resource resource) -> std::uint64_t {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    return limit.rlim_cur;
  };
  return {.open_files = soft(RLIMIT_NOFILE),
          .core_bytes = soft(RLIMIT_CORE),
          .locked_memory_bytes = soft(RLIMIT_MEMLOCK),
          .stack_bytes = soft(RLIMIT_STACK)};
}

LinuxLauncher::LinuxLauncher() : thread_([this] { serve(); }) {}

LinuxLauncher::~LinuxLauncher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

tl::expected<std::unique_ptr<Sandbox>, SandboxError> LinuxLauncher::launch(
    const LaunchRequest& request) {
  if (request.program.argv.empty()) {
    return tl::unexpected(SandboxError{.kind = SandboxError::Kind::entrypoint,
                                       .operation = describe(ChildStep::exec),
                                       .error_number = ENOENT,
                                       .message = "there is no program to execute"});
  }
  // Shared, because the launching thread is still inside the task when the result is there.
  using Task = std::packaged_task<tl::expected<std::unique_ptr<Sandbox>, SandboxError>()>;
  const auto task =
      std::make_shared<Task>([&request, this] { return launch_here(request, guardian_); });
  auto result = task->get_future();
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back([task] { (*task)(); });
  }
  arrived_.notify_one();
  return result.get();
}

void LinuxLauncher::serve() {
  // No handler of ours may run in a child that still shares our code but not our threads.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    next();
    lock.lock();
  }
}

}  // namespace emulator::sandbox
