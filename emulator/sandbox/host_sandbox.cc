#include "emulator/sandbox/host_sandbox.h"

#include "emulator/sandbox/process_tree.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace emulator::sandbox {
namespace {

bool controls_anything(const IsolationPlan& plan) {
  return plan.memory != MemoryMeans::none || plan.cpu != CpuMeans::none ||
         plan.freeze != FreezeMeans::none || plan.process_count != ProcessCountMeans::none;
}

}  // namespace

tl::expected<void, SandboxError> HostSandbox::open() {
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
tl::expected<void, SandboxError> HostSandbox::take_control() {
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

tl::expected<std::shared_ptr<ResourceControl>, SandboxError> HostSandbox::make_control() {
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

// ---- While it runs.

std::shared_ptr<ResourceControl> HostSandbox::control() const {
  const std::lock_guard lock(mutex_);
  return control_;
}

bool HostSandbox::owns_connection(std::uint16_t peer_port, std::uint16_t local_port) {
  if (!launcher_.plan.check_peers || has_own_network()) return true;
  {
    // A program can be faster to connect than the thread that started it to learn its number.
    std::unique_lock lock(mutex_);
    known_.wait(lock, [this] { return !starting_; });
  }
  return holds_connection(processes(), peer_port, local_port);
}

void HostSandbox::set_cpu_quota(std::optional<std::chrono::microseconds> quota) {
  {
    const std::lock_guard lock(mutex_);
    cpu_quota_ = quota;
  }
  // A refusal leaves the former quota, which the processes' next start sets anew.
  if (const auto held = control()) static_cast<void>(held->set_cpu_quota(quota));
}

bool HostSandbox::freeze() {
  if (launcher_.plan.freeze == FreezeMeans::none) return false;
  const auto held = control();
  return held && held->freeze().has_value();
}

void HostSandbox::thaw() {
  if (const auto held = control()) static_cast<void>(held->thaw());
}

Usage HostSandbox::usage() {
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

void HostSandbox::end_processes() noexcept {
  signal_all(SIGKILL);
  // A frozen process dies when it is let go on.
  thaw();
}

void HostSandbox::let_go() {
  std::shared_ptr<ResourceControl> control;
  {
    const std::lock_guard lock(mutex_);
    main_ = -1;
    starting_ = false;
    control = std::exchange(control_, nullptr);
  }
  known_.notify_all();
}

void HostSandbox::signal_all(int signal) noexcept {
  if (first_) {
    first_->signal_all(signal);
    return;
  }
  const std::lock_guard lock(mutex_);
  // Unreaped until let_go(), so the number still names its group.
  if (main_ > 0) ::kill(-main_, signal);
}

std::vector<pid_t> HostSandbox::processes() const {
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

}  // namespace emulator::sandbox
