// So many per time, refilled continuously: the shape that the service's rates have.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace emulator::environment {

// How many tokens there are when nobody has taken one, and the time in which that many come back.
struct TokenRate {
  std::size_t capacity = 0;  // 0: never any
  std::chrono::nanoseconds refill{};
};

// Remembers one moment, when it will be full again, and so counts in whole nanoseconds: a caller
// that waits as long as it was told is let in. The rate is named with each call, because it follows
// limits that change; what was taken then stays taken, in proportion.
//
// Its owner's lock. Copies like a value.
class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // How long until a token can be taken; nothing: never, while the rate is this.
  std::optional<std::chrono::nanoseconds> wait(TimePoint now, TokenRate rate) const {
    if (rate.capacity == 0) return std::nullopt;
    const auto after = spent(now) + cost(rate);
    return std::max(after - std::max(rate.refill, cost(rate)), std::chrono::nanoseconds{0});
  }

  // Takes one. Only when there is nothing to wait for.
  void take(TimePoint now, TokenRate rate) { full_at_ = std::max(full_at_, now) + cost(rate); }

  bool full(TimePoint now) const { return full_at_ <= now; }

 private:
  // At least something, so that no capacity makes tokens free.
  static std::chrono::nanoseconds cost(TokenRate rate) {
    const auto share =
        rate.refill.count() / static_cast<std::chrono::nanoseconds::rep>(rate.capacity);
    return std::max(std::chrono::nanoseconds{share}, std::chrono::nanoseconds{1});
  }
  std::chrono::nanoseconds spent(TimePoint now) const {
    return full(now) ? std::chrono::nanoseconds{0} : std::chrono::nanoseconds{full_at_ - now};
  }

  TimePoint full_at_ = TimePoint::min();
};

}  // namespace emulator::environment
