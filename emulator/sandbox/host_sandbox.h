// The one implementation of a Sandbox: the namespaces that a first process holds, the programs'
// processes, and the limits around all of them from the first one's start to the last one's end.
#pragma once

#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/first_process.h"
#include "emulator/sandbox/inside_socket.h"
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

// Its owner's thread, where Sandbox does not say "any".
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
  tl::expected<int, SandboxError> connect_inside(std::uint16_t port) override;
  tl::expected<int, SandboxError> bind_datagram_inside(std::uint16_t port) override;
  void set_cpu_quota(std::optional<std::chrono::microseconds> quota) override;
  bool freeze() override;
  void thaw() override;
  Usage usage() override;

  // Ends every process, also one that is about to start. Any thread.
  void end_processes() noexcept;
  void thaw_if_frozen();

 private:
  class Place;
  class RunningProcess;
  class StartUnderWay;
  struct Preparation;

  tl::expected<std::unique_ptr<Place>, SandboxError> admit();
  tl::expected<void, SandboxError> open_control(const Place& place);
  StartResult start_here(const StartRequest& request, std::unique_ptr<Place>& place);
  std::string program_path(const Program& program) const;
  ChildPlan child_plan(const StartRequest& request, const ResourceControl* control) const;
  tl::expected<std::shared_ptr<ResourceControl>, SandboxError> make_control();
  tl::expected<void, SandboxError> take_control();
  StartResult start_bare(Preparation& start);
  StartResult enter(Preparation& start);
  std::unique_ptr<RunningProcess> running(Preparation& start,
                                          pid_t pid,
                                          UniqueFd pidfd,
                                          UniqueFd listener);
  tl::expected<UniqueFd, SandboxError> socket_inside(SocketKind kind);
  std::shared_ptr<ResourceControl> control() const;
  // It is about to be reaped, and its number to become somebody else's.
  void forget(pid_t leader);
  // One of those that lived is gone; with the last of them, what they left.
  void let_go();
  void end_orphans(const std::shared_ptr<ResourceControl>& control);

  void signal_all(int signal) noexcept override;
  std::vector<pid_t> processes() const override;

  LauncherState& launcher_;
  const SandboxRequest request_;
  std::unique_ptr<FirstProcess> first_;
  std::shared_ptr<ResourceControl> prepared_;  // for the first start; the starting thread's
  std::unique_ptr<OutwardNetwork> outward_;    // holds what the first process made

  unsigned cpu_turn_ = 0;  // the starting thread's; see choose_cpus()

  mutable std::mutex mutex_;  // guards what follows
  std::optional<std::chrono::microseconds> cpu_quota_;
  std::vector<pid_t> leaders_;  // the programs' processes, each of its own group
  int living_ = 0;              // processes, ended or not, and starts under way
  int starting_ = 0;            // a program may run already that is not among the leaders
  unsigned kills_ = 0;          // of everything, so far
  bool frozen_ = false;         // or about to be
  bool closing_ = false;        // nobody lives, and what was left is being ended
  std::condition_variable changed_;
  // Shared with whoever uses it at the moment.
  std::shared_ptr<ResourceControl> control_;
  std::uint64_t peak_bytes_ = 0;  // where there is no control
};

}  // namespace emulator::sandbox
