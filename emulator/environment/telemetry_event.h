// The events that the Telemetry and Logs APIs tell, and that a log in the JSON format has as its
// platform lines: values, and their JSON text.
//
// Values and pure functions; any thread. Sources: developer guide, "Lambda Telemetry API event
// schema reference" for types and members; the emulator that AWS publishes for their order where
// its tests assert one.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/invocation_report.h"
#include "emulator/environment/log_format.h"
#include "runtime_api/extension_hub.h"
#include "runtime_api/telemetry_subscription.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace emulator::environment {

// How something went. Source: developer guide, "Status". An error is one that was reported or
// found in what the runtime did; a failure is a process that ended (INF: the guide names both and
// does not say which is which; REPORT says "error" of a runtime that exited, so its event does).
enum class EventStatus : std::uint8_t { success, failure, error, timeout };

struct EventOutcome {
  EventStatus status = EventStatus::success;
  std::string error_type{};  // not sent when empty
};

// Of an error type as Outcome and InvocationReport have it; empty for a success.
EventOutcome outcome_in_report(std::string_view error_type);   // in *.report and *.initReport
EventOutcome outcome_of_runtime(std::string_view error_type);  // in *RuntimeDone

struct EventTracing {
  std::string span_id{};  // not sent when empty
  std::string value{};    // the trace header
};

struct Span {
  std::string name{};
  std::chrono::system_clock::time_point start{};
  Nanoseconds duration{};
};

// When the parts of an answer came to us. Absent where they never did.
struct AnswerTimes {
  std::optional<std::chrono::system_clock::time_point> first_byte{};
  std::optional<std::chrono::system_clock::time_point> last_byte{};
  std::optional<std::chrono::system_clock::time_point> next_asked{};  // for the next invocation
};

// responseLatency from the start of the invocation, responseDuration, runtimeOverhead: as many of
// them as have both ends.
std::vector<Span> spans_of(std::chrono::system_clock::time_point started, const AnswerTimes& times);

enum class InitType : std::uint8_t {
  on_demand,
  provisioned_concurrency,
  snap_start,
  managed_instances
};

InitType init_type_of(Initialization initialization);

// The function and environment that an init or a restore is for.
struct InstanceFacts {
  std::string runtime_version{};      // not sent when empty: a runtime of the function's own
  std::string runtime_version_arn{};  // the same
  std::string function_name{};
  std::string function_version{};
  std::string instance_id{};
  std::int64_t instance_max_memory_bytes = 0;
};

struct InitStart {
  InitType type = InitType::on_demand;
  FailurePhase phase = FailurePhase::init;
  InstanceFacts instance{};
  std::optional<EventTracing> tracing{};
};
struct InitRuntimeDone {
  InitType type = InitType::on_demand;
  FailurePhase phase = FailurePhase::init;
  EventOutcome outcome{};
  std::optional<EventTracing> tracing{};
};
struct InitReported {
  InitType type = InitType::on_demand;
  FailurePhase phase = FailurePhase::init;
  EventOutcome outcome{};
  Nanoseconds duration{};
  std::optional<EventTracing> tracing{};
};
struct InvocationStart {
  std::string request_id{};
  std::string version{};
  std::optional<std::string> tenant_id{};
  std::optional<EventTracing> tracing{};
};
struct RuntimeDone {
  std::string request_id{};
  std::optional<std::string> tenant_id{};
  EventOutcome outcome{};
  Nanoseconds duration{};
  std::uint64_t produced_bytes = 0;
  std::vector<Span> spans{};
  std::optional<EventTracing> tracing{};
};
// platform.report; for the Logs API platform.end comes with it.
struct InvocationReported {
  InvocationReport report{};
  Profile profile = Profile::aws;
  std::optional<std::string> tenant_id{};
  std::vector<Span> spans{};
  std::optional<EventTracing> tracing{};
};
// A sentence about an invocation that went wrong, as the text log has it. Logs API only.
struct Fault {
  std::string sentence{};
};
struct ExtensionReported {
  std::string name{};
  std::string state{};                // "Ready", "Registered", "LaunchError" …
  std::vector<std::string> events{};  // "INVOKE", "SHUTDOWN"
  std::string error_type{};           // not sent when empty
};
ExtensionReported reported_extension(const runtime_api::ExtensionStatus& extension);

// platform.telemetrySubscription or platform.logsSubscription, as the API is.
struct Subscribed {
  runtime_api::TelemetryApi api = runtime_api::TelemetryApi::telemetry;
  std::string name{};
  runtime_api::EventCategories categories{};
};
struct LogsDropped {
  std::string reason{};
  std::uint64_t dropped_records = 0;
  std::uint64_t dropped_bytes = 0;
};
struct RestoreStart {
  InstanceFacts instance{};
};
struct RestoreRuntimeDone {
  EventOutcome outcome{};
  std::optional<EventTracing> tracing{};
};
struct RestoreReported {
  EventOutcome outcome{};
  Nanoseconds duration{};
  std::optional<EventTracing> tracing{};
};
// A line of a function or an extension, without its newline.
struct PrintedLine {
  runtime_api::EventCategory writer = runtime_api::EventCategory::function;
  std::string line{};
  LogFormat format = LogFormat::text;
};

using TelemetryRecord = std::variant<InitStart,
                                     InitRuntimeDone,
                                     InitReported,
                                     InvocationStart,
                                     RuntimeDone,
                                     InvocationReported,
                                     Fault,
                                     ExtensionReported,
                                     Subscribed,
                                     LogsDropped,
                                     RestoreStart,
                                     RestoreRuntimeDone,
                                     RestoreReported,
                                     PrintedLine>;

struct TelemetryEvent {
  std::chrono::system_clock::time_point time{};
  TelemetryRecord record;
};
using SharedEvent = std::shared_ptr<const TelemetryEvent>;

runtime_api::EventCategory category_of(const TelemetryRecord& record);

// {"time":…,"type":…,"record":…} without a newline, once for each event that a subscriber of this
// schema gets for it: none, one, or two. The Logs API has no events of Init, of runtimeDone only
// with 2021-03-18, and platform.end and platform.fault for itself. A line of a JSON log is an
// object with 2022-12-13 and a string before.
std::vector<std::string> json_texts(const TelemetryEvent& event,
                                    runtime_api::TelemetrySchema schema);

// How many texts that will be; cheap.
std::size_t count_json_texts(const TelemetryRecord& record, runtime_api::TelemetrySchema schema);

// The same as a platform line of a log in the JSON format, newline included; empty where the event
// is none for the log, or its level is below `formatting`'s.
std::string json_log_line(const TelemetryEvent& event, const LogFormatting& formatting);

}  // namespace emulator::environment
