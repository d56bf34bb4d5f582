#include "emulator/environment/telemetry_event.h"

#include "emulator/environment/system_log_level.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <utility>

namespace emulator::environment {
namespace {

using Json = nlohmann::ordered_json;
using runtime_api::EventCategory;
using runtime_api::TelemetryApi;
using runtime_api::TelemetrySchema;
using WallTime = std::chrono::system_clock::time_point;

// Milliseconds with at most three decimals, as the service writes them.
double milliseconds(Nanoseconds duration) {
  constexpr double kMicrosecondsPerMillisecond = 1000;
  return std::round(static_cast<double>(duration.count()) / kMicrosecondsPerMillisecond) /
         kMicrosecondsPerMillisecond;
}

std::string_view name_of(EventStatus status) {
  constexpr std::array<std::string_view, 4> kNames = {"success", "failure", "error", "timeout"};
  return kNames.at(static_cast<std::size_t>(status));
}

std::string_view name_of(InitType type) {
  constexpr std::array<std::string_view, 4> kNames = {
      "on-demand", "provisioned-concurrency", "snap-start", "lambda-managed-instances"};
  return kNames.at(static_cast<std::size_t>(type));
}

std::string_view name_of(FailurePhase phase) {
  return phase == FailurePhase::init ? "init" : "invoke";
}

void add_status(const EventOutcome& outcome, Json& record) {
  record["status"] = name_of(outcome.status);
}

void add_error_type(const EventOutcome& outcome, Json& record) {
  if (!outcome.error_type.empty()) record["errorType"] = outcome.error_type;
}

void add_tracing(const std::optional<EventTracing>& tracing, Json& record) {
  if (!tracing) return;
  auto& member = record["tracing"];
  if (!tracing->span_id.empty()) member["spanId"] = tracing->span_id;
  member["type"] = "X-Amzn-Trace-Id";
  member["value"] = tracing->value;
}

void add_spans(const std::vector<Span>& spans, Json& record) {
  if (spans.empty()) return;
  auto& list = record["spans"];
  for (const auto& span : spans) {
    list.push_back({{"name", span.name},
                    {"start", iso_time(span.start)},
                    {"durationMs", milliseconds(span.duration)}});
  }
}

void add_tenant(const std::optional<std::string>& tenant_id, Json& record) {
  if (tenant_id) record["tenantId"] = *tenant_id;
}

void add_instance(const InstanceFacts& instance, Json& record) {
  if (!instance.runtime_version.empty()) record["runtimeVersion"] = instance.runtime_version;
  if (!instance.runtime_version_arn.empty()) {
    record["runtimeVersionArn"] = instance.runtime_version_arn;
  }
  record["functionName"] = instance.function_name;
  record["functionVersion"] = instance.function_version;
  record["instanceId"] = instance.instance_id;
  record["instanceMaxMemory"] = instance.instance_max_memory_bytes;
}

Json categories_of(const runtime_api::EventCategories& categories) {
  auto list = Json::array();
  for (const auto category :
       {EventCategory::platform, EventCategory::function, EventCategory::extension}) {
    if (categories.contains(category)) list.push_back(runtime_api::name_of(category));
  }
  return list;
}

Json metrics_of(const InvocationReported& event) {
  const auto& report = event.report;
  if (report.metering == Metering::duration) return {{"durationMs", milliseconds(report.duration)}};
  Json metrics = {{"durationMs", milliseconds(report.duration)},
                  {"billedDurationMs", billed_duration_ms(report, event.profile)},
                  {"memorySizeMB", report.memory_size_mb},
                  {"maxMemoryUsedMB", report.max_memory_used_mb}};
  if (report.init_duration) metrics["initDurationMs"] = milliseconds(*report.init_duration);
  if (report.restore_duration) {
    metrics["restoreDurationMs"] = milliseconds(*report.restore_duration);
  }
  if (report.billed_restore_duration) {
    metrics["billedRestoreDurationMs"] =
        std::chrono::ceil<std::chrono::milliseconds>(*report.billed_restore_duration).count();
  }
  return metrics;
}

// A type and its record; an empty type: there is no such event with this schema.
struct Told {
  std::string_view type;
  Json record;
};

Told init_told(std::string_view type, InitType init_type, FailurePhase phase) {
  return {type, {{"initializationType", name_of(init_type)}, {"phase", name_of(phase)}}};
}

// ---- Each event's members, in their order.

struct Teller {
  TelemetrySchema schema;

  bool for_logs_api() const { return schema <= TelemetrySchema::v2021_03_18; }

  Told operator()(const InitStart& event) const {
    if (for_logs_api()) return {};
    auto told = init_told("platform.initStart", event.type, event.phase);
    add_instance(event.instance, told.record);
    add_tracing(event.tracing, told.record);
    return told;
  }
  Told operator()(const InitRuntimeDone& event) const {
    if (for_logs_api()) return {};
    auto told = init_told("platform.initRuntimeDone", event.type, event.phase);
    add_status(event.outcome, told.record);
    add_error_type(event.outcome, told.record);
    add_tracing(event.tracing, told.record);
    return told;
  }
  Told operator()(const InitReported& event) const {
    if (for_logs_api()) return {};
    auto told = init_told("platform.initReport", event.type, event.phase);
    add_status(event.outcome, told.record);
    told.record["metrics"] = {{"durationMs", milliseconds(event.duration)}};
    add_error_type(event.outcome, told.record);
    add_tracing(event.tracing, told.record);
    return told;
  }
  Told operator()(const InvocationStart& event) const {
    Told told{"platform.start", {{"requestId", event.request_id}, {"version", event.version}}};
    if (for_logs_api()) return told;
    add_tenant(event.tenant_id, told.record);
    add_tracing(event.tracing, told.record);
    return told;
  }
  Told operator()(const RuntimeDone& event) const {
    if (schema == TelemetrySchema::v2020_08_15) return {};
    Told told{"platform.runtimeDone", {{"requestId", event.request_id}}};
    if (!for_logs_api()) add_tenant(event.tenant_id, told.record);
    add_status(event.outcome, told.record);
    if (for_logs_api()) return told;
    told.record["metrics"] = {{"producedBytes", event.produced_bytes},
                              {"durationMs", milliseconds(event.duration)}};
    add_tracing(event.tracing, told.record);
    add_spans(event.spans, told.record);
    add_error_type(event.outcome, told.record);
    return told;
  }
  Told operator()(const InvocationReported& event) const {
    Told told{"platform.report", {{"requestId", event.report.request_id}}};
    if (for_logs_api()) {
      told.record["metrics"] = metrics_of(event);
      return told;
    }
    const auto outcome = outcome_in_report(event.report.error_type);
    add_tenant(event.tenant_id, told.record);
    add_status(outcome, told.record);
    told.record["metrics"] = metrics_of(event);
    add_spans(event.spans, told.record);
    add_tracing(event.tracing, told.record);
    add_error_type(outcome, told.record);
    return told;
  }
  Told operator()(const Fault& event) const {
    if (!for_logs_api()) return {};
    return {"platform.fault", event.sentence};
  }
  Told operator()(const ExtensionReported& event) const {
    Told told{"platform.extension", {{"name", event.name}, {"state", event.state}}};
    told.record["events"] = event.events;
    if (!event.error_type.empty()) told.record["errorType"] = event.error_type;
    return told;
  }
  Told operator()(const Subscribed& event) const {
    return {event.api == TelemetryApi::logs ? "platform.logsSubscription"
                                            : "platform.telemetrySubscription",
            {{"name", event.name},
             {"state", "Subscribed"},
             {"types", categories_of(event.categories)}}};
  }
  Told operator()(const LogsDropped& event) const {
    return {"platform.logsDropped",
            {{"reason", event.reason},
             {"droppedRecords", event.dropped_records},
             {"droppedBytes", event.dropped_bytes}}};
  }
  Told operator()(const RestoreStart& event) const {
    if (for_logs_api()) return {};
    Told told{"platform.restoreStart", Json::object()};
    add_instance(event.instance, told.record);
    return told;
  }
  Told operator()(const RestoreRuntimeDone& event) const {
    if (for_logs_api()) return {};
    Told told{"platform.restoreRuntimeDone", Json::object()};
    add_status(event.outcome, told.record);
    add_error_type(event.outcome, told.record);
    add_tracing(event.tracing, told.record);
    return told;
  }
  Told operator()(const RestoreReported& event) const {
    if (for_logs_api()) return {};
    Told told{"platform.restoreReport", Json::object()};
    add_status(event.outcome, told.record);
    told.record["metrics"] = {{"durationMs", milliseconds(event.duration)}};
    add_error_type(event.outcome, told.record);
    add_tracing(event.tracing, told.record);
    return told;
  }
  Told operator()(const PrintedLine&) const { return {}; }  // told without a document
};

std::string text_of(WallTime time, const Told& told) {
  std::string text = "{\"time\":\"" + iso_time(time) + "\",\"type\":\"";
  text.append(told.type).append("\",\"record\":");
  text += told.record.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text + "}";
}

// Most events are these: their text is put together without a document.
std::string text_of(WallTime time, const PrintedLine& printed, TelemetrySchema schema) {
  std::string text = "{\"time\":\"" + iso_time(time) + "\",\"type\":\"";
  text.append(runtime_api::name_of(printed.writer)).append("\",\"record\":");
  const bool as_object = printed.format == LogFormat::json &&
                         schema == TelemetrySchema::v2022_12_13 &&
                         read_log_line(printed.line).is_object;
  if (as_object) {
    text += printed.line;
  } else {
    append_json_string(printed.line, text);
  }
  return text + "}";
}

EventOutcome outcome(std::string_view error_type, EventStatus otherwise) {
  if (error_type.empty()) return {};
  if (error_type == "Sandbox.Timedout") {
    return {EventStatus::timeout, std::string(error_type)};
  }
  return {otherwise, std::string(error_type)};
}

}  // namespace

EventOutcome outcome_in_report(std::string_view error_type) {
  auto result = outcome(error_type, EventStatus::error);
  // REPORT names no type beside "Status: timeout", and its event is the same line.
  if (result.status == EventStatus::timeout) result.error_type.clear();
  return result;
}

EventOutcome outcome_of_runtime(std::string_view error_type) {
  const bool ended = error_type == "Runtime.ExitError" || error_type == "Runtime.OutOfMemory" ||
                     error_type == "Extension.Crash";
  return outcome(error_type, ended ? EventStatus::failure : EventStatus::error);
}

std::vector<Span> spans_of(WallTime started, const AnswerTimes& times) {
  std::vector<Span> spans;
  if (!times.first_byte) return spans;
  spans.push_back({"responseLatency", started, *times.first_byte - started});
  if (!times.last_byte) return spans;
  spans.push_back({"responseDuration", *times.first_byte, *times.last_byte - *times.first_byte});
  if (!times.next_asked) return spans;
  spans.push_back({"runtimeOverhead", *times.last_byte, *times.next_asked - *times.last_byte});
  return spans;
}

InitType init_type_of(Initialization initialization) {
  switch (initialization) {
    case Initialization::on_demand:
      break;
    case Initialization::provisioned_concurrency:
      return InitType::provisioned_concurrency;
    case Initialization::snap_start:
      return InitType::snap_start;
    case Initialization::managed_instances:
      return InitType::managed_instances;
  }
  return InitType::on_demand;
}

ExtensionReported reported_extension(const runtime_api::ExtensionStatus& extension) {
  ExtensionReported state{.name = extension.name,
                          .state = std::string(printed_name(extension.state)),
                          .error_type = extension.error_type};
  if (extension.events.invoke) state.events.emplace_back("INVOKE");
  if (extension.events.shutdown) state.events.emplace_back("SHUTDOWN");
  return state;
}

EventCategory category_of(const TelemetryRecord& record) {
  const auto* printed = std::get_if<PrintedLine>(&record);
  return printed != nullptr ? printed->writer : EventCategory::platform;
}

std::size_t count_json_texts(const TelemetryRecord& record, TelemetrySchema schema) {
  const bool for_logs_api = Teller{schema}.for_logs_api();
  const auto is_one_of = [&record]<typename... Records>(std::variant<Records...>*) {
    return (std::holds_alternative<Records>(record) || ...);
  };
  if (!for_logs_api) return std::holds_alternative<Fault>(record) ? 0 : 1;
  if (std::holds_alternative<InvocationReported>(record)) return 2;
  using OfBeginnings = std::variant<InitStart,
                                    InitRuntimeDone,
                                    InitReported,
                                    RestoreStart,
                                    RestoreRuntimeDone,
                                    RestoreReported>;
  if (is_one_of(static_cast<OfBeginnings*>(nullptr))) return 0;
  const bool older = schema == TelemetrySchema::v2020_08_15;
  return older && std::holds_alternative<RuntimeDone>(record) ? 0 : 1;
}

std::vector<std::string> json_texts(const TelemetryEvent& event, TelemetrySchema schema) {
  if (const auto* printed = std::get_if<PrintedLine>(&event.record)) {
    return {text_of(event.time, *printed, schema)};
  }
  const Teller teller{schema};
  std::vector<std::string> texts;
  const auto* reported = std::get_if<InvocationReported>(&event.record);
  if (reported != nullptr && teller.for_logs_api()) {
    texts.push_back(
        text_of(event.time, {"platform.end", {{"requestId", reported->report.request_id}}}));
  }
  const auto told = std::visit(teller, event.record);
  if (!told.type.empty()) texts.push_back(text_of(event.time, told));
  return texts;
}

std::string json_log_line(const TelemetryEvent& event, const LogFormatting& formatting) {
  if (std::holds_alternative<PrintedLine>(event.record)) return {};
  if (level_of(event.record) < formatting.system_level) return {};
  const auto told = std::visit(Teller{TelemetrySchema::v2022_12_13}, event.record);
  return told.type.empty() ? std::string() : text_of(event.time, told) + "\n";
}

}  // namespace emulator::environment
