// Where the results of a replay go, in their order: to the file of results, to the saved one, into
// the comparison and into the sums.
#pragma once

#include "emulator/harness/comparison.h"
#include "emulator/harness/event_reader.h"
#include "emulator/harness/replay_summary.h"
#include "emulator/harness/result_file.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::harness {

// Broken events that are told; all are counted. Our choice: a screen.
inline constexpr std::uint64_t kMaxBrokenTold = 20;

// What stood in events' places. Threads: add() one at a time; the rest when no run is on.
class BrokenEvents {
 public:
  explicit BrokenEvents(std::function<void(std::string_view sentence)> tell)
      : tell_(std::move(tell)) {}

  void add(const BrokenEvent& event);
  std::uint64_t count() const { return count_; }

 private:
  const std::function<void(std::string_view sentence)> tell_;
  std::uint64_t count_ = 0;
};

// Threads: take() and take_earlier() one at a time; the rest when no run is on.
class ReplayLedger {
 public:
  struct Parts {
    ResultFile output;
    std::optional<ResultFile> saved;
    std::unique_ptr<Comparison> comparison;      // or none
    std::function<void(const Tally&)> progress;  // after each batch
  };

  explicit ReplayLedger(Parts parts) : parts_(std::move(parts)) {}

  // Results that follow one another. False: they could not be kept, see failure().
  bool take(const std::vector<ReplayResult>& results);

  // A result that an earlier run has written to the file of results; the saved file is written
  // anew.
  void take_earlier(const ReplayResult& result);

  // At the end of a run that came to its end.
  void finish();

  // Why results could not be kept or compared; the first reason.
  const std::optional<HarnessError>& failure() const { return failure_; }

  // Complete but for what only the caller knows: broken events, prices, memory and elapsed time.
  ReplaySummary summary() const;

 private:
  void keep(const tl::expected<void, HarnessError>& outcome);
  void count(const ReplayResult& result);
  void write_lines();

  Parts parts_;
  Tally tally_;
  std::uint64_t earlier_ = 0;
  std::optional<HarnessError> failure_;
  std::string lines_;  // kept for its memory
  std::string saved_lines_;
};

}  // namespace emulator::harness
