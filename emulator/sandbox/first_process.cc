#include "emulator/sandbox/first_process.h"

#include "embedded_first_process_image.h"
#include "emulator/sandbox/first_process_requests.h"
#include "emulator/sandbox/line.h"
#include "emulator/sandbox/namespace_setup.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

using Kind = FilesystemStep::Kind;

constexpr auto kPidfdType = static_cast<idtype_t>(3);  // P_PIDFD, Linux 5.4

// Our choice; what the service's environments are called is not documented.
constexpr const char* kHostName = "sandbox";

// Our choice: on the service the number of files in /tmp is a disk's.
constexpr const char* kTemporaryFiles = "262144";

// Of a process, in /proc.
constexpr const char* kItsRoot = "root";

// Steps with the strings that they point to.
class RootSteps {
 public:
  explicit RootSteps(const std::vector<FilesystemStep>& steps) {
    texts_.reserve(steps.size() * 3);
    for (const auto& step : steps) steps_.push_back(prepared(step));
  }
  const RootStep* data() const { return steps_.data(); }
  std::size_t size() const { return steps_.size(); }

 private:
  const char* keep(std::string text) {
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    return texts_.back()->c_str();
  }

  RootStep prepared(const FilesystemStep& step) {
    RootStep result;
    result.required = step.required;
    result.mode = step.mode;
    result.target = keep(kNewRoot + step.target);
    switch (step.kind) {
      case Kind::folder:
        result.kind = RootStep::Kind::folder;
        break;
      case Kind::file:
        result.kind = RootStep::Kind::file;
        result.source = keep(step.source);
        result.source_size = step.source.size();
        break;
      case Kind::link:
        result.kind = RootStep::Kind::link;
        result.source = keep(step.source);
        break;
      case Kind::bind:
        result.kind = RootStep::Kind::bind;
        result.source = keep(kHostRoot + step.source);
        break;
      case Kind::bind_read_only:
        result.kind = RootStep::Kind::bind_read_only;
        result.source = keep(kHostRoot + step.source);
        break;
      case Kind::read_only:
        result.kind = RootStep::Kind::read_only;
        break;
      case Kind::temporary:
        mount_of(result,
                 "tmpfs",
                 MS_NOSUID | MS_NODEV,
                 "mode=1777,nr_inodes=" + std::string(kTemporaryFiles) +
                     ",size=" + std::to_string(step.bytes));
        break;
      case Kind::proc:
        mount_of(result, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
        break;
      case Kind::bind_opened:
        // Two layers without a writable one; the upper, an empty folder of ours, gives the top
        // folder's owner and mode.
        mount_of(result,
                 "overlay",
                 MS_RDONLY | MS_NOSUID | MS_NODEV,
                 "lowerdir=" + escaped_in_mount_options(result.target) + ":" +
                     escaped_in_mount_options(kHostRoot + step.source));
        break;
      case Kind::image:
        mount_of(result,
                 "overlay",
                 MS_NOSUID | MS_NODEV,
                 "lowerdir=" + escaped_in_mount_options(kHostRoot + step.source) +
                     ",upperdir=" + kUpper + ",workdir=" + kWork);
        break;
    }
    return result;
  }

  void mount_of(RootStep& step, const char* type, unsigned long flags, std::string options) {
    step.kind = RootStep::Kind::mount;
    step.type = type;
    step.flags = flags;
    step.options = keep(std::move(options));
  }

  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<RootStep> steps_;
};

int namespace_flags(const IsolationPlan& plan) {
  int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (plan.user_namespace) flags |= CLONE_NEWUSER;
  if (plan.network != Network::host) flags |= CLONE_NEWNET;
  return flags;
}

// What an image does not allow to be put over it.
std::string image_refusal(const FilesystemStep& step, int error_number) {
  const auto where = step.target.empty() ? std::string("/") : step.target;
  if (error_number == ELOOP) {
    return "the image of --rootfs has a symbolic link at or above " + where +
           ", through which Hearth makes and mounts nothing; put a folder or a file there instead";
  }
  auto message = "the image of --rootfs cannot be given " + where + ": " +
                 std::generic_category().message(error_number);
  if (error_number == EOVERFLOW || error_number == EACCES || error_number == EPERM) {
    message += "; unpack the image as the user that Hearth runs as, or run Hearth as root";
  }
  return message;
}

SandboxError start_failure(const LaunchReport& report, const std::vector<FilesystemStep>& root) {
  errno = report.number;
  auto error = system_error(describe(report.step));
  const bool in_image = !root.empty() && root.front().kind == Kind::image;
  if (in_image && report.step == LaunchStep::root_contents && report.item > 0 &&
      static_cast<std::size_t>(report.item) < root.size()) {
    error.message = image_refusal(root[static_cast<std::size_t>(report.item)], report.number);
    return error;
  }
  if (report.item >= 0 && static_cast<std::size_t>(report.item) < root.size()) {
    const auto& step = root[static_cast<std::size_t>(report.item)];
    error.message += " at " + (step.target.empty() ? "/" : step.target);
    if (!step.source.empty() && step.kind != Kind::file) error.message += " from " + step.source;
  }
  error.message += "; hearth doctor tells what this host allows, --sandbox none does without";
  return error;
}

}  // namespace

UniqueFd first_process_program() {
  UniqueFd program(::memfd_create("hearth-init", MFD_CLOEXEC));
  if (!program.valid()) return program;
  const auto image = first_process_image::embedded_files().front().bytes;
  if (::write(program.get(), image.data(), image.size()) != static_cast<ssize_t>(image.size()) ||
      ::fchmod(program.get(), 0555) != 0) {
    return {};
  }
  // The kernel executes nothing that somebody may still write to.
  const auto path = "/proc/self/fd/" + std::to_string(program.get());
  return above_standard_streams(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
}

tl::expected<std::unique_ptr<FirstProcess>, SandboxError> FirstProcess::start(
    const IsolationPlan& plan,
    const std::vector<FilesystemStep>& root,
    const UniqueFd& program,
    StepTimes* times) {
  auto line = make_line();
  if (!line) return tl::unexpected(line.error());
  auto report = make_line();
  if (!report) return tl::unexpected(report.error());
  const RootSteps steps(root);
  const auto user_map = std::to_string(kFunctionUser) + " " + std::to_string(::geteuid()) + " 1";
  const auto group_map = std::to_string(kFunctionGroup) + " " + std::to_string(::getegid()) + " 1";
  const FirstProcessPlan first{.user_map = plan.user_namespace ? user_map.c_str() : nullptr,
                               .group_map = group_map.c_str(),
                               .own_network = plan.network != Network::host,
                               .host_name = kHostName,
                               .steps = steps.data(),
                               .step_count = steps.size(),
                               .program = program.get(),
                               .line = line->theirs.get(),
                               .report = report->theirs.get(),
                               .times = times};

  const int namespaces = namespace_flags(plan);
  int pidfd = -1;
  const auto flags = static_cast<unsigned long>(namespaces) | CLONE_PIDFD | SIGCHLD;
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, nullptr));
  if (pid == 0) become_first_process(first);
  if (pid < 0) return tl::unexpected(system_error(describe(LaunchStep::clone_first_process)));
  std::unique_ptr<FirstProcess> process(new FirstProcess(
      pid, UniqueFd(pidfd), std::move(line->ours), std::move(report->ours), namespaces));
  return process;
}

tl::expected<void, SandboxError> FirstProcess::await_ready(
    const std::vector<FilesystemStep>& root) {
  const auto received = receive_report(report_);
  report_.reset();
  if (!received) {
    errno = ECHILD;
    return tl::unexpected(system_error("starting a sandbox's first process"));
  }
  if (received->report.kind == LaunchReport::Kind::failed) {
    return tl::unexpected(start_failure(received->report, root));
  }
  const auto temporary = root_folder() + "/tmp";
  temporary_owned_.reset(::open(temporary.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  temporary_ = temporary_owned_.get();
  return {};
}

FirstProcess::~FirstProcess() {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  while (::waitid(kPidfdType, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

std::string FirstProcess::root_folder() const {
  return "/proc/" + std::to_string(pid_) + "/" + kItsRoot;
}

std::optional<FirstProcess::Answer> FirstProcess::receive_answer(int patience_ms) const {
  pollfd wait{.fd = line_.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, patience_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return std::nullopt;
  std::array<std::uint8_t, 2> bytes{};
  Answer answer;
  const auto length = receive_record(line_, bytes.data(), bytes.size(), answer.descriptor);
  if (length <= 0) return std::nullopt;
  answer.request = bytes[0];
  answer.error = bytes[1];
  return answer;
}

std::optional<FirstProcess::Answer> FirstProcess::exchange(std::uint8_t request, int patience_ms) {
  const std::lock_guard lock(mutex_);
  if (::send(line_.get(), &request, 1, MSG_NOSIGNAL) != 1) return std::nullopt;
  for (++late_answers_; late_answers_ > 0;) {
    auto answer = receive_answer(patience_ms);
    if (!answer) return std::nullopt;
    if (--late_answers_ == 0) return answer;
  }
  return std::nullopt;
}

void FirstProcess::signal_all(int signal) noexcept {
  exchange(static_cast<std::uint8_t>(signal), -1);
}

tl::expected<UniqueFd, SandboxError> FirstProcess::make_socket(SocketKind kind) {
  const auto request = kind == SocketKind::stream ? kMakeStreamSocket : kMakeDatagramSocket;
  auto answer = exchange(request, static_cast<int>(kConnectPatience.count()));
  if (answer && answer->descriptor.valid()) {
    return above_standard_streams(std::move(answer->descriptor));
  }
  errno = answer && answer->error != 0 ? answer->error : ETIMEDOUT;
  return tl::unexpected(system_error("making a socket in a sandbox's network"));
}

std::uint64_t FirstProcess::temporary_bytes() const {
  struct statfs status {};
  const int folder = temporary_;
  if (folder < 0 || ::fstatfs(folder, &status) != 0) return 0;
  return (status.f_blocks - status.f_bfree) * static_cast<std::uint64_t>(status.f_bsize);
}

}  // namespace emulator::sandbox
