#include "emulator/invoke/retry_schedule.h"

#include <catch2/catch_test_macros.hpp>

#include <vector>

using namespace emulator::invoke;
using std::chrono::seconds;

namespace {

const Terms kDefaults{.function_arn = "arn"};

Decision after_failures(const Terms& terms, int attempts, seconds age) {
  return after_attempt(terms, {.attempts = attempts, .age = age}, AttemptResult::failed);
}

}  // namespace

TEST_CASE("a failed event is run again after one minute and after two, then given up", "[events]") {
  CHECK(after_failures(kDefaults, 1, seconds(3)) ==
        Decision(WaitFor{seconds(60), WaitReason::retry}));
  CHECK(after_failures(kDefaults, 2, seconds(70)) ==
        Decision(WaitFor{seconds(120), WaitReason::retry}));
  CHECK(after_failures(kDefaults, 3, seconds(200)) ==
        Decision(EndWith{Condition::retries_exhausted}));
}

TEST_CASE("the number of retries is what the function's terms say", "[events]") {
  auto terms = kDefaults;
  terms.maximum_retries = 0;
  CHECK(after_failures(terms, 1, {}) == Decision(EndWith{Condition::retries_exhausted}));
  terms.maximum_retries = 1;
  CHECK(after_failures(terms, 1, {}) == Decision(WaitFor{seconds(60), WaitReason::retry}));
  CHECK(after_failures(terms, 2, {}) == Decision(EndWith{Condition::retries_exhausted}));
}

TEST_CASE("an event whose next attempt would begin beyond its age is given up at once",
          "[events]") {
  auto terms = kDefaults;
  terms.maximum_age = kShortestMaximumAge;
  CHECK(after_failures(terms, 1, {}) == Decision(WaitFor{seconds(60), WaitReason::retry}));
  CHECK(after_failures(terms, 1, seconds(1)) == Decision(EndWith{Condition::event_age_exceeded}));
  // Out of retries comes first.
  CHECK(after_failures(terms, 3, seconds(1)) == Decision(EndWith{Condition::retries_exhausted}));
}

TEST_CASE("what is throttled waits from a second up to five minutes, and is no retry", "[events]") {
  std::vector<seconds::rep> delays;
  for (int refusals = 1; refusals <= 11; ++refusals) {
    const auto decision = after_attempt(
        kDefaults, {.attempts = 1, .refusals_in_a_row = refusals}, AttemptResult::throttled);
    REQUIRE(std::holds_alternative<WaitFor>(decision));
    CHECK(std::get<WaitFor>(decision).reason == WaitReason::throttle);
    delays.push_back(std::get<WaitFor>(decision).delay.count());
  }
  CHECK(delays == std::vector<seconds::rep>{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300});
}

TEST_CASE("what fails by the service's fault backs off as what is throttled does", "[events]") {
  const Standing standing{.refusals_in_a_row = 3, .age = seconds(21'590)};
  CHECK(after_attempt(kDefaults, standing, AttemptResult::service_error) ==
        Decision(WaitFor{seconds(4), WaitReason::service_error}));
  const Standing old{.refusals_in_a_row = 5, .age = seconds(21'590)};
  CHECK(after_attempt(kDefaults, old, AttemptResult::service_error) ==
        Decision(EndWith{Condition::event_age_exceeded}));
}

TEST_CASE("an event of a function without concurrency ends without an attempt", "[events]") {
  auto terms = kDefaults;
  terms.reserved_concurrency = ReservedConcurrency::zero;
  CHECK(before_attempt(terms, {}) == Decision(EndWith{Condition::zero_reserved_concurrency}));
  CHECK(after_attempt(terms, {.refusals_in_a_row = 1}, AttemptResult::throttled) ==
        Decision(EndWith{Condition::zero_reserved_concurrency}));
}

TEST_CASE("the sixteenth invocation of a chain runs and the next is stopped, unless allowed",
          "[events]") {
  auto terms = kDefaults;
  CHECK(before_attempt(terms, {.in_chain = kMostInChain - 1}) == Decision(RunNow{}));
  CHECK(before_attempt(terms, {.in_chain = kMostInChain}) ==
        Decision(EndWith{Condition::recursive_invocation}));
  terms.recursive_loop = RecursiveLoop::allow;
  CHECK(before_attempt(terms, {.in_chain = 1000}) == Decision(RunNow{}));
}

TEST_CASE("terms that became stricter while an event waited hold for it", "[events]") {
  auto terms = kDefaults;
  CHECK(before_attempt(terms, {.attempts = 2, .age = seconds(200)}) == Decision(RunNow{}));
  terms.maximum_retries = 1;
  CHECK(before_attempt(terms, {.attempts = 2}) == Decision(EndWith{Condition::retries_exhausted}));
  terms.maximum_age = kShortestMaximumAge;
  CHECK(before_attempt(terms, {.attempts = 1, .age = seconds(61)}) ==
        Decision(EndWith{Condition::event_age_exceeded}));
}

TEST_CASE("success ends an event, and so does a function that is gone", "[events]") {
  CHECK(after_attempt(kDefaults, {.attempts = 3}, AttemptResult::succeeded) ==
        Decision(EndWith{Condition::success}));
  CHECK(after_attempt(kDefaults, {}, AttemptResult::function_gone) ==
        Decision(EndWith{Condition::function_not_found}));
}
