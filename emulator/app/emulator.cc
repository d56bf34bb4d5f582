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
    targets[name] = {{.on_demand = function.spec, .provisioned = nullptr},
                     functions::function_arn(options.region, options.account, name)};
  }
  for (const auto& [alias, name] : options.aliases) {
    const auto target = targets.at(name);
    targets.emplace(alias, target);
  }
  return targets;
}

}  // namespace

MakeTargets fixed_targets(std::vector<Deployed> functions, const EmulatorOptions& options) {
  // What they need on disk lasts as long as they can be found.
  const auto kept = std::make_shared<const std::vector<Deployed>>(std::move(functions));
  return [kept, find = invoke::fixed_targets(targets_of(*kept, options))](Emulator& emulator) {
    for (const auto& function : *kept) {
      for (const auto& folder : function.package.unpacked) emulator.remove_at_end(folder->path());
    }
    return [kept, find](const std::string& name, const std::optional<std::string>& qualifier) {
      return find(name, qualifier);
    };
  };
}

Emulator::Emulator(const EmulatorOptions& options, const MakeTargets& make_targets)
    : stream_bandwidth_(options.stream_bandwidth),
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
          .advise = [](std::string_view hint) { spdlog::warn("{}", hint); },
          .service_clock = options.service_time.clock ? *options.service_time.clock : clock_,
          .service_timers = options.service_time.timers ? *options.service_time.timers : timers_} {
  for (const auto& folder : options.temporary_folders) launcher_.remove_at_end(folder);
  pool_ = std::make_unique<environment::Pool>(options.limits, world_, [] { return new_hex(16); });
  std::function<std::string()> trace_id;
  if (options.profile == environment::Profile::aws) {
    trace_id = [this] { return new_trace_id(clock_); };
  }
  invoker_ = std::make_unique<invoke::Invoker>(*pool_, make_targets(*this), std::move(trace_id));
}

Emulator::~Emulator() { stop(); }

void Emulator::stop() { pool_->stop(); }

}  // namespace emulator::app
