#include "emulator/report/history.h"

namespace emulator::report {

void History::add(const environment::InvocationReport& report) {
  const std::lock_guard lock(mutex_);
  newest_.push_front(report);
  if (newest_.size() > kMaxHistory) newest_.pop_back();
  auto& totals = totals_[report.function_name];
  ++totals.invocations;
  if (report.cold()) ++totals.cold_starts;
  totals.init_duration += report.init_duration.value_or(environment::Nanoseconds{});
  if (!report.error_type.empty()) ++totals.errors[report.error_type];
  totals.duration += report.duration;
  totals.billed_ms += environment::billed_duration_ms(report, profile_);
}

std::vector<environment::InvocationReport> History::newest(const std::string& function_name,
                                                           std::size_t limit) const {
  std::vector<environment::InvocationReport> found;
  const std::lock_guard lock(mutex_);
  for (const auto& report : newest_) {
    if (found.size() >= limit) break;
    if (function_name.empty() || report.function_name == function_name) found.push_back(report);
  }
  return found;
}

std::map<std::string, FunctionTotals> History::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace emulator::report
