#include "emulator/sandbox/child_process.h"
#include "emulator/sandbox/host_sandbox.h"
#include "emulator/sandbox/namespace_setup.h"
#include "emulator/sandbox/program_search.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace emulator::sandbox {

// Of one among those that live in a sandbox: of a start under way, then of its process.
class HostSandbox::Place {
 public:
  enum class Arrival { first, beside_others };

  // `kills` as they stand at the start.
  Place(HostSandbox& sandbox, Arrival arrival, unsigned kills)
      : sandbox_(sandbox), arrival_(arrival), kills_(kills) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { sandbox_.let_go(); }

  // Whether nobody lived before.
  bool first() const { return arrival_ == Arrival::first; }

  // Makes the process known. False: everything was to end since the start began.
  bool settle(pid_t leader) const {
    const std::lock_guard lock(sandbox_.mutex_);
    sandbox_.leaders_.push_back(leader);
    return sandbox_.kills_ == kills_;
  }

 private:
  HostSandbox& sandbox_;
  const Arrival arrival_;
  const unsigned kills_;
};

class HostSandbox::RunningProcess final : public Process {
 public:
  RunningProcess(HostSandbox& sandbox,
                 std::unique_ptr<Place> place,
                 std::unique_ptr<GuardedGroup> group,
                 std::unique_ptr<ChildProcess> process,
                 UniqueFd output,
                 UniqueFd listener)
      : sandbox_(sandbox),
        place_(std::move(place)),
        group_(std::move(group)),
        output_(std::move(output)),
        listener_(std::move(listener)),
        process_(std::move(process)) {
    if (!place_->settle(process_->pid())) process_->kill();
  }
  RunningProcess(const RunningProcess&) = delete;
  RunningProcess& operator=(const RunningProcess&) = delete;
  ~RunningProcess() override {
    RunningProcess::end();
    sandbox_.forget(process_->pid());
    process_.reset();
  }

  pid_t pid() const override { return process_->pid(); }
  int output_descriptor() const override { return output_.get(); }
  int exit_descriptor() const override { return process_->pidfd(); }
  std::optional<Exit> exited() override { return process_->exited(); }
  std::optional<int> take_listening_socket() override {
    if (!listener_.valid()) return std::nullopt;
    return listener_.release();
  }
  void terminate() noexcept override { process_->signal(SIGTERM); }
  void end() noexcept override {
    process_->kill();
    sandbox_.thaw_if_frozen();
  }
  void kill() noexcept override {
    process_->kill();
    sandbox_.end_processes();
  }

 private:
  HostSandbox& sandbox_;
  // The process goes first, then what is kept for it.
  const std::unique_ptr<Place> place_;
  const std::unique_ptr<GuardedGroup> group_;
  const UniqueFd output_;
  UniqueFd listener_;
  std::unique_ptr<ChildProcess> process_;
};

// What a start has made until there is a process. The place stays with the thread that starts, for
// to give it up takes time that the launching thread has not.
struct HostSandbox::Preparation {
  const StartRequest& request;
  std::unique_ptr<Place>& place;
  Streams streams;
  Line report;
  ChildPlan child;
};

namespace {

SandboxError no_program() {
  return {.kind = SandboxError::Kind::entrypoint,
          .operation = describe(LaunchStep::exec),
          .error_number = ENOENT,
          .message = "there is no program to execute"};
}

SandboxError frozen_error() {
  return {.kind = SandboxError::Kind::system,
          .operation = "joining a sandbox's processes",
          .error_number = EBUSY,
          .message =
              "a program cannot start while the sandbox's processes are frozen; thaw them "
              "first"};
}

}  // namespace

// Known to be under way for as long as this lives.
class HostSandbox::StartUnderWay {
 public:
  explicit StartUnderWay(HostSandbox& sandbox) : sandbox_(sandbox) {}
  StartUnderWay(const StartUnderWay&) = delete;
  StartUnderWay& operator=(const StartUnderWay&) = delete;
  ~StartUnderWay() {
    if (const auto held = sandbox_.control()) held->close_membership();
    {
      const std::lock_guard lock(sandbox_.mutex_);
      --sandbox_.starting_;
    }
    sandbox_.changed_.notify_all();
  }

 private:
  HostSandbox& sandbox_;
};

// Counts a start as under way.
tl::expected<std::unique_ptr<HostSandbox::Place>, SandboxError> HostSandbox::admit() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !closing_; });
  if (frozen_) return tl::unexpected(frozen_error());
  const auto arrival = living_ == 0 ? Place::Arrival::first : Place::Arrival::beside_others;
  auto place = std::make_unique<Place>(*this, arrival, kills_);
  ++living_;
  ++starting_;
  return place;
}

tl::expected<void, SandboxError> HostSandbox::open_control(const Place& place) {
  if (place.first()) {
    cpu_turn_ = launcher_.turn++;
    return take_control();
  }
  const auto joined = control();
  if (joined) return joined->open_membership();
  return {};
}

StartResult HostSandbox::start(const StartRequest& request) {
  if (request.program.argv.empty()) return tl::unexpected(no_program());
  auto place = admit();
  if (!place) return tl::unexpected(place.error());
  const StartUnderWay under_way(*this);
  if (auto open = open_control(**place); !open) return tl::unexpected(open.error());
  // The analyzer loses what tl::expected owns.
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
  return launcher_.thread.run([&] { return start_here(request, *place); });
}

std::string HostSandbox::program_path(const Program& program) const {
  if (!first_ || request_.view.image.empty()) return find_program(program.argv.front());
  // With what is mounted over the image, as the processes find it.
  return find_program_in_root(
      program.argv.front(), path_of(program.environment), first_->root_folder());
}

// As far as it does not point to what only start_here() holds.
ChildPlan HostSandbox::child_plan(const StartRequest& request,
                                  const ResourceControl* control) const {
  const auto& plan = launcher_.plan;
  const auto& limits = request.limits;
  ChildPlan child{};
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
  child.groups = control != nullptr ? control->membership().data() : nullptr;
  child.group_count = control != nullptr ? control->membership().size() : 0;
  child.cgroup_namespace = plan.cgroup_namespace && child.group_count > 0;
  child.session = plan.namespaces;
  child.become_function_user = plan.function_user && !plan.user_namespace;
  child.drop_privileges = plan.strictness != Strictness::none;
  child.times = launcher_.times();
  return child;
}

StartResult HostSandbox::start_here(const StartRequest& request, std::unique_ptr<Place>& place) {
  auto streams = open_streams();
  if (!streams) return tl::unexpected(streams.error());
  auto report = make_line();
  if (!report) return tl::unexpected(report.error());
  const auto filter = launcher_.filter();
  if (!filter) return tl::unexpected(filter.error());

  const auto path = program_path(request.program);
  const auto argv = pointers_to(request.program.argv);
  const auto environment = pointers_to(request.program.environment);
  const auto cpus = choose_cpus(request_.cpu.visible_cpus, cpu_turn_);
  const auto held = control();

  Preparation start{.request = request,
                    .place = place,
                    .streams = std::move(*streams),
                    .report = std::move(*report),
                    .child = child_plan(request, held.get())};
  start.child.path = path.c_str();
  start.child.argv = argv.data();
  start.child.environment = environment.data();
  start.child.input = start.streams.input.get();
  start.child.output = start.streams.output_writing.get();
  start.child.report = start.report.theirs.get();
  start.child.visible_cpus = request_.cpu.visible_cpus > 0 ? &cpus : nullptr;
  start.child.filter = *filter;
  return first_ ? enter(start) : start_bare(start);
}

std::unique_ptr<HostSandbox::RunningProcess> HostSandbox::running(Preparation& start,
                                                                  pid_t pid,
                                                                  UniqueFd pidfd,
                                                                  UniqueFd listener) {
  // Those in a process namespace end with its first process.
  auto guarded = first_ ? nullptr : std::make_unique<GuardedGroup>(launcher_.guardian, pid);
  return std::make_unique<RunningProcess>(
      *this,
      std::move(start.place),
      std::move(guarded),
      std::make_unique<ChildProcess>(pid, std::move(pidfd), ChildProcess::Scope::group),
      std::move(start.streams.output_reading),
      std::move(listener));
}

StartResult HostSandbox::start_bare(Preparation& start) {
  start.child.parent = ::getpid();
  start.child.guardian = launcher_.guardian.descriptor();
  int pidfd = -1;
  const auto pid = clone_with_pidfd(pidfd);
  if (pid == 0) become(start.child);
  if (pid < 0) return tl::unexpected(system_error(describe(LaunchStep::clone_process)));
  auto process = running(start, pid, UniqueFd(pidfd), UniqueFd());
  start.report.theirs.reset();
  if (const auto failed = receive_report(start.report.ours)) {
    return tl::unexpected(start_failure(failed->report, start.request.program));
  }
  return process;
}

StartResult HostSandbox::enter(Preparation& start) {
  start.child.parent = 0;  // as seen from inside another process namespace
  start.child.guardian = -1;
  const EntrancePlan entrance{.first_process = first_->pidfd(),
                              .namespaces = first_->namespaces(),
                              .listening_socket = has_own_network() && start.place->first(),
                              .report = start.report.theirs.get(),
                              .cloned = launcher_.cloned.get(),
                              .times = launcher_.times()};
  if (entrance.cloned != nullptr) *entrance.cloned = 0;
  int entrance_pidfd = -1;
  const auto entering = clone_with_pidfd(entrance_pidfd);
  if (entering == 0) enter_and_start(entrance, start.child);
  if (entering < 0) return tl::unexpected(system_error(describe(LaunchStep::clone_entrance)));
  const ChildProcess reaped(entering, UniqueFd(entrance_pidfd), ChildProcess::Scope::process);
  start.report.theirs.reset();

  std::unique_ptr<Process> process;
  std::optional<LaunchReport> failure;
  while (auto received = receive_report(start.report.ours)) {
    if (received->report.kind == LaunchReport::Kind::failed) failure = received->report;
    if (received->report.kind != LaunchReport::Kind::cloned) continue;
    const auto pid = static_cast<pid_t>(received->report.number);
    // Ours to reap, so its number is nobody else's.
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    process = running(start, pid, std::move(pidfd), std::move(received->descriptor));
  }
  if (!process && entrance.cloned != nullptr) reap_unreported(*entrance.cloned);
  if (failure) return tl::unexpected(start_failure(*failure, start.request.program));
  if (!process) {
    errno = ECHILD;
    return tl::unexpected(system_error(describe(LaunchStep::enter_namespaces)));
  }
  return process;
}

}  // namespace emulator::sandbox
