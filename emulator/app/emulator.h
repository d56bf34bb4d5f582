// Builds every part of the machine, joins them, and stops them in order.
#pragma once

#include "emulator/app/deployment.h"
#include "emulator/app/log_writer.h"
#include "emulator/environment/environment.h"
#include "emulator/environment/output_pump.h"
#include "emulator/environment/pool.h"
#include "emulator/invoke/invoker.h"
#include "emulator/invoke/streamed_invocation.h"
#include "emulator/report/history.h"
#include "emulator/report/span_exporter.h"
#include "emulator/report/trace_store.h"
#include "emulator/sandbox/linux_sandbox.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::app {

// The service's own time, where it is not the host's: both or neither.
struct ServiceTime {
  const time::Clock* clock = nullptr;
  time::TimerQueue* timers = nullptr;
};

struct EmulatorOptions {
  environment::PoolLimits limits;
  environment::Profile profile = environment::Profile::aws;
  std::string region{functions::kDefaultRegion};
  std::string account{functions::kDefaultAccount};
  std::map<std::string, std::string> aliases;  // further name → function name
  sandbox::IsolationPlan plan = sandbox::bare_plan();
  // Removed even if Hearth is killed. What was unpacked for the functions is, anyhow.
  std::vector<std::filesystem::path> temporary_folders;
  int log_descriptor = 2;  // where the functions' lines and the platform's go
  ServiceTime service_time{};
  std::vector<report::SpanExporter::Send> trace_targets{};
  invoke::StreamBandwidth stream_bandwidth{};
};

class Emulator;

// What is run under which name, made when there is a machine to run it.
using MakeTargets = std::function<invoke::FindTarget(Emulator&)>;

// Functions that were deployed before and stay what they are.
MakeTargets fixed_targets(std::vector<Deployed> functions, const EmulatorOptions& options);

// Any thread, but for construction and destruction.
class Emulator {
 public:
  Emulator(const EmulatorOptions& options, const MakeTargets& make_targets);
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;
  ~Emulator();

  invoke::Invoker& invoker() { return *invoker_; }
  environment::Pool& pool() { return *pool_; }
  const report::History& history() const { return history_; }
  const report::TraceStore& traces() const { return traces_; }
  // One for each of the options' targets.
  std::vector<report::ExportCounts> exported() const;
  const time::Clock& clock() const { return clock_; }
  invoke::StreamPace stream_pace() { return {stream_bandwidth_, &clock_, &timers_}; }

  // A folder of ours that is to be removed even if Hearth is killed.
  void remove_at_end(const std::filesystem::path& folder) { launcher_.remove_at_end(folder); }

  // Ends what runs and leaves no process. May be called again.
  void stop();

 private:
  const invoke::StreamBandwidth stream_bandwidth_;
  time::SystemClock clock_;
  report::History history_;
  // Before what fills them, because that ends first.
  std::vector<std::unique_ptr<report::SpanExporter>> exporters_;
  report::TraceStore traces_;
  LogWriter log_;
  sandbox::LinuxLauncher launcher_;
  environment::OutputPump pump_;
  time::TimerQueue timers_;
  time::TimerQueue housekeeping_;
  environment::JobThreads shutdowns_{environment::kMaxShutdownThreads};
  environment::World world_;
  std::unique_ptr<environment::Pool> pool_;
  std::unique_ptr<invoke::Invoker> invoker_;
};

}  // namespace emulator::app
