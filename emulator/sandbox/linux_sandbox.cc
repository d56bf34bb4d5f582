#include "emulator/sandbox/linux_sandbox.h"

#include "emulator/sandbox/child_process.h"
#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/first_process.h"
#include "emulator/sandbox/launching_thread.h"
#include "emulator/sandbox/line.h"
#include "emulator/sandbox/namespace_setup.h"
#include "emulator/sandbox/outward_network.h"
#include "emulator/sandbox/process_tree.h"
#include "emulator/sandbox/program_search.h"
#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/root_filesystem.h"
#include "emulator/sandbox/seccomp_policy.h"
#include "emulator/sandbox/unique_fd.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

using Result = tl::expected<std::unique_ptr<Process>, SandboxError>;

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

// In memory that children share. Null where the host has none to give.
template <typename Value>
class SharedWithChildren {
 public:
  SharedWithChildren() {
    void* memory =
        ::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) value_ = new (memory) Value{};
  }
  SharedWithChildren(const SharedWithChildren&) = delete;
  SharedWithChildren& operator=(const SharedWithChildren&) = delete;
  ~SharedWithChildren() {
    if (value_ != nullptr) ::munmap(value_, sizeof(Value));
  }
  Value* get() const { return value_; }

 private:
  Value* value_ = nullptr;
};

// One process may have several launchers, each with groups of its own.
std::string new_label() {
  static std::atomic<unsigned> launchers = 0;
  const auto number = launchers++;
  const auto label = "hearth-" + std::to_string(::getpid());
  return number == 0 ? label : label + "." + std::to_string(number);
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
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

// Empty where the host's own serve in a network of its own as well.
std::string own_names() {
  const auto host = content_of_file("/etc/resolv.conf");
  return asks_loopback(host) ? forwarded(host) : "";
}

// The value of PATH among KEY=VALUE.
std::string path_of(const std::vector<std::string>& environment) {
  constexpr std::string_view kKey = "PATH=";
  for (const auto& variable : environment) {
    if (variable.starts_with(kKey)) return variable.substr(kKey.size());
  }
  return {};
}

// As many CPUs as asked for out of those that Hearth may run on; from a different one each time, so
// that environments spread.
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

// fork() that also gives a pidfd. Returns 0 in the child. Not clone3: container engines refuse it
// by default, because a seccomp filter cannot read the flags behind its pointer.
pid_t clone_with_pidfd(int& pidfd) {
  constexpr auto kFlags = static_cast<unsigned long>(CLONE_PIDFD) | SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone, kFlags, nullptr, &pidfd, nullptr, nullptr));
}

// The child of an entrance that was killed before it could report it. It is ours, and until it is
// reaped its process namespace does not end.
void reap_unreported(pid_t pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool controls_anything(const IsolationPlan& plan) {
  return plan.memory != MemoryMeans::none || plan.cpu != CpuMeans::none ||
         plan.freeze != FreezeMeans::none || plan.process_count != ProcessCountMeans::none;
}

struct Streams {
  UniqueFd input;
  UniqueFd output_reading;
  UniqueFd output_writing;
};

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

}  // namespace

// What all sandboxes of a launcher share. Fixed after construction, but for what a mutex guards.
class LinuxLauncher::State {
 public:
  explicit State(IsolationPlan wanted)
      : plan(std::move(wanted)), resources(plan, plan.cgroups, new_label()) {
    for (const auto& folder : resources.parent_folders()) guardian.remove_groups_at_end(folder);
  }

  // The same view has the same steps for as long as Hearth runs.
  std::vector<FilesystemStep> root_of(const RootView& view) {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(
        roots_.begin(), roots_.end(), [&](const auto& root) { return root.first == view; });
    if (known != roots_.end()) return known->second;
    auto steps = plan_root(
        view,
        {.proc = plan.new_proc ? RootOptions::Proc::own : RootOptions::Proc::none,
         .reader = plan.user_namespace ? RootOptions::Reader::owner : RootOptions::Reader::other,
         .names = plan.network == Network::own_outward ? own_names() : ""});
    return roots_.emplace_back(view, std::move(steps)).second;
  }

  // Compiled at the first start, for it takes longer than one.
  tl::expected<const sock_fprog*, SandboxError> filter() {
    if (!plan.system_call_filter) return nullptr;
    const std::lock_guard lock(mutex_);
    if (filter_.empty()) {
      auto compiled = compile(default_policy());
      if (!compiled) {
        return tl::unexpected(SandboxError{.kind = SandboxError::Kind::system,
                                           .operation = "compiling the system call filter",
                                           .error_number = 0,
                                           .message = compiled.error().message});
      }
      filter_ = std::move(*compiled);
      filter_program_ = {.len = static_cast<unsigned short>(filter_.size()),
                         .filter = filter_.data()};
    }
    return &filter_program_;
  }

  const UniqueFd& first_program() {
    const std::lock_guard lock(mutex_);
    if (!first_program_.valid()) first_program_ = first_process_program();
    return first_program_;
  }

  StepTimes* times() const { return step_times ? step_times->get() : nullptr; }

  const IsolationPlan plan;
  const Guardian guardian;
  ResourceController resources;
  std::unique_ptr<SharedWithChildren<StepTimes>> step_times;
  const SharedWithChildren<pid_t> cloned;  // the launching thread's
  std::int64_t measured_from = 0;
  std::atomic<unsigned> turn = 0;
  LaunchingThread thread;  // last: what it runs uses the rest

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<std::pair<RootView, std::vector<FilesystemStep>>> roots_;
  std::vector<sock_filter> filter_;
  sock_fprog filter_program_{};
  UniqueFd first_program_;
};

// One program's process and, while it lives, the limits around it.
class LinuxSandbox final : public Sandbox, private ProcessSet {
 public:
  LinuxSandbox(LinuxLauncher::State& launcher, SandboxRequest request)
      : launcher_(launcher), request_(std::move(request)), cpu_quota_(request_.cpu.quota) {}
  LinuxSandbox(const LinuxSandbox&) = delete;
  LinuxSandbox& operator=(const LinuxSandbox&) = delete;
  ~LinuxSandbox() override = default;

  tl::expected<void, SandboxError> open();

  Result start(const StartRequest& request) override;
  bool has_own_network() const override { return launcher_.plan.network != Network::host; }
  bool owns_connection(std::uint16_t peer_port, std::uint16_t local_port) override;
  void set_cpu_quota(std::optional<std::chrono::microseconds> quota) override;
  bool freeze() override;
  void thaw() override;
  Usage usage() override;

  // Ends every process. Any thread.
  void end_processes() noexcept;
  // Every process is gone.
  void let_go();

 private:
  class RunningProcess;

  Result start_here(const StartRequest& request);
  std::string program_path(const Program& program) const;
  tl::expected<std::shared_ptr<ResourceControl>, SandboxError> make_control();
  tl::expected<void, SandboxError> take_control();
  Result start_bare(const StartRequest& request,
                    const ChildPlan& plan,
                    Streams& streams,
                    Line& report);
  Result enter(const StartRequest& request, ChildPlan& plan, Streams& streams, Line& report);
  std::shared_ptr<ResourceControl> control() const;
  void memory_exceeded();

  void signal_all(int signal) noexcept override;
  std::vector<pid_t> processes() const override;

  LinuxLauncher::State& launcher_;
  const SandboxRequest request_;
  std::unique_ptr<FirstProcess> first_;
  std::shared_ptr<ResourceControl> prepared_;  // for the first start; the starting thread's
  std::unique_ptr<OutwardNetwork> outward_;    // holds what the first process made

  mutable std::mutex mutex_;  // guards what follows
  std::optional<std::chrono::microseconds> cpu_quota_;
  pid_t main_ = -1;        // the program's process; -1: none
  bool starting_ = false;  // it may run already, but main_ is not known yet
  std::condition_variable known_;
  // Shared with whoever uses it at the moment.
  std::shared_ptr<ResourceControl> control_;
  std::uint64_t peak_bytes_ = 0;  // where there is no control
};

class LinuxSandbox::RunningProcess final : public Process {
 public:
  RunningProcess(LinuxSandbox& sandbox,
                 std::unique_ptr<GuardedGroup> group,
                 pid_t pid,
                 UniqueFd pidfd,
                 ChildProcess::Scope scope,
                 UniqueFd output,
                 UniqueFd listener)
      : sandbox_(sandbox),
        group_(std::move(group)),
        output_(std::move(output)),
        listener_(std::move(listener)),
        process_(std::make_unique<ChildProcess>(pid, std::move(pidfd), scope)) {}
  RunningProcess(const RunningProcess&) = delete;
  RunningProcess& operator=(const RunningProcess&) = delete;
  ~RunningProcess() override {
    RunningProcess::kill();
    process_.reset();
    sandbox_.let_go();
  }

  pid_t pid() const override { return process_->pid(); }
  int output_descriptor() const override { return output_.get(); }
  int exit_descriptor() const override { return process_->pidfd(); }
  std::optional<Exit> exited() override { return process_->exited(); }
  std::optional<int> take_listening_socket() override {
    if (!listener_.valid()) return std::nullopt;
    return listener_.release();
  }
  void kill() noexcept override {
    process_->kill();
    sandbox_.end_processes();
  }

 private:
  LinuxSandbox& sandbox_;
  const std::unique_ptr<GuardedGroup> group_;  // outlives the process
  const UniqueFd output_;
  UniqueFd listener_;
  std::unique_ptr<ChildProcess> process_;
};

tl::expected<void, SandboxError> LinuxSandbox::open() {
  if (!launcher_.plan.namespaces) return {};
  const auto& program = launcher_.first_program();
  if (!program.valid()) {
    return tl::unexpected(system_error("preparing a sandbox's first process"));
  }
  const auto root = launcher_.root_of(request_.view);
  auto first = FirstProcess::start(launcher_.plan, root, program, launcher_.times());
  if (!first) return tl::unexpected(first.error());
  first_ = std::move(*first);
  // While the first process builds the root.
  auto control = make_control();
  note(launcher_.times(), LaunchStep::resource_groups);
  if (auto ready = first_->await_ready(root); !ready) return ready;
  if (!control) return tl::unexpected(control.error());
  prepared_ = std::move(*control);
  if (launcher_.plan.network != Network::own_outward) return {};
  using UserNamespace = OutwardNetwork::UserNamespace;
  const auto user = launcher_.plan.user_namespace ? UserNamespace::own : UserNamespace::none;
  auto outward = OutwardNetwork::start(first_->pid(), user, launcher_.guardian);
  if (!outward) return tl::unexpected(outward.error());
  outward_ = std::move(*outward);
  return {};
}

// Ready with the sandbox for its first start; made anew for every later one.
tl::expected<void, SandboxError> LinuxSandbox::take_control() {
  auto control = std::exchange(prepared_, nullptr);
  if (!control) {
    auto made = make_control();
    if (!made) return tl::unexpected(made.error());
    control = std::move(*made);
  }
  std::optional<std::chrono::microseconds> quota;
  {
    const std::lock_guard lock(mutex_);
    control_ = control;
    peak_bytes_ = 0;
    starting_ = true;
    quota = cpu_quota_;
  }
  // Before anybody joins: joining takes CPU time too.
  if (control) return control->set_cpu_quota(quota);
  return {};
}

// ---- Starting.

Result LinuxSandbox::start(const StartRequest& request) {
  if (request.program.argv.empty()) {
    return tl::unexpected(SandboxError{.kind = SandboxError::Kind::entrypoint,
                                       .operation = describe(LaunchStep::exec),
                                       .error_number = ENOENT,
                                       .message = "there is no program to execute"});
  }
  auto taken = take_control();
  if (!taken) {
    let_go();
    return tl::unexpected(taken.error());
  }
  auto started = launcher_.thread.run([&] { return start_here(request); });
  if (const auto held = control()) held->close_membership();
  if (!started) let_go();
  return started;
}

tl::expected<std::shared_ptr<ResourceControl>, SandboxError> LinuxSandbox::make_control() {
  if (!controls_anything(launcher_.plan)) return nullptr;
  ResourceRequest request;
  request.memory_bytes = request_.memory_bytes;
  if (first_) {
    request.temporary_bytes = request_.view.temporary_bytes;
    request.temporary_used = [this] { return first_->temporary_bytes(); };
  }
  {
    const std::lock_guard lock(mutex_);
    request.cpu_quota = cpu_quota_;
  }
  request.processes = request_.max_processes;
  request.members = this;
  request.memory_exceeded = [this] { end_processes(); };
  auto made = launcher_.resources.make(request);
  if (!made) return tl::unexpected(made.error());
  return std::shared_ptr<ResourceControl>(std::move(*made));
}

std::string LinuxSandbox::program_path(const Program& program) const {
  if (!first_ || request_.view.image.empty()) return find_program(program.argv.front());
  // With what is mounted over the image, as the processes find it.
  return find_program_in_root(
      program.argv.front(), path_of(program.environment), first_->root_folder());
}

Result LinuxSandbox::start_here(const StartRequest& request) {
  const auto& plan = launcher_.plan;
  auto streams = open_streams();
  if (!streams) return tl::unexpected(streams.error());
  auto report = make_line();
  if (!report) return tl::unexpected(report.error());
  const auto filter = launcher_.filter();
  if (!filter) return tl::unexpected(filter.error());

  const auto path = program_path(request.program);
  const auto argv = pointers_to(request.program.argv);
  const auto environment = pointers_to(request.program.environment);
  const auto cpus = choose_cpus(request_.cpu.visible_cpus, launcher_.turn++);
  const auto held = control();
  const auto& limits = request.limits;

  ChildPlan child{};
  child.path = path.c_str();
  child.argv = argv.data();
  child.environment = environment.data();
  child.working_folder = request.program.working_folder.c_str();
  child.limits = {{{RLIMIT_NOFILE, {limits.open_files, limits.open_files}},
                   {RLIMIT_CORE, {limits.core_bytes, limits.core_bytes}},
                   {RLIMIT_MEMLOCK, {limits.locked_memory_bytes, limits.locked_memory_bytes}},
                   {RLIMIT_STACK, {limits.stack_bytes, RLIM_INFINITY}}}};
  child.limit_count = 4;
  if (plan.process_count == ProcessCountMeans::rlimit && request_.max_processes) {
    child.limits[child.limit_count++] = {RLIMIT_NPROC,
                                         {*request_.max_processes, *request_.max_processes}};
  }
  child.input = streams->input.get();
  child.output = streams->output_writing.get();
  child.report = report->theirs.get();
  child.groups = held ? held->membership().data() : nullptr;
  child.group_count = held ? held->membership().size() : 0;
  child.cgroup_namespace = plan.cgroup_namespace && child.group_count > 0;
  child.visible_cpus = request_.cpu.visible_cpus > 0 ? &cpus : nullptr;
  child.session = plan.namespaces;
  child.become_function_user = plan.function_user && !plan.user_namespace;
  child.drop_privileges = plan.strictness != Strictness::none;
  child.filter = *filter;
  child.times = launcher_.times();
  return first_ ? enter(request, child, *streams, *report)
                : start_bare(request, child, *streams, *report);
}

Result LinuxSandbox::start_bare(const StartRequest& request,
                                const ChildPlan& prepared,
                                Streams& streams,
                                Line& report) {
  ChildPlan child = prepared;
  child.parent = ::getpid();
  child.guardian = launcher_.guardian.descriptor();
  int pidfd = -1;
  const auto pid = clone_with_pidfd(pidfd);
  if (pid == 0) become(child);
  if (pid < 0) return tl::unexpected(system_error(describe(LaunchStep::clone_process)));
  note(launcher_.times(), LaunchStep::clone_process);
  {
    const std::lock_guard lock(mutex_);
    main_ = pid;
    starting_ = false;
  }
  known_.notify_all();
  auto process =
      std::make_unique<RunningProcess>(*this,
                                       std::make_unique<GuardedGroup>(launcher_.guardian, pid),
                                       pid,
                                       UniqueFd(pidfd),
                                       ChildProcess::Scope::group,
                                       std::move(streams.output_reading),
                                       UniqueFd());
  report.theirs.reset();
  if (const auto failed = receive_report(report.ours)) {
    return tl::unexpected(start_failure(failed->report, request.program));
  }
  return process;
}

Result LinuxSandbox::enter(const StartRequest& request,
                           ChildPlan& child,
                           Streams& streams,
                           Line& report) {
  child.parent = 0;  // as seen from inside another process namespace
  child.guardian = -1;
  const EntrancePlan entrance{.first_process = first_->pidfd(),
                              .namespaces = first_->namespaces(),
                              .listening_socket = has_own_network(),
                              .report = report.theirs.get(),
                              .cloned = launcher_.cloned.get(),
                              .times = launcher_.times()};
  if (entrance.cloned != nullptr) *entrance.cloned = 0;
  int entrance_pidfd = -1;
  const auto entering = clone_with_pidfd(entrance_pidfd);
  if (entering == 0) enter_and_start(entrance, child);
  if (entering < 0) return tl::unexpected(system_error(describe(LaunchStep::clone_entrance)));
  note(launcher_.times(), LaunchStep::clone_entrance);
  const ChildProcess reaped(entering, UniqueFd(entrance_pidfd), ChildProcess::Scope::process);
  report.theirs.reset();

  std::unique_ptr<Process> process;
  std::optional<LaunchReport> failure;
  while (auto received = receive_report(report.ours)) {
    if (received->report.kind == LaunchReport::Kind::failed) failure = received->report;
    if (received->report.kind != LaunchReport::Kind::cloned) continue;
    const auto pid = static_cast<pid_t>(received->report.number);
    // Ours to reap, so its number is nobody else's.
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    {
      const std::lock_guard lock(mutex_);
      main_ = pid;
      starting_ = false;
    }
    known_.notify_all();
    process = std::make_unique<RunningProcess>(*this,
                                               nullptr,
                                               pid,
                                               std::move(pidfd),
                                               ChildProcess::Scope::process,
                                               std::move(streams.output_reading),
                                               std::move(received->descriptor));
  }
  if (!process && entrance.cloned != nullptr) reap_unreported(*entrance.cloned);
  if (failure) return tl::unexpected(start_failure(*failure, request.program));
  if (!process) {
    errno = ECHILD;
    return tl::unexpected(system_error(describe(LaunchStep::enter_namespaces)));
  }
  return process;
}

// ---- While it runs.

std::shared_ptr<ResourceControl> LinuxSandbox::control() const {
  const std::lock_guard lock(mutex_);
  return control_;
}

bool LinuxSandbox::owns_connection(std::uint16_t peer_port, std::uint16_t local_port) {
  if (!launcher_.plan.check_peers || has_own_network()) return true;
  {
    // A program can be faster to connect than the thread that started it to learn its number.
    std::unique_lock lock(mutex_);
    known_.wait(lock, [this] { return !starting_; });
  }
  return holds_connection(processes(), peer_port, local_port);
}

void LinuxSandbox::set_cpu_quota(std::optional<std::chrono::microseconds> quota) {
  {
    const std::lock_guard lock(mutex_);
    cpu_quota_ = quota;
  }
  // A refusal leaves the former quota, which the processes' next start sets anew.
  if (const auto held = control()) static_cast<void>(held->set_cpu_quota(quota));
}

bool LinuxSandbox::freeze() {
  if (launcher_.plan.freeze == FreezeMeans::none) return false;
  const auto held = control();
  return held && held->freeze().has_value();
}

void LinuxSandbox::thaw() {
  if (const auto held = control()) static_cast<void>(held->thaw());
}

Usage LinuxSandbox::usage() {
  const auto held = control();
  Usage usage;
  if (held && launcher_.plan.cpu != CpuMeans::none) usage.throttled = held->throttled();
  if (held && launcher_.plan.memory != MemoryMeans::none) {
    const auto memory = held->memory();
    usage.memory_bytes = memory.current_bytes;
    usage.peak_memory_bytes = memory.peak_bytes;
    usage.memory_exceeded = memory.exceeded;
    return usage;
  }
  const auto resident = resident_memory(processes());
  const std::lock_guard lock(mutex_);
  peak_bytes_ = std::max(peak_bytes_, resident.peak_bytes);
  usage.memory_bytes = resident.now_bytes;
  usage.peak_memory_bytes = peak_bytes_;
  return usage;
}

// ---- Ending.

void LinuxSandbox::end_processes() noexcept {
  signal_all(SIGKILL);
  // A frozen process dies when it is let go on.
  thaw();
}

void LinuxSandbox::let_go() {
  std::shared_ptr<ResourceControl> control;
  {
    const std::lock_guard lock(mutex_);
    main_ = -1;
    starting_ = false;
    control = std::exchange(control_, nullptr);
  }
  known_.notify_all();
}

void LinuxSandbox::signal_all(int signal) noexcept {
  if (first_) {
    first_->signal_all(signal);
    return;
  }
  const std::lock_guard lock(mutex_);
  // Unreaped until let_go(), so the number still names its group.
  if (main_ > 0) ::kill(-main_, signal);
}

std::vector<pid_t> LinuxSandbox::processes() const {
  pid_t main = -1;
  {
    const std::lock_guard lock(mutex_);
    main = main_;
  }
  std::vector<pid_t> all;
  if (main > 0) all = process_tree(main);
  if (first_) {
    // Orphans are the first process's children; the program is ours.
    const auto orphans = process_tree(first_->pid());
    all.insert(all.end(), orphans.begin() + 1, orphans.end());
  }
  return all;
}

// ---- The launcher.

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

LinuxLauncher::LinuxLauncher(IsolationPlan plan)
    : state_(std::make_unique<State>(std::move(plan))) {}

LinuxLauncher::~LinuxLauncher() = default;

tl::expected<std::unique_ptr<Sandbox>, SandboxError> LinuxLauncher::make(
    const SandboxRequest& request) {
  auto sandbox = std::make_unique<LinuxSandbox>(*state_, request);
  if (state_->times() != nullptr) *state_->times() = {};
  auto opened = state_->thread.run([&] { return sandbox->open(); });
  if (!opened) return tl::unexpected(opened.error());
  return sandbox;
}

const IsolationPlan& LinuxLauncher::plan() const { return state_->plan; }

void LinuxLauncher::remove_at_end(const std::filesystem::path& folder) const {
  state_->guardian.remove_at_end(std::filesystem::absolute(folder));
}

void LinuxLauncher::measure_steps() {
  state_->step_times = std::make_unique<SharedWithChildren<StepTimes>>();
}

std::vector<StepTiming> LinuxLauncher::last_timings() const {
  std::vector<std::pair<std::int64_t, LaunchStep>> done;
  const auto* times = state_->times();
  for (std::size_t at = 0; times != nullptr && at < kLaunchSteps; ++at) {
    if (times->done[at] != 0) done.emplace_back(times->done[at], static_cast<LaunchStep>(at));
  }
  std::sort(done.begin(), done.end());
  std::vector<StepTiming> timings;
  for (std::size_t at = 1; at < done.size(); ++at) {
    timings.push_back(
        {done[at].second, std::chrono::nanoseconds(done[at].first - done[at - 1].first)});
  }
  return timings;
}

}  // namespace emulator::sandbox
