#include "emulator/app/cold_start.h"

#include "emulator/sandbox/linux_sandbox.h"

#include <poll.h>

#include <cerrno>

namespace emulator::app {
namespace {

// A part of every system that the sandbox shows.
constexpr const char* kProgram = "/bin/true";

// As a function of 128 MB would be held.
sandbox::SandboxRequest request() {
  constexpr std::uint64_t kMebibyte = 1024 * 1024;
  return {.view = {}, .memory_bytes = 128 * kMebibyte, .max_processes = 1024, .cpu = {}};
}

void wait_for_end(sandbox::Process& process) {
  pollfd ended{.fd = process.exit_descriptor(), .events = POLLIN, .revents = 0};
  while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
}

tl::expected<StartTimes, sandbox::SandboxError> start_once(sandbox::LinuxLauncher& launcher) {
  auto sandbox = launcher.make(request());
  if (!sandbox) return tl::unexpected(sandbox.error());
  auto process = (*sandbox)->start(
      {.program = {.argv = {kProgram}, .environment = {}, .working_folder = "/"}, .limits = {}});
  if (!process) return tl::unexpected(process.error());
  StartTimes times;
  for (const auto& [step, took] : launcher.last_timings()) {
    times.push_back({sandbox::describe(step), took});
  }
  wait_for_end(**process);
  return times;
}

}  // namespace

tl::expected<std::vector<StartTimes>, AppError> measure_cold_starts(
    const ColdStartMeasurement& measurement) {
  sandbox::LinuxLauncher launcher(measurement.plan);
  launcher.measure_steps();
  std::vector<StartTimes> all;
  for (int i = 0; i < measurement.starts; ++i) {
    auto times = start_once(launcher);
    if (!times) return tl::unexpected(AppError{kHostCannot, times.error().message});
    all.push_back(std::move(*times));
    if (measurement.progress) measurement.progress(static_cast<double>(i + 1) / measurement.starts);
  }
  return all;
}

}  // namespace emulator::app
