#include "emulator/invoke/stream_bandwidth.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace emulator::invoke {
namespace {

tl::unexpected<std::string> no_rate(std::string_view text) {
  return tl::unexpected("'" + std::string(text) +
                        "' is no rate of a response stream: write 2MB or 512KB or a number of "
                        "bytes, all a second, from 32KB to 64MB, or unlimited");
}

// What the text behind the number multiplies it with; 0: no unit.
std::uint64_t unit_of(std::string_view text) {
  std::string upper(text);
  for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper.ends_with("/S")) upper.resize(upper.size() - 2);
  if (upper.empty() || upper == "B") return 1;
  if (upper == "KB" || upper == "K") return 1024;
  if (upper == "MB" || upper == "M") return std::uint64_t{1024} * 1024;
  return 0;
}

}  // namespace

tl::expected<StreamBandwidth, std::string> parse_stream_bandwidth(std::string_view text) {
  StreamBandwidth bandwidth;
  if (text == "unlimited") {
    bandwidth.bytes_per_second = 0;
    return bandwidth;
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(end - text.data());
  const auto unit = unit_of(text.substr(digits));
  if (error != std::errc{} || unit == 0) return no_rate(text);
  if (number != 0 && (number > kHighestStreamRate / unit || number * unit < kLowestStreamRate)) {
    return no_rate(text);
  }
  bandwidth.bytes_per_second = number * unit;
  return bandwidth;
}

std::int64_t StreamBucket::step_bytes() const {
  constexpr auto kStepsPerSecond = std::chrono::seconds{1} / kRefillStep;
  return std::max<std::int64_t>(
      static_cast<std::int64_t>(bandwidth_.bytes_per_second) / kStepsPerSecond, 1);
}

void StreamBucket::refill(TimePoint now) {
  const auto steps = (now - refilled_) / kRefillStep;
  if (steps <= 0) return;
  refilled_ += steps * kRefillStep;
  const auto burst = static_cast<std::int64_t>(bandwidth_.burst_bytes);
  const auto missing = burst - level_;
  // So many steps fill it whatever came before; more of them need not be multiplied.
  const auto enough = missing / step_bytes() + 1;
  level_ = std::min(burst, level_ + std::min<std::int64_t>(steps, enough) * step_bytes());
}

StreamBucket::TimePoint StreamBucket::take(std::uint64_t bytes, TimePoint now) {
  if (bandwidth_.bytes_per_second == 0) return now;
  refill(now);
  level_ -= static_cast<std::int64_t>(bytes);
  if (level_ >= 0) return now;
  const auto steps = (-level_ + step_bytes() - 1) / step_bytes();
  return refilled_ + steps * kRefillStep;
}

}  // namespace emulator::invoke
