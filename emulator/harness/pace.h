// How fast events follow one another.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/harness/event_time.h"
#include "emulator/harness/harness_error.h"

#include <tl/expected.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace emulator::harness {

// Factors of the recorded speed. Our choice: a year in half a minute, and a second in a day.
inline constexpr double kMaxPaceFactor = 1e6;
inline constexpr double kMinPaceFactor = 1e-5;

struct Pace {
  // How many times faster than recorded; nullopt: as soon as possible.
  std::optional<double> factor;
};

// "asap", "recorded", or a factor: "2x", "2×", "0.5x".
tl::expected<Pace, HarnessError> parse_pace(std::string_view text);

// Its owner's thread.
class Schedule {
 public:
  explicit Schedule(Pace pace) : pace_(pace) {}

  bool needs_times() const { return pace_.factor.has_value(); }

  // When the next event is due, counted from the first one. An event without a time, or with one
  // before its predecessor's, follows that one at once; so what it says never decreases.
  std::chrono::nanoseconds due(std::optional<EventTime> recorded);

 private:
  const Pace pace_;
  std::optional<EventTime> first_;
  std::chrono::nanoseconds offset_{};        // of the last event
  std::chrono::nanoseconds first_offset_{};  // of the first one that had a time
};

}  // namespace emulator::harness
