// Who may run how often: the account's concurrency, what functions have reserved or provisioned of
// it, how fast they scale, and how many requests a second they are allowed. Only counts; the pool
// has the environments.
//
// An account has so many units of concurrency. A function's reservation takes units out of it,
// whether used or not, and is that function's ceiling. Provisioned environments take theirs out of
// their function's reservation, or out of the account where it has none, whether used or not. The
// rest, the unreserved pool, is shared by all functions without a reservation.
// Source: developer guide, "Understanding Lambda function scaling" and "Lambda scaling behavior".
#pragma once

#include "emulator/environment/outcome.h"
#include "emulator/environment/token_bucket.h"
#include "emulator/time/clock.h"

#include <tl/expected.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace emulator::environment {

struct ConcurrencyLimits {
  // Units of concurrency, over all functions. Source: Lambda quotas, the account's default.
  std::size_t account = 1000;

  // A function may start that many new environments per window, refilled continuously. Source:
  // Lambda quotas, "function scaling".
  std::size_t scaling_burst = 1000;
  std::chrono::milliseconds scaling_window{10'000};

  // Synchronous requests a second, for each unit of concurrency; 0: as many as come. Source:
  // Lambda quotas, "invocation requests".
  std::size_t requests_per_unit = 10;
};

// Named after the service's reasons, which the control plane spells.
enum class ThrottleReason : std::uint8_t {
  account_exceeded,   // ConcurrentInvocationLimitExceeded
  reserved_exceeded,  // ReservedFunctionConcurrentInvocationLimitExceeded
  function_rate,      // FunctionInvocationRateLimitExceeded
  reserved_rate,      // ReservedFunctionInvocationRateLimitExceeded
  no_idle_poll,       // Managed Instances: every environment serves as many as it may
  duplicate_id,       // the same: an invocation of that id is under way there
  shutting_down,      // the same: the environment ends
};

// An invocation that may not run now.
struct Throttled {
  ThrottleReason reason = ThrottleReason::account_exceeded;
  // When a rate would let it in, rounded up; 0 where that depends on what else runs.
  std::chrono::milliseconds retry_after{};
};

// What runs, for those who show it. A running invocation counts until its environment may serve
// again.
struct ConcurrencyUse {
  std::size_t in_flight = 0;             // all functions, provisioned environments included
  std::size_t unreserved_in_flight = 0;  // on demand, of functions without a reservation
  std::size_t unreserved_limit = 0;      // what these may use at the most
};

// Its owner's lock; costs no more than a look-up in a hash table and, where a rate applies, a look
// at the clock.
//
// Limits may be lowered below what runs. Nothing is ended then: nobody is admitted until it fits.
class Concurrency {
 public:
  // Whether the invocation finds an environment that idles, or needs one to be made.
  enum class Start : std::uint8_t { reuse, make };

  // `clock` must outlive it.
  Concurrency(const ConcurrencyLimits& limits, const time::Clock& clock);

  // The function's ceiling and share; 0 stops it, nothing gives it back to the unreserved pool.
  void set_reserved(const std::string& function, std::optional<std::size_t> units);

  // How many units all provisioned environments of the function hold.
  void set_provisioned(const std::string& function, std::size_t units);

  // Counts one more on-demand invocation; exactly one release() must follow. Concurrency is asked
  // before rates, and nothing is spent by who is refused. A function that makes environments
  // faster than it may scale is refused as if concurrency were used up: our choice, because the
  // service does not document the reason.
  tl::expected<void, Throttled> admit(const std::string& function,
                                      InvocationKind kind,
                                      Start start);
  void release(const std::string& function);

  // The same for an invocation that a provisioned environment is ready for; `requests` belongs to
  // the version, and `units` is how many of its environments were asked for. Its share is set aside
  // already, so only the rate can refuse it, and an account that runs more than its limits were
  // lowered to. Source of the rate: Lambda quotas, "invocation requests per function version or
  // alias".
  tl::expected<void, Throttled> admit_provisioned(const std::string& function,
                                                  InvocationKind kind,
                                                  TokenBucket& requests,
                                                  std::size_t units);
  void release_provisioned(const std::string& function);

  ConcurrencyUse use() const;
  // On demand and provisioned.
  std::size_t in_flight(const std::string& function) const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Function {
    std::optional<std::size_t> reserved;
    std::size_t provisioned = 0;
    std::size_t on_demand_in_flight = 0;
    std::size_t provisioned_in_flight = 0;
    TokenBucket requests;  // only with a reservation
    TokenBucket scaling;

    std::size_t in_flight() const { return on_demand_in_flight + provisioned_in_flight; }
    // What nobody else may use.
    std::size_t set_aside() const { return std::max(reserved.value_or(0), provisioned); }
  };

  Function& of(const std::string& function);
  void forget_those_at_rest();
  std::size_t unreserved_limit() const;
  std::optional<ThrottleReason> refusal(const Function& function) const;
  TokenRate request_rate(std::size_t units) const;
  TokenRate scaling_rate() const;

  const ConcurrencyLimits limits_;
  const time::Clock& clock_;
  std::unordered_map<std::string, Function> functions_;
  std::size_t forget_at_;      // how many functions make it worth looking for some at rest
  std::size_t set_aside_ = 0;  // reservations, and provisioned units of functions without one
  std::size_t in_flight_ = 0;
  std::size_t unreserved_in_flight_ = 0;
  TokenBucket unreserved_requests_;
};

}  // namespace emulator::environment
