// The level of each platform event in a log of the JSON format.
//
// Pure; any thread. Source: developer guide, "System log level event mapping".
#pragma once

#include "emulator/environment/telemetry_event.h"

#include <variant>

namespace emulator::environment {

namespace system_log_level {

constexpr LogLevel unless_success(const EventOutcome& outcome, LogLevel success) {
  return outcome.status == EventStatus::success ? success : LogLevel::warn;
}

// Only a runtime of AWS's has a version; what starts with one is worth telling.
inline LogLevel of_start(const InstanceFacts& instance) {
  return instance.runtime_version.empty() ? LogLevel::debug : LogLevel::info;
}

struct Table {
  LogLevel operator()(const InitStart& event) const { return of_start(event.instance); }
  LogLevel operator()(const RestoreStart& event) const { return of_start(event.instance); }
  LogLevel operator()(const InitRuntimeDone& event) const {
    return unless_success(event.outcome, LogLevel::debug);
  }
  LogLevel operator()(const RestoreRuntimeDone& event) const {
    return unless_success(event.outcome, LogLevel::debug);
  }
  LogLevel operator()(const RuntimeDone& event) const {
    return unless_success(event.outcome, LogLevel::debug);
  }
  LogLevel operator()(const InitReported& event) const {
    return unless_success(event.outcome,
                          event.type == InitType::on_demand ? LogLevel::debug : LogLevel::info);
  }
  LogLevel operator()(const RestoreReported& event) const {
    return unless_success(event.outcome, LogLevel::info);
  }
  LogLevel operator()(const InvocationReported& event) const {
    return event.report.error_type.empty() ? LogLevel::info : LogLevel::warn;
  }
  LogLevel operator()(const ExtensionState& event) const {
    return event.error_type.empty() ? LogLevel::info : LogLevel::warn;
  }
  LogLevel operator()(const LogsDropped&) const { return LogLevel::warn; }
  LogLevel operator()(const Fault&) const { return LogLevel::warn; }
  LogLevel operator()(const InvocationStart&) const { return LogLevel::info; }
  LogLevel operator()(const Subscribed&) const { return LogLevel::info; }
  // No platform event; whoever printed it has its own levels.
  LogLevel operator()(const PrintedLine&) const { return LogLevel::info; }
};

}  // namespace system_log_level

inline LogLevel level_of(const TelemetryRecord& record) {
  return std::visit(system_log_level::Table{}, record);
}

}  // namespace emulator::environment
