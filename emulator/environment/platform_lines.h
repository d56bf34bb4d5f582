// The platform's own lines in a function's log, in the format that the function is configured for:
// START, END, REPORT and their like, or events as JSON objects, filtered by level.
//
// Values and pure functions; any thread. Source: developer guide, "Configuring advanced logging
// controls for Lambda functions".
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/invocation_report.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/telemetry_event.h"
#include "runtime_api/extension_hub.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::environment {

using WallTime = std::chrono::system_clock::time_point;

// What is told of the environment where one begins.
InstanceFacts instance_facts(const EnvironmentSpec& spec, std::string_view environment_id);

// What events tell of an invocation beside its report.
struct InvocationContext {
  std::optional<std::string> tenant_id{};
  std::optional<EventTracing> tracing{};
  std::vector<Span> spans{};
};

// `header` as the runtime is given it; absent or empty: there is nothing to tell.
std::optional<EventTracing> tracing_of(const TraceContext& trace,
                                       const std::optional<std::string>& header);

// Each result is whole lines, newline included, or empty. A text log has no place for the context.
std::string init_start_lines(const EnvironmentSpec& spec, const InitStart& start, WallTime now);
std::string start_lines(const EnvironmentSpec& spec,
                        std::string_view request_id,
                        const InvocationContext& context,
                        WallTime now);
std::string end_lines(const EnvironmentSpec& spec,
                      const InvocationReport& report,
                      const InvocationContext& context,
                      WallTime now);
std::string init_report_lines(const EnvironmentSpec& spec, const InitReport& report, WallTime now);

std::string restore_start_lines(const EnvironmentSpec& spec,
                                std::string_view environment_id,
                                WallTime now);
std::string restore_report_lines(const EnvironmentSpec& spec,
                                 const RestoreReport& report,
                                 WallTime now);

std::string extension_lines(const EnvironmentSpec& spec,
                            const runtime_api::ExtensionStatus& extension,
                            WallTime now);

// Of what a text log has no line for.
std::string event_lines(const EnvironmentSpec& spec, const TelemetryRecord& record, WallTime now);

// A JSON log says what went wrong in the events of the invocation's end, and has no sentence for
// it.
std::string outcome_lines(const EnvironmentSpec& spec,
                          const Outcome& outcome,
                          std::string_view request_id,
                          WallTime now);

}  // namespace emulator::environment
