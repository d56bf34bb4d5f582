// What one invocation did and cost, and the lines that tell it.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/environment/outcome.h"
#include "runtime_api/error_cause.h"
#include "runtime_api/extension_hub.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  // Only where the environment was restored from a snapshot for the invocation: all of it, and
  // without what it took until the runtime went on.
  std::optional<Nanoseconds> restore_duration{};
  std::optional<Nanoseconds> billed_restore_duration{};
  std::int64_t memory_size_mb = 0;
  std::int64_t max_memory_used_mb = 0;
  // How long the CPU quota kept its processes waiting; nothing where that is not known.
  std::optional<Nanoseconds> throttled_cpu;
  std::uint64_t produced_bytes = 0;  // of the response
  std::string error_type;            // empty for a success; "Sandbox.Timedout" for a timeout
  std::vector<runtime_api::CausingException> exceptions{};  // that led to an error, if it told them
  InvocationKind kind = InvocationKind::request_response;
  int attempt = 1;
  std::string tenant_id{};  // empty: none was named
  TraceContext trace{};
  Metering metering = Metering::full;
  // From its start until the answer was there; nothing where there was none, or where the runtime
  // asked for the next invocation in the same moment.
  std::optional<Nanoseconds> answered_after{};

  // Whether an environment was initialised or restored for it.
  bool cold() const { return init_duration || restore_duration; }
  bool timed_out() const { return error_type == "Sandbox.Timedout"; }
};

// Init or the billed part of a restore included, rounded up to 1 ms. Source: "AWS Lambda
// standardizes billing for INIT phase", in force since 2025-08-01; a REPORT line of a restore in
// the documentation of AWS's SAM examples. The RIE profile leaves both out.
std::int64_t billed_duration_ms(const InvocationReport& report, Profile profile);

// "START RequestId: … Version: …\n"
std::string start_line(std::string_view request_id, std::string_view version);

// The END and REPORT lines, and behind them that of the trace where it is sampled.
std::string end_lines(const InvocationReport& report, Profile profile);

// How an init ended that has to be told: failures are, and whatever becomes of a snapshot's.
struct InitReport {
  Nanoseconds duration{};
  FailurePhase phase = FailurePhase::init;
  std::string error_type{};  // "Sandbox.Timedout" for a timeout; empty for a success
};

// "INIT_REPORT Init Duration: …\tPhase: …\tStatus: …\n", of a success the duration alone.
std::string init_report_line(const InitReport& report);

// "INIT_START Runtime Version: …\tRuntime Version ARN: …\n". Source: recorded, 2023-09.
std::string init_start_line(std::string_view runtime_version, std::string_view version_arn);

// "RESTORE_START Runtime Version: …\tRuntime Version ARN: …\n"; a runtime of the function's own has
// neither. Source: recorded for managed runtimes.
std::string restore_start_line(std::string_view runtime_version, std::string_view version_arn);

// "RESTORE_REPORT Restore Duration: …\n", of a failure with its status. Source: recorded for a
// success; developer guide, "Failures during the Restore phase".
struct RestoreReport {
  Nanoseconds duration{};
  std::string error_type{};  // "Sandbox.Timedout" for a timeout; empty for a success
};
std::string restore_report_line(const RestoreReport& report);

// "EXTENSION\tName: …\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n", of one extension when Init has
// ended. Source: logs that AWS shows in its articles on extensions.
std::string extension_line(const runtime_api::ExtensionStatus& extension);

// What the platform itself logs about an outcome, before END: the sentence of a timeout or of a
// runtime that exited. Empty for all others.
std::string outcome_lines(const Outcome& outcome,
                          std::string_view request_id,
                          std::chrono::system_clock::time_point now);

}  // namespace emulator::environment
