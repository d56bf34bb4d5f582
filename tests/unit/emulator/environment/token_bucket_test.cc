#include "emulator/environment/token_bucket.h"

#include <catch2/catch_test_macros.hpp>

#include <random>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;

namespace {

constexpr auto kFree = std::chrono::nanoseconds{0};
const TokenBucket::TimePoint kNow{1h};

// How many can be taken at once.
std::size_t drain(TokenBucket& bucket, TokenBucket::TimePoint now, TokenRate rate) {
  std::size_t taken = 0;
  while (bucket.wait(now, rate) == kFree) {
    bucket.take(now, rate);
    ++taken;
  }
  return taken;
}

}  // namespace

TEST_CASE("a full bucket holds its capacity, whatever that divides its time into") {
  for (const std::size_t capacity : {1, 2, 3, 7, 10, 30, 999, 1'000, 10'000}) {
    CAPTURE(capacity);
    TokenBucket bucket;
    CHECK(bucket.full(kNow));
    CHECK(drain(bucket, kNow, {.capacity = capacity, .refill = 1s}) == capacity);
    CHECK_FALSE(bucket.full(kNow));
    CHECK(bucket.full(kNow + 1s));
  }
}

TEST_CASE("tokens come back one by one, not all at the end of the time") {
  TokenBucket bucket;
  const TokenRate rate{.capacity = 1'000, .refill = 10s};
  REQUIRE(drain(bucket, kNow, rate) == 1'000);
  CHECK(bucket.wait(kNow, rate) == 10ms);
  CHECK(bucket.wait(kNow + 9ms, rate) == 1ms);
  CHECK(drain(bucket, kNow + 10ms, rate) == 1);
  CHECK(drain(bucket, kNow + 5s, rate) == 499);
}

TEST_CASE("a bucket without capacity never gives one, and one without refill always does") {
  TokenBucket bucket;
  CHECK_FALSE(bucket.wait(kNow, {.capacity = 0, .refill = 1s}));
  const TokenRate at_once{.capacity = 1, .refill = 0s};
  for (int i = 0; i < 10; ++i) {
    const auto now = kNow + std::chrono::nanoseconds{i};
    REQUIRE(bucket.wait(now, at_once) == kFree);
    bucket.take(now, at_once);
  }
}

TEST_CASE("what was taken stays taken in proportion when the capacity changes") {
  TokenBucket bucket;
  const TokenRate ten{.capacity = 10, .refill = 1s};
  for (int i = 0; i < 5; ++i) bucket.take(kNow, ten);
  CHECK(drain(bucket, kNow, {.capacity = 100, .refill = 1s}) == 50);
}

TEST_CASE("whoever waits as long as told is let in, and no time sees more than its share") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const TokenRate rate{.capacity = 1 + random() % 50,
                         .refill = std::chrono::milliseconds{1 + random() % 20'000}};
    TokenBucket bucket;
    auto now = kNow;
    std::vector<TokenBucket::TimePoint> taken;
    for (int i = 0; i < 300; ++i) {
      const auto wait = bucket.wait(now, rate);
      REQUIRE(wait);
      if (*wait > 0ns) {
        REQUIRE(bucket.wait(now + *wait, rate) == kFree);
        REQUIRE(bucket.wait(now + *wait - 1ns, rate) == 1ns);
      }
      now += random() % 2 == 0 ? *wait : std::chrono::nanoseconds{random() % 1'000'000'000};
      if (bucket.wait(now, rate) != kFree) continue;
      bucket.take(now, rate);
      taken.push_back(now);
    }
    // From any one taken to another: a full bucket and what came back meanwhile, and one more for
    // the nanoseconds that do not divide.
    const auto interval = rate.refill / rate.capacity;
    bool within = true;
    for (std::size_t from = 0; from < taken.size(); ++from) {
      for (std::size_t to = from; to < taken.size(); ++to) {
        const auto came_back = static_cast<std::size_t>((taken[to] - taken[from]) / interval);
        within = within && to - from + 1 <= rate.capacity + came_back + 1;
      }
    }
    REQUIRE(within);
  }
}
