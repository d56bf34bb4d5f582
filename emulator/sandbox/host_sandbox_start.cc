#include "emulator/sandbox/child_process.h"
#include "emulator/sandbox/host_sandbox.h"
#include "emulator/sandbox/namespace_setup.h"
#include "emulator/sandbox/program_search.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace emulator::sandbox {

class HostSandbox::RunningProcess final : public Process {
 public:
  RunningProcess(HostSandbox& sandbox,
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
  HostSandbox& sandbox_;
  const std::unique_ptr<GuardedGroup> group_;  // outlives the process
  const UniqueFd output_;
  UniqueFd listener_;
  std::unique_ptr<ChildProcess> process_;
};

StartResult HostSandbox::start(const StartRequest& request) {
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

std::string HostSandbox::program_path(const Program& program) const {
  if (!first_ || request_.view.image.empty()) return find_program(program.argv.front());
  // With what is mounted over the image, as the processes find it.
  return find_program_in_root(
      program.argv.front(), path_of(program.environment), first_->root_folder());
}

StartResult HostSandbox::start_here(const StartRequest& request) {
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

StartResult HostSandbox::start_bare(const StartRequest& request,
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

StartResult HostSandbox::enter(const StartRequest& request,
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

}  // namespace emulator::sandbox
