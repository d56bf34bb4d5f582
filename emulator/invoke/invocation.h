// What goes into an invocation and what comes out of it. Every way into Hearth (the Invoke API,
// the RIE front door, the command line, event sources) makes an InvocationRequest and reads an
// InvocationResult.
//
// Values only; any thread.
#pragma once

#include "emulator/environment/concurrency.h"
#include "emulator/environment/invocation_report.h"
#include "emulator/environment/outcome.h"
#include "runtime_api/response_stream.h"

#include <tl/expected.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::invoke {

// How often each function was invoked by the chain of invocations that this one comes out of: by
// name, without this one. Empty for an invocation that no other one caused.
using Lineage = std::map<std::string, int>;

using ReleaseAt = environment::ReleaseAt;

struct InvocationRequest {
  std::string function_name;  // the bare name, parsed out of any ARN
  // As the caller gave it; absent means $LATEST, or $LATEST.PUBLISHED where there is one.
  std::optional<std::string> qualifier;
  std::string request_id;                       // UUID; the caller of the invoker makes it
  std::string payload;                          // bytes of the event, never re-serialised
  std::optional<std::string> client_context;    // JSON text, base64 already removed
  std::optional<std::string> cognito_identity;  // JSON text
  std::optional<std::string> trace_id;          // X-Amzn-Trace-Id as received
  std::optional<std::string> tenant_id;
  ReleaseAt release_at = ReleaseAt::response;
  environment::InvocationKind kind = environment::InvocationKind::request_response;
  int attempt = 1;
  Lineage lineage{};
  // Where a response that the function streams goes while it arrives. Nothing: it is collected, and
  // bounded, like any other. Shared, because the runtime may write beyond the invocation's end.
  std::shared_ptr<runtime_api::ResponseStream> stream{};
  // Told which version runs, if one does, before it may answer; on the invoking thread.
  std::function<void(std::string_view version)> version_chosen{};
};

struct InvocationResult {
  environment::Outcome outcome;
  std::string executed_version = "$LATEST";
  // Both only with ReleaseAt::report: the last 4 KB of the invocation's log, and what it cost.
  std::string log_tail;
  std::optional<environment::InvocationReport> report{};
  // X-Amzn-Trace-Id as the function was told it; empty: it was told none.
  std::string trace_header{};
};

// An invocation that was not run.
struct Refusal {
  enum class Kind {
    function_not_found,
    qualifier_not_found,
    concurrency_exceeded,  // a limit of concurrency or of the rate of requests; or of this host
    not_runnable,          // this host has not what the version needs
    shutting_down,
    not_kept,            // of an event: what must outlive the process could not be written
    tenant_missing,      // the version isolates tenants, and none was named
    tenant_unexpected,   // one was named, and the version does not isolate them
    snapshot_not_ready,  // the version's first snapshot is being made
    snapshot_failed,     // and could not be made
    not_invocable,       // on Managed Instances: not published, or deactivated
  };
  Kind kind;
  std::string message;  // a sentence that says what to do
  // Of concurrency_exceeded: which limit, unless it is the host's; and when to come again, where
  // that is known.
  std::optional<environment::ThrottleReason> reason{};
  std::chrono::milliseconds retry_after{};
};

// The one door: runs the invocation on the calling thread and blocks until it may be released.
using Invoke = std::function<tl::expected<InvocationResult, Refusal>(InvocationRequest)>;

// Whether an invocation could run: answers a DryRun and precedes the acceptance of an Event. Only
// what names function, qualifier and tenant is looked at.
using Resolve = std::function<tl::expected<void, Refusal>(const InvocationRequest&)>;

// Accepts an event for one asynchronous run and returns at once: with the X-Amzn-Trace-Id that all
// its attempts continue; empty where there is none.
using InvokeAsync = std::function<tl::expected<std::string, Refusal>(InvocationRequest)>;

}  // namespace emulator::invoke
