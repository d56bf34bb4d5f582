#include "emulator/harness/latency_histogram.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using emulator::harness::LatencyHistogram;
using namespace std::chrono_literals;

TEST_CASE("of nothing every percentile is zero", "[harness]") {
  CHECK(LatencyHistogram{}.percentile(50) == 0us);
}

TEST_CASE("small durations are exact, and all are rounded up to a microsecond", "[harness]") {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.add(std::chrono::microseconds{i} - 1ns);
  CHECK(histogram.percentile(50) == 50us);
  CHECK(histogram.percentile(99) == 99us);
  CHECK(histogram.percentile(100) == 100us);
  CHECK(histogram.percentile(0) == 1us);
  histogram.add(-5s);
  CHECK(histogram.percentile(0) == 0us);
}

TEST_CASE("what is longer than any invocation counts as the longest", "[harness]") {
  LatencyHistogram histogram;
  histogram.add(24h);
  CHECK(histogram.percentile(50).count() == LatencyHistogram::kMaxMicroseconds);
}

// Over random sets of several shapes.
TEST_CASE("a percentile is never below the true one and at most 1/128 above it", "[harness]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    LatencyHistogram histogram;
    std::vector<std::int64_t> exact;
    const auto count = 1 + random() % 2000;
    const double spread = 1 + static_cast<double>(random() % 20);
    for (std::size_t i = 0; i < count; ++i) {
      const auto unit = std::generate_canonical<double, 53>(random);
      const auto value = static_cast<std::int64_t>(std::exp(unit * spread));
      exact.push_back(value);
      histogram.add(std::chrono::microseconds{value});
    }
    std::sort(exact.begin(), exact.end());
    for (const double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const auto rank = std::max(1.0, std::ceil(percent / 100 * static_cast<double>(exact.size())));
      const auto truth = exact[static_cast<std::size_t>(rank) - 1];
      const auto told = histogram.percentile(percent).count();
      INFO(percent << " % of " << count << ": " << truth << " told as " << told);
      CHECK(told >= truth);
      CHECK(static_cast<double>(told) <= static_cast<double>(truth) * (1 + 1.0 / 128));
    }
    CHECK(histogram.percentile(100).count() == exact.back());
  }
}
