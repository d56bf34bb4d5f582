// When an event is run again, and when it is given up: the rules of asynchronous invocation, as
// functions of what holds for the function and of how far the event has come.
//
// Pure; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace emulator::invoke {

// Source: service model, PutFunctionEventInvokeConfig; developer guide for what holds where nothing
// is configured.
inline constexpr int kMostRetries = 2;
inline constexpr int kDefaultRetries = 2;
inline constexpr std::chrono::seconds kShortestMaximumAge{60};
inline constexpr std::chrono::seconds kDefaultMaximumAge{21'600};  // the longest one, too

// Source: developer guide: one minute before the second attempt, two before the third.
inline constexpr std::chrono::seconds kFirstRetryDelay{60};
inline constexpr std::chrono::seconds kSecondRetryDelay{120};

// Of what is refused, or fails without the function's doing. Source: developer guide: from one
// second to five minutes, growing exponentially. That it doubles, and has no jitter, is our choice:
// a test is repeatable.
inline constexpr std::chrono::seconds kFirstBackOff{1};
inline constexpr std::chrono::seconds kLongestBackOff{300};

// Invocations of one function in one chain before the next one is stopped. Source: developer guide,
// recursive loop detection ("approximately 16").
inline constexpr int kMostInChain = 16;

enum class ReservedConcurrency { none_or_some, zero };

// Source: service model, RecursiveLoop.
enum class RecursiveLoop { terminate, allow };

// What holds for the events of a function and qualifier, at the moment it is asked for.
struct Terms {
  std::string function_arn;  // without a qualifier
  int maximum_retries = kDefaultRetries;
  std::chrono::seconds maximum_age = kDefaultMaximumAge;
  std::string on_success{};   // a destination's ARN; empty: none
  std::string on_failure{};   // the same
  std::string dead_letter{};  // the same
  ReservedConcurrency reserved_concurrency = ReservedConcurrency::none_or_some;
  RecursiveLoop recursive_loop = RecursiveLoop::terminate;
};

// How an event ended.
enum class Condition {
  success,
  retries_exhausted,
  event_age_exceeded,
  zero_reserved_concurrency,
  recursive_invocation,  // stopped as part of a loop
  function_not_found,    // the function, version or alias is gone
};

// "Success", "RetriesExhausted", "EventAgeExceeded" and "ZeroReservedConcurrency" as recorded from
// the service; "RecursiveInvocation" and "FunctionNotFound" are ours.
std::string_view condition_name(Condition condition);

// What one attempt came to.
enum class AttemptResult {
  succeeded,
  failed,         // by the function: its error, its timeout, its exit …
  throttled,      // not begun: no concurrency was left
  service_error,  // not begun, by our fault
  function_gone,  // not begun: there is no such function, version or alias
};

// How far an event has come.
struct Standing {
  int attempts = 0;           // those that were begun and ended
  int refusals_in_a_row = 0;  // since the last of them
  int in_chain = 0;           // invocations of this function in the chain before this event
  std::chrono::nanoseconds age{};
};

enum class WaitReason { retry, throttle, service_error };
std::string_view wait_reason_name(WaitReason reason);  // "retry" …

struct RunNow {
  bool operator==(const RunNow&) const = default;
};
struct WaitFor {
  std::chrono::seconds delay{};
  WaitReason reason = WaitReason::retry;
  bool operator==(const WaitFor&) const = default;
};
struct EndWith {
  Condition condition = Condition::success;
  bool operator==(const EndWith&) const = default;
};
using Decision = std::variant<RunNow, WaitFor, EndWith>;

// Of an event whose time has come: RunNow or EndWith.
Decision before_attempt(const Terms& terms, const Standing& standing);

// Of an event whose attempt came to `result`, which `standing` counts already: WaitFor or EndWith.
// An event whose next attempt would begin beyond the maximum age is given up at once. Source:
// recorded from the service.
Decision after_attempt(const Terms& terms, const Standing& standing, AttemptResult result);

}  // namespace emulator::invoke
