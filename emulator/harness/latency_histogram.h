// Durations counted in buckets, so that percentiles of any number of them take the same memory.
//
// A bucket is 1/128 as wide as the values in it, or one microsecond: a percentile is the bucket's
// upper end, at most 1/128 (0.8 %) above the true one and never below it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace emulator::harness {

// Its owner's thread. A value.
class LatencyHistogram {
 public:
  static constexpr std::size_t kBucketsPerDoubling = 128;
  // What is longer counts as this. Source: Lambda quotas, a timeout is 900 s at most; with Init and
  // room: 2^32 microseconds are 71 minutes.
  static constexpr std::uint64_t kMaxMicroseconds = (std::uint64_t{1} << 32) - 1;

  // Rounded up to a microsecond; negative counts as nothing.
  void add(std::chrono::nanoseconds duration);

  // The value below or at which `percent` of them lie, by nearest rank; 0 of none. 100: the
  // largest, exactly.
  std::chrono::microseconds percentile(double percent) const;

  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t kExponents = 32 - 7 + 1;
  static std::size_t bucket_of(std::uint64_t microseconds);
  static std::uint64_t upper_end(std::size_t bucket);

  std::array<std::uint64_t, kExponents * kBucketsPerDoubling> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace emulator::harness
