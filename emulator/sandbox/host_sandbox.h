// The one implementation of a Sandbox: the namespaces that a first process holds, and for each
// start a process and the limits around it.
#pragma once

#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/first_process.h"
#include "emulator/sandbox/launcher_state.h"
#include "emulator/sandbox/line.h"
#include "emulator/sandbox/outward_network.h"
#include "emulator/sandbox/program_start.h"
#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/sandbox.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

using StartResult = tl::expected<std::unique_ptr<Process>, SandboxError>;

// One program's process and, while it lives, the limits around it.
class HostSandbox final : public Sandbox, private ProcessSet {
 public:
  HostSandbox(LauncherState& launcher, SandboxRequest request)
      : launcher_(launcher), request_(std::move(request)), cpu_quota_(request_.cpu.quota) {}
  HostSandbox(const HostSandbox&) = delete;
  HostSandbox& operator=(const HostSandbox&) = delete;
  ~HostSandbox() override = default;

  tl::expected<void, SandboxError> open();

  StartResult start(const StartRequest& request) override;
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

  StartResult start_here(const StartRequest& request);
  std::string program_path(const Program& program) const;
  tl::expected<std::shared_ptr<ResourceControl>, SandboxError> make_control();
  tl::expected<void, SandboxError> take_control();
  StartResult start_bare(const StartRequest& request,
                         const ChildPlan& plan,
                         Streams& streams,
                         Line& report);
  StartResult enter(const StartRequest& request, ChildPlan& plan, Streams& streams, Line& report);
  std::shared_ptr<ResourceControl> control() const;

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

}  // namespace emulator::sandbox
