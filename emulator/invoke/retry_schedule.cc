#include "emulator/invoke/retry_schedule.h"

#include <algorithm>

namespace emulator::invoke {
namespace {

bool begins_in_time(const Terms& terms, const Standing& standing, std::chrono::nanoseconds delay) {
  return standing.age + delay <= terms.maximum_age;
}

std::chrono::seconds back_off(int refusals_in_a_row) {
  auto delay = kFirstBackOff;
  for (int i = 1; i < refusals_in_a_row && delay < kLongestBackOff; ++i) delay *= 2;
  return std::min(delay, kLongestBackOff);
}

Decision retry(const Terms& terms, const Standing& standing) {
  if (standing.attempts > std::clamp(terms.maximum_retries, 0, kMostRetries)) {
    return EndWith{Condition::retries_exhausted};
  }
  const auto delay = standing.attempts <= 1 ? kFirstRetryDelay : kSecondRetryDelay;
  if (!begins_in_time(terms, standing, delay)) return EndWith{Condition::event_age_exceeded};
  return WaitFor{delay, WaitReason::retry};
}

Decision try_later(const Terms& terms, const Standing& standing, WaitReason reason) {
  const auto delay = back_off(standing.refusals_in_a_row);
  if (!begins_in_time(terms, standing, delay)) return EndWith{Condition::event_age_exceeded};
  return WaitFor{delay, reason};
}

}  // namespace

std::string_view condition_name(Condition condition) {
  switch (condition) {
    case Condition::success:
      return "Success";
    case Condition::retries_exhausted:
      return "RetriesExhausted";
    case Condition::event_age_exceeded:
      return "EventAgeExceeded";
    case Condition::zero_reserved_concurrency:
      return "ZeroReservedConcurrency";
    case Condition::recursive_invocation:
      return "RecursiveInvocation";
    case Condition::function_not_found:
      return "FunctionNotFound";
  }
  return {};
}

std::string_view wait_reason_name(WaitReason reason) {
  switch (reason) {
    case WaitReason::retry:
      return "retry";
    case WaitReason::throttle:
      return "throttle";
    case WaitReason::service_error:
      return "service error";
  }
  return {};
}

Decision before_attempt(const Terms& terms, const Standing& standing) {
  if (terms.reserved_concurrency == ReservedConcurrency::zero) {
    return EndWith{Condition::zero_reserved_concurrency};
  }
  if (terms.recursive_loop == RecursiveLoop::terminate && standing.in_chain >= kMostInChain) {
    return EndWith{Condition::recursive_invocation};
  }
  // The terms may have become stricter while the event waited.
  if (standing.attempts > std::clamp(terms.maximum_retries, 0, kMostRetries)) {
    return EndWith{Condition::retries_exhausted};
  }
  if (!begins_in_time(terms, standing, {})) return EndWith{Condition::event_age_exceeded};
  return RunNow{};
}

Decision after_attempt(const Terms& terms, const Standing& standing, AttemptResult result) {
  switch (result) {
    case AttemptResult::succeeded:
      return EndWith{Condition::success};
    case AttemptResult::failed:
      return retry(terms, standing);
    case AttemptResult::throttled:
      if (terms.reserved_concurrency == ReservedConcurrency::zero) {
        return EndWith{Condition::zero_reserved_concurrency};
      }
      return try_later(terms, standing, WaitReason::throttle);
    case AttemptResult::service_error:
      return try_later(terms, standing, WaitReason::service_error);
    case AttemptResult::function_gone:
      break;
  }
  return EndWith{Condition::function_not_found};
}

}  // namespace emulator::invoke
