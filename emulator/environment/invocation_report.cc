#include "emulator/environment/invocation_report.h"

#include "emulator/environment/log_format.h"

#include <array>
#include <cstdio>

namespace emulator::environment {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

std::string two_decimals_ms(Nanoseconds value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.2f ms", duration<double, std::milli>(value).count());
  return text.data();
}

std::string failure_fields(const std::string& error_type) {
  if (error_type == "Sandbox.Timedout") return "\tStatus: timeout";
  return "\tStatus: error\tError Type: " + error_type;
}

std::string status_fields(const InvocationReport& report) {
  return report.error_type.empty() ? "\t" : failure_fields(report.error_type);
}

// Source: recorded.
std::string trace_line(const TraceContext& trace) {
  if (!trace.sampled) return {};
  return "XRAY TraceId: " + trace.trace_id + "\tSegmentId: " + trace.function_segment +
         "\tSampled: true\t\n";
}

// Names of files and words from headers stay within their line.
std::string printable(std::string text) {
  for (auto& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  }
  return text;
}

std::string version_fields(std::string_view runtime_version, std::string_view version_arn) {
  std::string fields;
  if (runtime_version.empty()) return fields;
  fields.append(" Runtime Version: ").append(runtime_version);
  fields.append("\tRuntime Version ARN: ").append(version_arn);
  return fields;
}

}  // namespace

std::int64_t billed_duration_ms(const InvocationReport& report, Profile profile) {
  auto billed = report.duration;
  if (profile == Profile::aws && report.init_duration) billed += *report.init_duration;
  if (profile == Profile::aws && report.billed_restore_duration) {
    billed += *report.billed_restore_duration;
  }
  return std::chrono::ceil<milliseconds>(billed).count();
}

std::string start_line(std::string_view request_id, std::string_view version) {
  std::string line = "START RequestId: ";
  line.append(request_id).append(" Version: ").append(version).append("\n");
  return line;
}

std::string end_lines(const InvocationReport& report, Profile profile) {
  std::string lines = "END RequestId: " + report.request_id + "\nREPORT RequestId: ";
  lines += report.request_id;
  if (profile == Profile::rie && report.init_duration) {
    lines += "\tInit Duration: " + two_decimals_ms(*report.init_duration);
  }
  if (report.metering == Metering::duration) {
    return lines + "\tDuration: " + two_decimals_ms(report.duration) + "\n";
  }
  lines += "\tDuration: " + two_decimals_ms(report.duration);
  lines += "\tBilled Duration: " + std::to_string(billed_duration_ms(report, profile)) + " ms";
  lines += "\tMemory Size: " + std::to_string(report.memory_size_mb) + " MB";
  if (profile == Profile::rie) {
    // There the figure is not measured; scripts compare the two.
    lines += "\tMax Memory Used: " + std::to_string(report.memory_size_mb) + " MB\t\n";
    return lines;
  }
  lines += "\tMax Memory Used: " + std::to_string(report.max_memory_used_mb) + " MB";
  if (report.init_duration) {
    lines += "\tInit Duration: " + two_decimals_ms(*report.init_duration);
  }
  if (report.restore_duration) {
    lines += "\tRestore Duration: " + two_decimals_ms(*report.restore_duration);
    const auto billed =
        std::chrono::ceil<milliseconds>(report.billed_restore_duration.value_or(Nanoseconds{}));
    lines += "\tBilled Restore Duration: " + std::to_string(billed.count()) + " ms";
  }
  return lines + status_fields(report) + "\n" + trace_line(report.trace);
}

std::string init_report_line(const InitReport& report) {
  std::string line = "INIT_REPORT Init Duration: " + two_decimals_ms(report.duration);
  if (report.error_type.empty()) return line + "\n";
  line += report.phase == FailurePhase::init ? "\tPhase: init" : "\tPhase: invoke";
  return line + failure_fields(report.error_type) + "\n";
}

std::string init_start_line(std::string_view runtime_version, std::string_view version_arn) {
  return "INIT_START" + version_fields(runtime_version, version_arn) + "\n";
}

std::string restore_start_line(std::string_view runtime_version, std::string_view version_arn) {
  return "RESTORE_START" + version_fields(runtime_version, version_arn) + "\n";
}

std::string restore_report_line(const RestoreReport& report) {
  const auto line = "RESTORE_REPORT Restore Duration: " + two_decimals_ms(report.duration);
  return line + (report.error_type.empty() ? "" : failure_fields(report.error_type)) + "\n";
}

std::string extension_line(const runtime_api::ExtensionStatus& extension) {
  std::string events;
  if (extension.events.invoke) events = "INVOKE";
  if (extension.events.shutdown) events += events.empty() ? "SHUTDOWN" : ",SHUTDOWN";
  std::string line = "EXTENSION\tName: " + printable(extension.name);
  line.append("\tState: ").append(printed_name(extension.state));
  line.append("\tEvents: [").append(events).append("]");
  if (!extension.error_type.empty()) line += "\tError Type: " + printable(extension.error_type);
  return line + "\n";
}

std::string outcome_lines(const Outcome& outcome,
                          std::string_view request_id,
                          std::chrono::system_clock::time_point now) {
  if (const auto* timed_out = std::get_if<TimedOut>(&outcome)) {
    return iso_time(now) + " " + std::string(request_id) + " " + describe(*timed_out) + "\n\n";
  }
  std::string reason;
  if (const auto* exited = std::get_if<RuntimeExited>(&outcome)) reason = describe(*exited);
  if (const auto* out = std::get_if<OutOfMemory>(&outcome)) reason = describe(*out);
  if (const auto* never = std::get_if<NeverStarted>(&outcome)) reason = never->reason;
  if (const auto* failed = std::get_if<ExtensionFailed>(&outcome)) reason = describe(*failed);
  if (reason.empty()) return {};
  std::string lines = "RequestId: ";
  lines.append(request_id).append(" Error: ").append(reason).append("\n");
  return lines.append(error_type(outcome)).append("\n");
}

}  // namespace emulator::environment
