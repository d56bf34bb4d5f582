#include "emulator/report/platform_spans.h"

#include "emulator/report/xray_segment.h"

#include <algorithm>
#include <utility>

namespace emulator::report {
namespace {

using environment::InvocationReport;
using std::chrono::nanoseconds;

struct Stretch {
  nanoseconds start;
  nanoseconds end;
};

Span part(const InvocationReport& report,
          std::string id,
          std::string parent,
          std::string name,
          Stretch when) {
  Span span;
  span.trace_id = trace_id_of(report.trace.trace_id);
  span.span_id = std::move(id);
  span.parent_id = std::move(parent);
  span.service = report.function_name;
  span.name = std::move(name);
  span.start = when.start;
  span.end = when.end;
  return span;
}

// Source of the names: OpenTelemetry's semantic conventions for functions as a service.
void describe(Span& span, const InvocationReport& report, const char* origin) {
  span.kind = SpanKind::server;
  span.attributes = {{"aws.xray.origin", std::string(origin)},
                     {"faas.name", report.function_name},
                     {"faas.version", report.version},
                     {"faas.invocation_id", report.request_id},
                     {"faas.coldstart", report.cold()}};
  if (report.kind == environment::InvocationKind::event) {
    span.attributes.emplace_back("aws.lambda.attempt", std::int64_t{report.attempt});
  }
  if (!report.tenant_id.empty()) {
    span.attributes.emplace_back("aws.lambda.tenant_id", report.tenant_id);
  }
  span.failed = !report.error_type.empty();
  if (span.failed) span.attributes.emplace_back("error.type", report.error_type);
}

}  // namespace

std::vector<Span> platform_spans(const InvocationReport& report,
                                 const std::function<std::string()>& new_span_id) {
  const auto& trace = report.trace;
  if (!trace.sampled) return {};
  const auto started = std::chrono::duration_cast<nanoseconds>(report.started.time_since_epoch());
  const auto before =
      report.init_duration.value_or(report.restore_duration.value_or(nanoseconds{}));
  const auto ended = started + report.duration;
  const auto answered =
      started + std::min(report.answered_after.value_or(report.duration), report.duration);
  const Stretch whole{started - before, ended};

  std::vector<Span> spans;
  spans.push_back(
      part(report, trace.service_segment, trace.caller_segment, report.function_name, whole));
  describe(spans.back(), report, "AWS::Lambda");
  spans.push_back(
      part(report, trace.function_segment, trace.service_segment, report.function_name, whole));
  describe(spans.back(), report, "AWS::Lambda::Function");
  const auto& function = trace.function_segment;
  if (report.cold()) {
    const auto* name = report.init_duration ? "Initialization" : "Restore";
    spans.push_back(part(report, new_span_id(), function, name, {started - before, started}));
  }
  spans.push_back(
      part(report, trace.invocation_segment, function, "Invocation", {started, answered}));
  spans.back().failed = !report.error_type.empty();
  for (const auto& exception : report.exceptions) {
    spans.back().exceptions.push_back({exception.type, exception.message});
  }
  if (report.answered_after) {
    spans.push_back(part(report, new_span_id(), function, "Overhead", {answered, ended}));
  }
  return spans;
}

}  // namespace emulator::report
