// What a replay came to: counted while it runs, told at its end.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/harness/comparison.h"
#include "emulator/harness/cost.h"
#include "emulator/harness/latency_histogram.h"
#include "emulator/harness/result_line.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace emulator::harness {

// Kinds of errors counted apart; a function may make up any number of names. Further ones are
// counted as "other". Our choice.
inline constexpr std::size_t kMaxErrorKinds = 100;

struct Tally {
  std::uint64_t events = 0;
  std::uint64_t broken = 0;  // lines that were no event, and files that could not be read
  std::uint64_t throttled = 0;
  std::uint64_t cold_starts = 0;
  std::uint64_t billed_ms = 0;
  std::map<std::string, std::uint64_t> errors;  // by error type
  LatencyHistogram durations;

  void add(const ReplayResult& result);
  std::uint64_t failed() const;
};

struct ReplaySummary {
  Tally tally;
  Prices prices;
  std::int64_t memory_mb = 0;
  std::optional<ComparisonCounts> comparison;
  std::chrono::nanoseconds elapsed{};
  std::uint64_t earlier = 0;  // events that a run before this one did
};

// A table for people.
std::string summary_table(const ReplaySummary& summary);

// JSON on one line, with its end.
std::string summary_json(const ReplaySummary& summary);

}  // namespace emulator::harness
