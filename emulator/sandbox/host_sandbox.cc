#include "emulator/sandbox/host_sandbox.h"

#include "emulator/sandbox/control_group.h"
#include "emulator/sandbox/kernel_clock.h"
#include "emulator/sandbox/process_tree.h"
#include "emulator/sandbox/unique_fd.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

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

// Ready with the sandbox for its first start; made anew for every later one that finds nobody.
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
  if (holds_connection(processes(), peer_port, local_port)) return true;
  {
    // A program can be faster to connect than the thread that started it to learn its number.
    std::unique_lock lock(mutex_);
    if (starting_ == 0) return false;
    changed_.wait(lock, [this] { return starting_ == 0; });
  }
  return holds_connection(processes(), peer_port, local_port);
}

tl::expected<UniqueFd, SandboxError> HostSandbox::socket_inside(SocketKind kind) {
  return has_own_network() ? first_->make_socket(kind) : open_socket(kind);
}

tl::expected<int, SandboxError> HostSandbox::connect_inside(std::uint16_t port) {
  auto socket = socket_inside(SocketKind::stream);
  if (!socket) return tl::unexpected(socket.error());
  auto connected = connect_to_loopback(std::move(*socket), port);
  if (!connected) return tl::unexpected(connected.error());
  return connected->release();
}

tl::expected<int, SandboxError> HostSandbox::bind_datagram_inside(std::uint16_t port) {
  auto socket = socket_inside(SocketKind::datagram);
  if (!socket) return tl::unexpected(socket.error());
  auto bound =
      bind_to(std::move(*socket), has_own_network() ? kListeningAddress : kLoopbackAddress, port);
  if (!bound) return tl::unexpected(bound.error());
  return bound->release();
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
  std::shared_ptr<ResourceControl> held;
  {
    const std::lock_guard lock(mutex_);
    // A start would not end before the thaw, and who is to thaw may be waiting for it.
    if (starting_ > 0 || !control_) return false;
    held = control_;
    frozen_ = true;
  }
  const bool frozen = held->freeze().has_value();
  {
    const std::lock_guard lock(mutex_);
    if (frozen && frozen_) return true;
    frozen_ = false;
  }
  // Somebody has thawed it meanwhile, and may have done so before it was frozen.
  if (frozen) static_cast<void>(held->thaw());
  return false;
}

void HostSandbox::thaw() {
  std::shared_ptr<ResourceControl> held;
  {
    const std::lock_guard lock(mutex_);
    frozen_ = false;
    held = control_;
  }
  if (held) static_cast<void>(held->thaw());
}

void HostSandbox::thaw_if_frozen() {
  {
    const std::lock_guard lock(mutex_);
    if (!frozen_) return;
  }
  thaw();
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
  {
    const std::lock_guard lock(mutex_);
    ++kills_;
  }
  signal_all(SIGKILL);
  // A frozen process dies when it is let go on.
  thaw();
}

void HostSandbox::forget(pid_t leader) {
  const std::lock_guard lock(mutex_);
  std::erase(leaders_, leader);
}

void HostSandbox::let_go() {
  std::shared_ptr<ResourceControl> control;
  {
    const std::lock_guard lock(mutex_);
    if (--living_ > 0) return;
    closing_ = true;
    frozen_ = false;
    control = std::exchange(control_, nullptr);
  }
  end_orphans(control);
  {
    const std::lock_guard lock(mutex_);
    closing_ = false;
  }
  changed_.notify_all();
}

// What has left its program's group. Without namespaces it cannot be reached.
void HostSandbox::end_orphans(const std::shared_ptr<ResourceControl>& control) {
  if (first_) first_->signal_all(SIGKILL);
  if (control) static_cast<void>(control->thaw());
  if (!first_ || launcher_.plan.memory != MemoryMeans::watcher) return;
  // Their memory would be taken for that of the programs that start next.
  const auto deadline = kernel_now() + kRemovalPatience;
  const auto orphans = process_tree(first_->pid());
  for (auto orphan = orphans.begin() + 1; orphan != orphans.end(); ++orphan) {
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, *orphan, 0)));
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - kernel_now()).count();
    if (!handle.valid() || left <= 0) continue;
    pollfd wait{.fd = handle.get(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, static_cast<int>(left));
  }
}

void HostSandbox::signal_all(int signal) noexcept {
  if (first_) {
    first_->signal_all(signal);
    return;
  }
  const std::lock_guard lock(mutex_);
  // Unreaped as long as they are here, so each number still names its group.
  for (const auto leader : leaders_) ::kill(-leader, signal);
}

std::vector<pid_t> HostSandbox::processes() const {
  std::vector<pid_t> leaders;
  {
    const std::lock_guard lock(mutex_);
    leaders = leaders_;
  }
  std::vector<pid_t> all;
  for (const auto leader : leaders) {
    const auto tree = process_tree(leader);
    all.insert(all.end(), tree.begin(), tree.end());
  }
  if (first_) {
    // Orphans are the first process's children; the programs are ours.
    const auto orphans = process_tree(first_->pid());
    all.insert(all.end(), orphans.begin() + 1, orphans.end());
  }
  return all;
}

}  // namespace emulator::sandbox
