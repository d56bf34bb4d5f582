#include "emulator/sandbox/linux_sandbox.h"

#include "emulator/sandbox/child_process.h"
#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/first_process.h"
#include "emulator/sandbox/launcher_state.h"
#include "emulator/sandbox/line.h"
#include "emulator/sandbox/namespace_setup.h"
#include "emulator/sandbox/outward_network.h"
#include "emulator/sandbox/process_tree.h"
#include "emulator/sandbox/program_search.h"
#include "emulator/sandbox/program_start.h"
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

bool controls_anything(const IsolationPlan& plan) {
  return plan.memory != MemoryMeans::none || plan.cpu != CpuMeans::none ||
         plan.freeze != FreezeMeans::none || plan.process_count != ProcessCountMeans::none;
}

}  // namespace

// One program's process and, while it lives, the limits around it.
class LinuxSandbox final : public Sandbox, private ProcessSet {
 public:
  LinuxSandbox(LauncherState& launcher, SandboxRequest request)
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

  LauncherState& launcher_;
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
    : state_(std::make_unique<LauncherState>(std::move(plan))) {}

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
