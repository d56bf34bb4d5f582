#include "emulator/invoke/stream_bandwidth.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::invoke;
using namespace std::chrono_literals;

namespace {

constexpr StreamBucket::TimePoint kStart{1h};
constexpr std::uint64_t kMiB = std::uint64_t{1024} * 1024;

}  // namespace

TEST_CASE("six megabytes pass at once, then a step's worth every 125 milliseconds", "[stream]") {
  StreamBucket bucket({}, kStart);
  for (int i = 0; i < 6; ++i) CHECK(bucket.take(kMiB, kStart) == kStart);
  CHECK(bucket.take(1, kStart) == kStart + 125ms);
  CHECK(bucket.take(kMiB / 4 - 1, kStart) == kStart + 125ms);
  CHECK(bucket.take(1, kStart) == kStart + 250ms);
}

TEST_CASE("behind the burst a long response takes a second for two megabytes", "[stream]") {
  StreamBucket bucket({}, kStart);
  auto now = kStart;
  for (std::uint64_t sent = 0; sent < 206 * kMiB; sent += 64 * 1024) {
    now = bucket.take(64 * 1024, now);
  }
  CHECK(now == kStart + 100s);
}

TEST_CASE("what is not used is saved up to the burst and no further", "[stream]") {
  StreamBucket bucket({}, kStart);
  CHECK(bucket.take(6 * kMiB, kStart) == kStart);
  const auto later = kStart + 24h * 365;
  CHECK(bucket.take(6 * kMiB, later) == later);
  CHECK(bucket.take(1, later) > later);
}

TEST_CASE("an unlimited stream never waits", "[stream]") {
  StreamBucket bucket({.bytes_per_second = 0}, kStart);
  for (int i = 0; i < 1000; ++i) CHECK(bucket.take(kMiB, kStart) == kStart);
}

TEST_CASE("a rate is written with the quotas' units", "[stream]") {
  const auto rate = [](const char* text) {
    return parse_stream_bandwidth(text).value().bytes_per_second;
  };
  CHECK(rate("2MB") == 2 * kMiB);
  CHECK(rate("2mb/s") == 2 * kMiB);
  CHECK(rate("512KB") == 512 * 1024);
  CHECK(rate("32768") == 32768);
  CHECK(rate("64M") == kHighestStreamRate);
  CHECK(rate("0") == 0);
  CHECK(rate("unlimited") == 0);
}

TEST_CASE("what is no rate is refused with a sentence that says what is", "[stream]") {
  for (const auto* text : {"",
                           "fast",
                           "-1",
                           "2GB",
                           "31KB",
                           "65MB",
                           "1e6",
                           "2 MB",
                           "MB",
                           "99999999999999999999",
                           "18446744073709551615MB"}) {
    INFO(text);
    const auto refused = parse_stream_bandwidth(text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().find("write 2MB or 512KB") != std::string::npos);
  }
}
