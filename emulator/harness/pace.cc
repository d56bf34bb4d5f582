#include "emulator/harness/pace.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace emulator::harness {
namespace {

// Between two events. Ours: longer than any archive, and far from what a clock can count.
constexpr std::chrono::hours kMaxOffset{24 * 365 * 100};

}  // namespace

tl::expected<Pace, HarnessError> parse_pace(std::string_view text) {
  if (text == "asap") return Pace{};
  if (text == "recorded") return Pace{1.0};
  auto number = text;
  bool marked = false;
  for (const std::string_view mark : {"x", "X", "×"}) {
    if (!marked && number.ends_with(mark)) {
      number.remove_suffix(mark.size());
      marked = true;
    }
  }
  double factor = 0;
  const auto* end = number.data() + number.size();
  const auto result = std::from_chars(number.data(), end, factor);
  const bool read = marked && result.ec == std::errc{} && result.ptr == end;
  if (!read || !(factor >= kMinPaceFactor && factor <= kMaxPaceFactor)) {
    return tl::unexpected(HarnessError{"the pace '" + std::string(text) +
                                       "' is none; use asap, recorded, or a factor such as 2x"});
  }
  return Pace{factor};
}

std::chrono::nanoseconds Schedule::due(std::optional<EventTime> recorded) {
  if (!pace_.factor || !recorded) return offset_;
  if (!first_) {
    first_ = recorded;
    first_offset_ = offset_;
    return offset_;
  }
  const auto since = std::chrono::duration<double, std::nano>(*recorded - *first_);
  const std::chrono::duration<double, std::nano> longest = kMaxOffset;
  const auto scaled = std::min(since / *pace_.factor, longest);
  if (scaled.count() > 0) {
    offset_ = std::max(
        offset_, first_offset_ + std::chrono::duration_cast<std::chrono::nanoseconds>(scaled));
  }
  return offset_;
}

}  // namespace emulator::harness
