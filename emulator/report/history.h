// What ran lately and what it added up to: the newest invocations, bounded, and counters since the
// start.
#pragma once

#include "emulator/environment/invocation_report.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace emulator::report {

// Invocations kept. Our choice: enough to look back at a test run, and under a megabyte.
inline constexpr std::size_t kMaxHistory = 1000;

struct FunctionTotals {
  std::uint64_t invocations = 0;
  std::uint64_t cold_starts = 0;
  std::map<std::string, std::uint64_t> errors;  // by error type
  environment::Nanoseconds duration{};
  environment::Nanoseconds init_duration{};
  std::int64_t billed_ms = 0;
};

// Any thread.
class History {
 public:
  explicit History(environment::Profile profile) : profile_(profile) {}

  void add(const environment::InvocationReport& report);

  // Newest first; of all functions when `function_name` is empty.
  std::vector<environment::InvocationReport> newest(const std::string& function_name,
                                                    std::size_t limit) const;

  std::map<std::string, FunctionTotals> totals() const;

 private:
  const environment::Profile profile_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<environment::InvocationReport> newest_;
  std::map<std::string, FunctionTotals> totals_;
};

}  // namespace emulator::report
