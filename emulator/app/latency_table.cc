#include "emulator/app/latency_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace emulator::app {
namespace {

double milliseconds(std::chrono::nanoseconds value) {
  return std::chrono::duration<double, std::milli>(value).count();
}

std::size_t failed(const Repetition& repetition) {
  std::size_t sum = 0;
  for (const auto& [_, count] : repetition.errors) sum += count;
  return sum;
}

double per_second(const Repetition& repetition) {
  const auto seconds = std::chrono::duration<double>(repetition.elapsed).count();
  return seconds > 0 ? static_cast<double>(repetition.latencies.size()) / seconds : 0;
}

}  // namespace

std::chrono::nanoseconds percentile(const std::vector<std::chrono::nanoseconds>& sorted,
                                    double percent) {
  if (sorted.empty()) return {};
  const auto rank = std::ceil(percent / 100.0 * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

std::string as_table(Repetition repetition) {
  std::sort(repetition.latencies.begin(), repetition.latencies.end());
  const auto at = [&](double percent) {
    return milliseconds(percentile(repetition.latencies, percent));
  };
  std::array<char, 512> text{};
  std::snprintf(text.data(),
                text.size(),
                "invocations  cold  errors      p50 ms      p90 ms      p99 ms      max ms   "
                "per second\n"
                "%11zu %5zu %7zu %11.3f %11.3f %11.3f %11.3f %12.1f\n",
                repetition.latencies.size(),
                repetition.cold_starts,
                failed(repetition),
                at(50),
                at(90),
                at(99),
                at(100),
                per_second(repetition));
  std::string table = text.data();
  for (const auto& [type, count] : repetition.errors) {
    table += "  " + std::to_string(count) + " × " + type + "\n";
  }
  return table;
}

std::string as_json(Repetition repetition) {
  std::sort(repetition.latencies.begin(), repetition.latencies.end());
  const auto at = [&](double percent) {
    return milliseconds(percentile(repetition.latencies, percent));
  };
  nlohmann::ordered_json json;
  json["invocations"] = repetition.latencies.size();
  json["cold_starts"] = repetition.cold_starts;
  json["errors"] = failed(repetition);
  json["errors_by_type"] = repetition.errors;
  json["latency_ms"] = {{"p50", at(50)}, {"p90", at(90)}, {"p99", at(99)}, {"max", at(100)}};
  json["per_second"] = per_second(repetition);
  return json.dump() + "\n";
}

}  // namespace emulator::app
