// How fast a streamed response may flow: so much at full speed, then at a rate.
//
// Source: developer guide, response streaming (the first 6 MB unthrottled, then 2 MB/s); the bucket
// with its steps from the emulator that AWS publishes, which holds the service's algorithm.
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace emulator::invoke {

struct StreamBandwidth {
  std::uint64_t burst_bytes = std::uint64_t{6} * 1024 * 1024;
  std::uint64_t bytes_per_second = std::uint64_t{2} * 1024 * 1024;  // 0: unlimited
  bool operator==(const StreamBandwidth&) const = default;
};

// Rates that may be asked for. Source: the emulator that AWS publishes clamps its own to these.
inline constexpr std::uint64_t kLowestStreamRate = std::uint64_t{32} * 1024;
inline constexpr std::uint64_t kHighestStreamRate = std::uint64_t{64} * 1024 * 1024;

// The bucket is refilled in steps of this length. Same source.
inline constexpr std::chrono::milliseconds kRefillStep{125};

// "2MB", "512KB", a plain number of bytes, all a second; "0" and "unlimited" lift the limit. The
// units are the quotas' own, of 1,024. Else a sentence. Pure.
tl::expected<StreamBandwidth, std::string> parse_stream_bandwidth(std::string_view text);

// A token bucket that is full at the start and may be overdrawn: what is taken is always given, and
// the taker told when it may be passed on. Its owner's thread.
class StreamBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  StreamBucket(StreamBandwidth bandwidth, TimePoint now)
      : bandwidth_(bandwidth),
        level_(static_cast<std::int64_t>(bandwidth.burst_bytes)),
        refilled_(now) {}

  // The moment from which on `bytes` may be passed on: `now`, or the end of the step that pays for
  // them.
  TimePoint take(std::uint64_t bytes, TimePoint now);

 private:
  std::int64_t step_bytes() const;
  void refill(TimePoint now);

  StreamBandwidth bandwidth_;
  std::int64_t level_;  // negative: overdrawn
  TimePoint refilled_;  // the beginning of the step that runs
};

}  // namespace emulator::invoke
