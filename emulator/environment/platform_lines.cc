#include "emulator/environment/platform_lines.h"

#include "emulator/environment/telemetry_event.h"

namespace emulator::environment {
namespace {

bool is_text(const EnvironmentSpec& spec) { return spec.logging.format == LogFormat::text; }

}  // namespace

std::string start_lines(const EnvironmentSpec& spec, std::string_view request_id, WallTime now) {
  if (is_text(spec)) return start_line(request_id, spec.version);
  return json_log_line(
      {now, InvocationStart{.request_id = std::string(request_id), .version = spec.version}},
      spec.logging);
}

std::string end_lines(const EnvironmentSpec& spec, const InvocationReport& report, WallTime now) {
  if (is_text(spec)) return end_lines(report, spec.profile);
  const RuntimeDone done{.request_id = report.request_id,
                         .outcome = outcome_of_runtime(report.error_type),
                         .duration = report.duration,
                         .produced_bytes = report.produced_bytes};
  return json_log_line({now, done}, spec.logging) +
         json_log_line({now, InvocationReported{.report = report, .profile = spec.profile}},
                       spec.logging);
}

std::string init_report_lines(const EnvironmentSpec& spec, const InitReport& report, WallTime now) {
  if (is_text(spec)) return init_report_line(report);
  const InitReported reported{.type = init_type_of(spec.initialization),
                              .phase = report.phase,
                              .outcome = outcome_in_report(report.error_type),
                              .duration = report.duration};
  return json_log_line({now, reported}, spec.logging);
}

std::string outcome_lines(const EnvironmentSpec& spec,
                          const Outcome& outcome,
                          std::string_view request_id,
                          WallTime now) {
  return is_text(spec) ? outcome_lines(outcome, request_id, now) : std::string();
}

}  // namespace emulator::environment
