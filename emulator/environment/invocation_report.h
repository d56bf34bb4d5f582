// What one invocation did and cost, and the lines that tell it.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/environment/outcome.h"
#include "runtime_api/extension_hub.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::environment {

// Whose lines and answers are imitated: the hosted service's, or the emulator's that AWS publishes.
enum class Profile : std::uint8_t { aws, rie };

using Nanoseconds = std::chrono::nanoseconds;

// What a report names: all that is billed and measured, or the duration alone, as on Managed
// Instances, where instances are billed. Source: the published emulator's mode for these.
enum class Metering : std::uint8_t { full, duration };

struct InvocationReport {
  std::string request_id;
  std::string function_name;
  std::string version;
  std::chrono::system_clock::time_point started;
  Nanoseconds duration{};
  std::optional<Nanoseconds> init_duration;  // only where the invocation was a cold start
  std::int64_t memory_size_mb = 0;
  std::int64_t max_memory_used_mb = 0;
  // How long the CPU quota kept its processes waiting; nothing where that is not known.
  std::optional<Nanoseconds> throttled_cpu;
  std::uint64_t produced_bytes = 0;  // of the response
  std::string error_type;            // empty for a success; "Sandbox.Timedout" for a timeout
  InvocationKind kind = InvocationKind::request_response;
  int attempt = 1;
  std::string tenant_id{};  // empty: none was named
  TraceContext trace{};
  Metering metering = Metering::full;
  // From its start until the answer was there; nothing where there was none, or where the runtime
  // asked for the next invocation in the same moment.
  std::optional<Nanoseconds> answered_after{};

  bool timed_out() const { return error_type == "Sandbox.Timedout"; }
};

// Init included, rounded up to 1 ms. Source: "AWS Lambda standardizes billing for INIT phase",
// in force since 2025-08-01. The RIE profile leaves init out.
std::int64_t billed_duration_ms(const InvocationReport& report, Profile profile);

// "START RequestId: … Version: …\n"
std::string start_line(std::string_view request_id, std::string_view version);

// The END and REPORT lines, and behind them that of the trace where it is sampled.
std::string end_lines(const InvocationReport& report, Profile profile);

// How an init ended that has to be told: only failures are.
struct InitReport {
  Nanoseconds duration{};
  FailurePhase phase = FailurePhase::init;
  std::string error_type;  // "Sandbox.Timedout" for a timeout
};

// "INIT_REPORT Init Duration: …\tPhase: …\tStatus: …\n"
std::string init_report_line(const InitReport& report);

// "EXTENSION\tName: …\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n", of one extension when Init has
// ended. Source: logs that AWS shows in its articles on extensions.
std::string extension_line(const runtime_api::ExtensionStatus& extension);

// What the platform itself logs about an outcome, before END: the sentence of a timeout or of a
// runtime that exited. Empty for all others.
std::string outcome_lines(const Outcome& outcome,
                          std::string_view request_id,
                          std::chrono::system_clock::time_point now);

}  // namespace emulator::environment
