// The Launcher of this host: does what an IsolationPlan says, step by step, and owns all that it
// made.
#pragma once

#include "emulator/sandbox/guardian.h"
#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/launch_step.h"
#include "emulator/sandbox/sandbox.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace emulator::sandbox {

class LauncherState;

struct StepTiming {
  LaunchStep step;
  std::chrono::nanoseconds took;
};

// Any thread. Must outlive the sandboxes it made: the kernel ends a child when the thread that made
// it ends, so all children are made by one thread that lives as long as this object.
class LinuxLauncher final : public Launcher {
 public:
  explicit LinuxLauncher(IsolationPlan plan = bare_plan());
  LinuxLauncher(const LinuxLauncher&) = delete;
  LinuxLauncher& operator=(const LinuxLauncher&) = delete;
  ~LinuxLauncher() override;

  tl::expected<std::unique_ptr<Sandbox>, SandboxError> make(const SandboxRequest& request) override;

  const IsolationPlan& plan() const;

  // Removes the folder even if Hearth is killed; see Guardian.
  void remove_at_end(const std::filesystem::path& folder) const;

  // From now on every step is timed. Before the first sandbox.
  void measure_steps();
  // Of the last make() and the last start(), in order.
  std::vector<StepTiming> last_timings() const;

 private:
  const std::unique_ptr<LauncherState> state_;
};

}  // namespace emulator::sandbox
