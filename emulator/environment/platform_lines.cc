#include "emulator/environment/platform_lines.h"

namespace emulator::environment {
namespace {

bool is_text(const EnvironmentSpec& spec) { return spec.logging.format == LogFormat::text; }

}  // namespace

std::optional<EventTracing> tracing_of(const TraceContext& trace,
                                       const std::optional<std::string>& header) {
  if (!header || header->empty()) return std::nullopt;
  return EventTracing{.span_id = trace.invocation_segment, .value = *header};
}

// What is repeated inside an invocation has no such line of its own in a text log.
std::string init_start_lines(const EnvironmentSpec& spec, const InitStart& start, WallTime now) {
  if (!is_text(spec)) return json_log_line({now, start}, spec.logging);
  const auto& instance = start.instance;
  if (start.phase != FailurePhase::init || instance.runtime_version.empty()) return {};
  return init_start_line(instance.runtime_version, instance.runtime_version_arn);
}

std::string start_lines(const EnvironmentSpec& spec,
                        std::string_view request_id,
                        const InvocationContext& context,
                        WallTime now) {
  if (is_text(spec)) return start_line(request_id, spec.version);
  const InvocationStart start{.request_id = std::string(request_id),
                              .version = spec.version,
                              .tenant_id = context.tenant_id,
                              .tracing = context.tracing};
  return json_log_line({now, start}, spec.logging);
}

std::string end_lines(const EnvironmentSpec& spec,
                      const InvocationReport& report,
                      const InvocationContext& context,
                      WallTime now) {
  if (is_text(spec)) return end_lines(report, spec.profile);
  const RuntimeDone done{.request_id = report.request_id,
                         .tenant_id = context.tenant_id,
                         .outcome = outcome_of_runtime(report.error_type),
                         .duration = report.duration,
                         .produced_bytes = report.produced_bytes,
                         .spans = context.spans,
                         .tracing = context.tracing};
  const InvocationReported reported{.report = report,
                                    .profile = spec.profile,
                                    .tenant_id = context.tenant_id,
                                    .spans = context.spans,
                                    .tracing = context.tracing};
  return json_log_line({now, done}, spec.logging) + json_log_line({now, reported}, spec.logging);
}

std::string init_report_lines(const EnvironmentSpec& spec, const InitReport& report, WallTime now) {
  if (is_text(spec)) return init_report_line(report);
  const InitReported reported{.type = init_type_of(spec.initialization),
                              .phase = report.phase,
                              .outcome = outcome_in_report(report.error_type),
                              .duration = report.duration};
  return json_log_line({now, reported}, spec.logging);
}

InstanceFacts instance_facts(const EnvironmentSpec& spec, std::string_view environment_id) {
  return {.runtime_version = spec.runtime_version,
          .runtime_version_arn = spec.runtime_version_arn,
          .function_name = spec.function_name,
          .function_version = spec.version,
          .instance_id = std::string(environment_id),
          .instance_max_memory_bytes = spec.memory_size_mb * 1024 * 1024};
}

std::string restore_start_lines(const EnvironmentSpec& spec,
                                std::string_view environment_id,
                                WallTime now) {
  if (is_text(spec)) return restore_start_line(spec.runtime_version, spec.runtime_version_arn);
  return json_log_line({now, RestoreStart{instance_facts(spec, environment_id)}}, spec.logging);
}

std::string restore_report_lines(const EnvironmentSpec& spec,
                                 const RestoreReport& report,
                                 WallTime now) {
  if (is_text(spec)) return restore_report_line(report);
  const RestoreReported reported{.outcome = outcome_in_report(report.error_type),
                                 .duration = report.duration};
  return json_log_line({now, reported}, spec.logging);
}

std::string extension_lines(const EnvironmentSpec& spec,
                            const runtime_api::ExtensionStatus& extension,
                            WallTime now) {
  if (is_text(spec)) return extension_line(extension);
  return json_log_line({now, reported_extension(extension)}, spec.logging);
}

std::string event_lines(const EnvironmentSpec& spec, const TelemetryRecord& record, WallTime now) {
  return is_text(spec) ? std::string() : json_log_line({now, record}, spec.logging);
}

std::string outcome_lines(const EnvironmentSpec& spec,
                          const Outcome& outcome,
                          std::string_view request_id,
                          WallTime now) {
  return is_text(spec) ? outcome_lines(outcome, request_id, now) : std::string();
}

}  // namespace emulator::environment
