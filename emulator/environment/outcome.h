// How an invocation ended: a sum type, built once by the environment that served it.
//
// Values only; any thread.
#pragma once

#include "emulator/environment/trace_context.h"
#include "runtime_api/wire.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace emulator::environment {

// In which phase of the environment something happened. A re-initialisation inside an invocation
// ("suppressed init") counts as init.
enum class FailurePhase { init, invoke };

// The runtime posted a response; `body` is its bytes, untouched. Empty for a response that went
// through the invocation's stream.
struct Responded {
  std::string body;
  std::string content_type;
};

// The runtime posted to /invocation/{id}/error or, in the init phase, to /init/error; or it told of
// an error behind a response that it had begun to stream.
// `error_type` is the filtered one; `body` is the runtime's bytes, untouched.
struct FunctionError {
  std::string error_type;
  std::string body;
  FailurePhase phase = FailurePhase::invoke;
};

// The function timeout passed. The environment has been reset.
struct TimedOut {
  std::chrono::milliseconds limit{};
};

// The runtime's process ended before it answered. Exactly one of the two is set, or `exit_code` 0.
struct RuntimeExited {
  std::optional<int> exit_code;
  std::optional<int> signal;
  FailurePhase phase = FailurePhase::invoke;
};

// The processes passed the memory limit and were ended. The next invocation starts new ones.
struct OutOfMemory {
  FailurePhase phase = FailurePhase::invoke;
};

// The response was larger than allowed: a collected one than 6,291,556 bytes, a streamed one than
// 200 MB. The environment stays healthy.
struct ResponseTooLarge {
  std::uint64_t size_bytes = 0;  // as far as it was looked at
  std::uint64_t limit_bytes = runtime_api::kMaxResponseBytes;
};

// The connection that carried the response broke before its announced end.
struct ResponseTruncated {};

// No process could be started: Runtime.InvalidEntrypoint, Runtime.InvalidWorkingDir or another
// error of launching. `reason` is what the service would say; `hint` is for the developer.
struct NeverStarted {
  std::string error_type;
  std::string reason;
  std::string hint{};
};

// An extension could not be started, reported an error, or its process ended while the environment
// needed it: Extension.LaunchError, Extension.InitError, Extension.ExitError or Extension.Crash. At
// most one of `exit_code` and `signal` is set; without either, `reason` says what is known.
struct ExtensionFailed {
  std::string error_type;
  std::string name;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string reason{};
  FailurePhase phase = FailurePhase::invoke;
};

// The Restore phase of an environment with SnapStart failed, and the invocation was not run: it
// took longer than kRestoreLimit, or the runtime reported an error of its hooks or ended.
struct RestoreFailed {
  enum class Kind : std::uint8_t { timed_out, failed } kind = Kind::failed;
  std::string error_type;  // "Sandbox.Timedout", "Runtime.ExitError", or what was reported
  std::string reason;      // a sentence, or the runtime's own words
};

// When the caller is given the result. AWS answers a synchronous caller as soon as the response is
// complete, while the environment stays busy until its processes ask for the next event; a tail log
// holds the REPORT line and so must wait for it.
enum class ReleaseAt { response, report };

enum class InvocationKind { request_response, event };

// How an invocation came and what its caller waits for.
struct ServingTerms {
  ReleaseAt release_at = ReleaseAt::response;
  InvocationKind kind = InvocationKind::request_response;
  int attempt = 1;
  std::string tenant_id{};  // empty: none was named
  TraceContext trace{};
};

using Outcome = std::variant<Responded,
                             FunctionError,
                             TimedOut,
                             RuntimeExited,
                             OutOfMemory,
                             ResponseTooLarge,
                             ResponseTruncated,
                             NeverStarted,
                             ExtensionFailed,
                             RestoreFailed>;

inline bool succeeded(const Outcome& outcome) { return std::holds_alternative<Responded>(outcome); }

// The error type that REPORT, telemetry and records name: "Runtime.ExitError", "Sandbox.Timedout" …
// Empty for a success.
std::string_view error_type(const Outcome& outcome);

// "Runtime exited with error: exit status 1", "Runtime exited with error: signal: killed" or
// "Runtime exited without providing a reason". Source: responses recorded from the service, and
// the emulator that AWS publishes, which agree.
std::string describe(const RuntimeExited& exited);

// "Runtime exited with error: signal: killed". Source: recorded from the service for a runtime that
// was ended for its memory.
std::string describe(const OutOfMemory& out_of_memory);

// "exit status 1", "signal: killed", or the reason. Source: the emulator that AWS publishes.
std::string describe(const ExtensionFailed& failed);

// The same failure of processes as one of a restore.
RestoreFailed restore_failure(const Outcome& outcome);

// "Task timed out after 3.00 seconds". Source: recorded from the service, 2025-11.
std::string describe(const TimedOut& timed_out);

}  // namespace emulator::environment
