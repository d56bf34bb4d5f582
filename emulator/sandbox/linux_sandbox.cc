#include "emulator/sandbox/linux_sandbox.h"

#include "emulator/sandbox/host_sandbox.h"
#include "emulator/sandbox/kernel_clock.h"
#include "emulator/sandbox/launcher_state.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace emulator::sandbox {

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
  auto sandbox = std::make_unique<HostSandbox>(*state_, request);
  if (state_->times() != nullptr) {
    *state_->times() = {.began = kernel_now().count(), .done = {}};
  }
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
  const auto* times = state_->times();
  if (times == nullptr) return {};
  std::vector<std::pair<std::int64_t, LaunchStep>> done;
  for (std::size_t at = 0; at < kLaunchSteps; ++at) {
    if (times->done[at] != 0) done.emplace_back(times->done[at], static_cast<LaunchStep>(at));
  }
  std::sort(done.begin(), done.end());
  std::vector<StepTiming> timings;
  auto before = times->began;
  for (const auto& [at, step] : done) {
    timings.push_back({step, std::chrono::nanoseconds(at - before)});
    before = at;
  }
  return timings;
}

}  // namespace emulator::sandbox
