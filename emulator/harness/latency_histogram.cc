#include "emulator/harness/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace emulator::harness {

// Values below 128 have a bucket each. Above, a value of n bits is shifted until 8 bits are left;
// the first of them is always set and need not be counted.
std::size_t LatencyHistogram::bucket_of(std::uint64_t microseconds) {
  if (microseconds < kBucketsPerDoubling) return microseconds;
  const auto shift = static_cast<std::size_t>(std::bit_width(microseconds)) - 8;
  return (shift + 1) * kBucketsPerDoubling + (microseconds >> shift) - kBucketsPerDoubling;
}

std::uint64_t LatencyHistogram::upper_end(std::size_t bucket) {
  if (bucket < kBucketsPerDoubling) return bucket;
  const auto shift = bucket / kBucketsPerDoubling - 1;
  const auto leading = bucket % kBucketsPerDoubling + kBucketsPerDoubling;
  return ((leading + 1) << shift) - 1;
}

void LatencyHistogram::add(std::chrono::nanoseconds duration) {
  const auto whole = std::chrono::ceil<std::chrono::microseconds>(duration).count();
  const auto value =
      std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(whole, 0)), kMaxMicroseconds);
  ++buckets_.at(bucket_of(value));
  ++count_;
  largest_ = std::max(largest_, value);
}

std::chrono::microseconds LatencyHistogram::percentile(double percent) const {
  if (count_ == 0) return {};
  const auto exact = std::ceil(percent / 100 * static_cast<double>(count_));
  const auto rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(exact, 1.0)), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) {
      return std::chrono::microseconds{
          static_cast<std::int64_t>(std::min(upper_end(bucket), largest_))};
    }
  }
  return std::chrono::microseconds{static_cast<std::int64_t>(largest_)};
}

}  // namespace emulator::harness
