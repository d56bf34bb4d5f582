#include "emulator/app/emulator.h"

#include "emulator/app/identifiers.h"

#include <spdlog/spdlog.h>

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace emulator::app {
namespace {

std::map<std::string, invoke::Target> targets_of(const std::vector<Deployed>& functions,
                                                 const EmulatorOptions& options) {
  std::map<std::string, invoke::Target> targets;
  for (const auto& function : functions) {
    const auto& name = function.spec->function_name;
    targets[name] = {function.spec, functions::function_arn(options.region, options.account, name)};
  }
  for (const auto& [alias, name] : options.aliases) {
    const auto target = targets.at(name);
    targets.emplace(alias, target);
  }
  return targets;
}

}  // namespace

Emulator::Emulator(const EmulatorOptions& options, std::vector<Deployed> functions)
    : options_(options),
      functions_(std::move(functions)),
      history_(options.profile),
      log_(options.log_descriptor),
      launcher_(options.plan),
      timers_(clock_, time::TimerDrive::own_thread),
      housekeeping_(clock_, time::TimerDrive::own_thread),
      world_{
          .clock = clock_,
          .timers = timers_,
          .housekeeping = housekeeping_,
          .launcher = launcher_,
          .pump = pump_,
          .log = [this](std::string_view lines) { log_.write(lines); },
          .new_log_stream_id = [] { return new_hex(32); },
          .reported = [this](const environment::InvocationReport& report) { history_.add(report); },
          .advise = [](std::string_view hint) { spdlog::warn("{}", hint); }} {
  for (const auto& function : functions_) {
    for (const auto& folder : function.package.unpacked) launcher_.remove_at_end(folder->path());
  }
  for (const auto& folder : options.temporary_folders) launcher_.remove_at_end(folder);
  pool_ = std::make_unique<environment::Pool>(options.limits, world_, [] { return new_hex(16); });
  std::function<std::string()> trace_id;
  if (options.profile == environment::Profile::aws) {
    trace_id = [this] { return new_trace_id(clock_); };
  }
  invoker_ = std::make_unique<invoke::Invoker>(
      *pool_, targets_of(functions_, options), std::move(trace_id));
}

Emulator::~Emulator() { stop(); }

void Emulator::stop() {
  if (const auto left = invoker_->close(); left > 0) {
    spdlog::warn("{} accepted events were not run; they are lost with this process", left);
  }
  pool_->stop();
  invoker_->stop();
}

}  // namespace emulator::app
