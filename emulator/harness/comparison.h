// A run compared with a saved one, event by event, while both are read once from front to back.
#pragma once

#include "emulator/harness/json_difference.h"
#include "emulator/harness/line_reader.h"
#include "emulator/harness/result_line.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::harness {

// Differences that are told, of a run and of one event; all are counted. Our choice: a screen.
inline constexpr std::size_t kMaxDifferencesTold = 50;
inline constexpr std::size_t kMaxDifferencesToldOfEvent = 5;

struct ComparisonCounts {
  std::uint64_t same = 0;
  std::uint64_t different = 0;  // events that say something else, or had another input
  std::uint64_t missing = 0;    // saved, and not in this run
  std::uint64_t added = 0;      // in this run, and not saved

  bool holds() const { return different + missing + added == 0; }
};

// Its owner's thread.
class Comparison {
 public:
  using Tell = std::function<void(std::string_view sentence)>;

  // `saved` is a file that --save or --output wrote, and `name` what it is called.
  Comparison(std::string name, ByteSource saved, std::vector<JsonPointer> ignored, Tell tell);

  // The results of the run, in the order of their positions. Fails when the saved file cannot be
  // read, or holds a line that is no result.
  //
  // Outcomes and error types are compared, and responses where the function made them: the
  // documents that the platform makes of a timeout or an exit name the request, which differs by
  // nature. So does the member requestId of a function error, which is left out too.
  tl::expected<void, HarnessError> take(const ReplayResult& result);

  // At the end of a run that came to its end: what was saved beyond it is missing.
  tl::expected<void, HarnessError> finish();

  const ComparisonCounts& counts() const { return counts_; }

 private:
  tl::expected<void, HarnessError> read_saved();
  std::uint64_t compare(const ReplayResult& result);
  std::uint64_t compare_responses(const ReplayResult& result);
  void tell(const std::string& sentence);

  const std::string name_;
  LineReader lines_;
  const std::vector<JsonPointer> ignored_;
  const std::vector<JsonPointer> ignored_of_errors_;
  const Tell tell_;
  std::optional<ReplayResult> saved_;  // the next one; nullopt before the first and at the end
  bool started_ = false;
  std::size_t told_ = 0;
  ComparisonCounts counts_;
};

}  // namespace emulator::harness
