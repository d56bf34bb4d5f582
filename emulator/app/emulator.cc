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

std::vector<std::unique_ptr<report::SpanExporter>> exporters_of(const EmulatorOptions& options) {
  std::vector<std::unique_ptr<report::SpanExporter>> exporters;
  for (const auto& target : options.trace_targets) {
    exporters.push_back(std::make_unique<report::SpanExporter>(
        target, [](const std::string& complaint) { spdlog::warn("{}", complaint); }));
  }
  return exporters;
}

// A whole number of 53 bits, as many as a double holds, in the interval from 0 to 1.
double draw() { return static_cast<double>(new_seed() >> 11U) * 0x1p-53; }

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
      exporters_(exporters_of(options)),
      traces_([] { return new_hex(16); },
              [this](const std::vector<report::Span>& spans) {
                for (const auto& exporter : exporters_) exporter->add(spans);
              }),
      log_(options.log_descriptor),
      launcher_(options.plan),
      timers_(clock_, time::TimerDrive::own_thread),
      housekeeping_(clock_, time::TimerDrive::own_thread),
      world_{
          .clock = clock_,
          .timers = timers_,
          .housekeeping = housekeeping_,
          .shutdowns = shutdowns_,
          .launcher = launcher_,
          .pump = pump_,
          .log = [this](std::string_view lines) { log_.write(lines); },
          .new_log_stream_id = [] { return new_hex(32); },
          .new_uuid = [] { return new_uuid(); },
          .reported =
              [this](const environment::InvocationReport& report) {
                history_.add(report);
                traces_.add(report);
              },
          .advise = [](std::string_view hint) { spdlog::warn("{}", hint); },
          .service_clock = options.service_time.clock ? *options.service_time.clock : clock_,
          .service_timers = options.service_time.timers ? *options.service_time.timers : timers_} {
  for (const auto& folder : options.temporary_folders) launcher_.remove_at_end(folder);
  pool_ = std::make_unique<environment::Pool>(options.limits, world_, [] { return new_hex(16); });
  std::unique_ptr<invoke::Tracer> tracer;
  if (options.profile == environment::Profile::aws) {
    tracer = std::make_unique<invoke::Tracer>(invoke::TracerWorld{
        .clock = clock_, .new_hex = [](int digits) { return new_hex(digits); }, .draw = draw});
    world_.segments = [this](const std::string& function_name, std::string_view datagram) {
      traces_.take_datagram(function_name, datagram);
    };
  }
  invoker_ = std::make_unique<invoke::Invoker>(*pool_, make_targets(*this), std::move(tracer));
}

Emulator::~Emulator() { stop(); }

void Emulator::stop() {
  pool_->stop();
  for (const auto& exporter : exporters_) exporter->stop();
}

std::vector<report::ExportCounts> Emulator::exported() const {
  std::vector<report::ExportCounts> counts;
  counts.reserve(exporters_.size());
  for (const auto& exporter : exporters_) counts.push_back(exporter->counts());
  return counts;
}

}  // namespace emulator::app
