#include "emulator/environment/concurrency.h"

#include <iterator>

namespace emulator::environment {
namespace {

// Functions that come and go leave their counts behind until there are so many. Our choice.
constexpr std::size_t kForgetAt = 1'024;

std::size_t rest(std::size_t whole, std::size_t taken) { return whole > taken ? whole - taken : 0; }

Throttled throttled(ThrottleReason reason, std::optional<std::chrono::nanoseconds> wait) {
  return {reason,
          std::chrono::ceil<std::chrono::milliseconds>(wait.value_or(std::chrono::nanoseconds{0}))};
}

bool is_nothing(const std::optional<std::chrono::nanoseconds>& wait) {
  return wait == std::chrono::nanoseconds{0};
}

}  // namespace

Concurrency::Concurrency(const ConcurrencyLimits& limits, const time::Clock& clock)
    : limits_(limits), clock_(clock), forget_at_(kForgetAt) {}

void Concurrency::set_reserved(const std::string& function, std::optional<std::size_t> units) {
  auto& counts = of(function);
  set_aside_ -= counts.set_aside();
  if (!counts.reserved) unreserved_in_flight_ -= counts.on_demand_in_flight;
  counts.reserved = units;
  if (!counts.reserved) unreserved_in_flight_ += counts.on_demand_in_flight;
  set_aside_ += counts.set_aside();
}

void Concurrency::set_provisioned(const std::string& function, std::size_t units) {
  auto& counts = of(function);
  set_aside_ -= counts.set_aside();
  counts.provisioned = units;
  set_aside_ += counts.set_aside();
}

tl::expected<void, Throttled> Concurrency::admit(const std::string& function,
                                                 InvocationKind kind,
                                                 Start start) {
  auto& counts = of(function);
  if (const auto reason = refusal(counts)) return tl::unexpected(throttled(*reason, {}));

  const bool has_rate = kind == InvocationKind::request_response && limits_.requests_per_unit > 0;
  const auto now = has_rate || start == Start::make ? clock_.monotonic_now() : TimePoint{};
  auto& requests = counts.reserved ? counts.requests : unreserved_requests_;
  const auto rate = request_rate(counts.reserved ? *counts.reserved : unreserved_limit());
  if (const auto wait = requests.wait(now, rate); has_rate && !is_nothing(wait)) {
    return tl::unexpected(throttled(
        counts.reserved ? ThrottleReason::reserved_rate : ThrottleReason::function_rate, wait));
  }
  if (start == Start::make) {
    if (const auto wait = counts.scaling.wait(now, scaling_rate()); !is_nothing(wait)) {
      return tl::unexpected(throttled(
          counts.reserved ? ThrottleReason::reserved_exceeded : ThrottleReason::account_exceeded,
          wait));
    }
    counts.scaling.take(now, scaling_rate());
  }
  if (has_rate) requests.take(now, rate);
  ++counts.on_demand_in_flight;
  ++in_flight_;
  if (!counts.reserved) ++unreserved_in_flight_;
  return {};
}

void Concurrency::release(const std::string& function) {
  auto& counts = of(function);
  --counts.on_demand_in_flight;
  --in_flight_;
  if (!counts.reserved) --unreserved_in_flight_;
}

tl::expected<void, Throttled> Concurrency::admit_provisioned(const std::string& function,
                                                             InvocationKind kind,
                                                             TokenBucket& requests,
                                                             std::size_t units) {
  auto& counts = of(function);
  if (counts.reserved && counts.in_flight() >= *counts.reserved) {
    return tl::unexpected(throttled(ThrottleReason::reserved_exceeded, {}));
  }
  if (in_flight_ >= limits_.account) {
    return tl::unexpected(throttled(ThrottleReason::account_exceeded, {}));
  }
  if (kind == InvocationKind::request_response && limits_.requests_per_unit > 0) {
    const auto now = clock_.monotonic_now();
    if (const auto wait = requests.wait(now, request_rate(units)); !is_nothing(wait)) {
      return tl::unexpected(throttled(ThrottleReason::function_rate, wait));
    }
    requests.take(now, request_rate(units));
  }
  ++counts.provisioned_in_flight;
  ++in_flight_;
  return {};
}

void Concurrency::release_provisioned(const std::string& function) {
  --of(function).provisioned_in_flight;
  --in_flight_;
}

// Why there is no room for one more on-demand invocation.
std::optional<ThrottleReason> Concurrency::refusal(const Function& function) const {
  if (function.reserved) {
    const auto on_demand = rest(*function.reserved, function.provisioned);
    if (function.on_demand_in_flight >= on_demand || function.in_flight() >= *function.reserved) {
      return ThrottleReason::reserved_exceeded;
    }
  } else if (unreserved_in_flight_ >= unreserved_limit()) {
    return ThrottleReason::account_exceeded;
  }
  // Only where limits were lowered below what runs.
  if (in_flight_ >= limits_.account) return ThrottleReason::account_exceeded;
  return std::nullopt;
}

ConcurrencyUse Concurrency::use() const {
  return {.in_flight = in_flight_,
          .unreserved_in_flight = unreserved_in_flight_,
          .unreserved_limit = unreserved_limit()};
}

std::size_t Concurrency::in_flight(const std::string& function) const {
  const auto found = functions_.find(function);
  return found == functions_.end() ? 0 : found->second.in_flight();
}

Concurrency::Function& Concurrency::of(const std::string& function) {
  if (const auto found = functions_.find(function); found != functions_.end()) {
    return found->second;
  }
  if (functions_.size() >= forget_at_) forget_those_at_rest();
  return functions_[function];
}

void Concurrency::forget_those_at_rest() {
  const auto now = clock_.monotonic_now();
  for (auto at = functions_.begin(); at != functions_.end();) {
    const auto& counts = at->second;
    const bool at_rest = counts.in_flight() == 0 && !counts.reserved && counts.provisioned == 0 &&
                         counts.scaling.full(now);
    at = at_rest ? functions_.erase(at) : std::next(at);
  }
  forget_at_ = std::max(kForgetAt, functions_.size() * 2);
}

std::size_t Concurrency::unreserved_limit() const { return rest(limits_.account, set_aside_); }

TokenRate Concurrency::request_rate(std::size_t units) const {
  return {.capacity = units * limits_.requests_per_unit, .refill = std::chrono::seconds{1}};
}

TokenRate Concurrency::scaling_rate() const {
  return {.capacity = limits_.scaling_burst, .refill = limits_.scaling_window};
}

}  // namespace emulator::environment
