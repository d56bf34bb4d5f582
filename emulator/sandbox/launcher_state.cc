#include "emulator/sandbox/launcher_state.h"

#include "emulator/sandbox/first_process.h"
#include "emulator/sandbox/outward_network.h"
#include "emulator/sandbox/program_search.h"
#include "emulator/sandbox/seccomp_policy.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace emulator::sandbox {
namespace {

// One process may have several launchers, each with groups of its own.
std::string new_label() {
  static std::atomic<unsigned> launchers = 0;
  const auto number = launchers++;
  const auto label = "hearth-" + std::to_string(::getpid());
  return number == 0 ? label : label + "." + std::to_string(number);
}

// Empty where the host's own serve in a network of its own as well.
std::string own_names() {
  const auto host = content_of_file("/etc/resolv.conf");
  return asks_loopback(host) ? forwarded(host) : "";
}

}  // namespace

LauncherState::LauncherState(IsolationPlan wanted)
    : plan(std::move(wanted)), resources(plan, plan.cgroups, new_label()) {
  for (const auto& folder : resources.parent_folders()) guardian.remove_groups_at_end(folder);
}

std::vector<FilesystemStep> LauncherState::root_of(const RootView& view) {
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

tl::expected<const sock_fprog*, SandboxError> LauncherState::filter() {
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

const UniqueFd& LauncherState::first_program() {
  const std::lock_guard lock(mutex_);
  if (!first_program_.valid()) first_program_ = first_process_program();
  return first_program_;
}

}  // namespace emulator::sandbox
