// What all sandboxes of a launcher share.
#pragma once

#include "emulator/sandbox/guardian.h"
#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/launch_step.h"
#include "emulator/sandbox/launching_thread.h"
#include "emulator/sandbox/program_start.h"
#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/root_filesystem.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <linux/filter.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace emulator::sandbox {

// Any thread. Fixed after construction, but for what a mutex guards.
class LauncherState {
 public:
  explicit LauncherState(IsolationPlan wanted);

  // The same view has the same steps for as long as Hearth runs.
  std::vector<FilesystemStep> root_of(const RootView& view);

  // Null where the plan has none. Compiled at the first start, for it takes longer than one.
  tl::expected<const sock_fprog*, SandboxError> filter();

  // See first_process.h.
  const UniqueFd& first_program();

  // Null while nothing is measured.
  StepTimes* times() const { return step_times ? step_times->get() : nullptr; }

  const IsolationPlan plan;
  const Guardian guardian;
  ResourceController resources;
  std::unique_ptr<SharedWithChildren<StepTimes>> step_times;
  const SharedWithChildren<pid_t> cloned;  // the launching thread's
  std::atomic<unsigned> turn = 0;
  LaunchingThread thread;  // last: what it runs uses the rest

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<std::pair<RootView, std::vector<FilesystemStep>>> roots_;
  std::vector<sock_filter> filter_;
  sock_fprog filter_program_{};
  UniqueFd first_program_;
};

}  // namespace emulator::sandbox
