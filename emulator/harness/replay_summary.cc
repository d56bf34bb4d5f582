#include "emulator/harness/replay_summary.h"

#include "emulator/harness/json_pointer.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace emulator::harness {
namespace {

constexpr auto kOther = "other";

double ms_at(const Tally& tally, double percent) {
  return std::chrono::duration<double, std::milli>(tally.durations.percentile(percent)).count();
}

double cost_of(const ReplaySummary& summary) {
  return estimated_cost(summary.prices,
                        summary.tally.events - summary.tally.throttled,
                        summary.tally.billed_ms,
                        summary.memory_mb);
}

double per_second(const ReplaySummary& summary) {
  const auto seconds = std::chrono::duration<double>(summary.elapsed).count();
  const auto done = summary.tally.events - summary.earlier;
  return seconds > 0 ? static_cast<double>(done) / seconds : 0;
}

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
  std::array<char, 256> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  return text.data();
}

std::string json_counts(const ComparisonCounts& counts) {
  return formatted("{\"same\":%llu,\"different\":%llu,\"missing\":%llu,\"added\":%llu}",
                   static_cast<unsigned long long>(counts.same),
                   static_cast<unsigned long long>(counts.different),
                   static_cast<unsigned long long>(counts.missing),
                   static_cast<unsigned long long>(counts.added));
}

}  // namespace

void Tally::add(const ReplayResult& result) {
  ++events;
  billed_ms += result.billed_ms;
  if (result.outcome == "throttled") ++throttled;
  if (result.cold()) ++cold_starts;
  if (result.duration) durations.add(*result.duration);
  if (result.error_type.empty() && result.outcome == "responded") return;
  const auto& kind = result.error_type.empty() ? result.outcome : result.error_type;
  const bool apart = errors.size() < kMaxErrorKinds || errors.contains(kind);
  ++errors[apart ? kind : kOther];
}

std::uint64_t Tally::failed() const {
  std::uint64_t sum = 0;
  for (const auto& [_, count] : errors) sum += count;
  return sum;
}

std::string summary_table(const ReplaySummary& summary) {
  const auto& tally = summary.tally;
  std::string table =
      "   events   broken   errors     cold      p50 ms      p90 ms      p99 ms      max ms   "
      "billed ms    cost USD   per second\n";
  table += formatted("%9llu %8llu %8llu %8llu %11.3f %11.3f %11.3f %11.3f %11llu %11.6f %12.1f\n",
                     static_cast<unsigned long long>(tally.events),
                     static_cast<unsigned long long>(tally.broken),
                     static_cast<unsigned long long>(tally.failed()),
                     static_cast<unsigned long long>(tally.cold_starts),
                     ms_at(tally, 50),
                     ms_at(tally, 90),
                     ms_at(tally, 99),
                     ms_at(tally, 100),
                     static_cast<unsigned long long>(tally.billed_ms),
                     cost_of(summary),
                     per_second(summary));
  for (const auto& [type, count] : tally.errors) {
    table += "  " + std::to_string(count) + " × " + shortened(type) + "\n";
  }
  if (summary.earlier > 0) {
    table += "  " + std::to_string(summary.earlier) + " of the events were done before\n";
  }
  if (summary.comparison) {
    const auto& counts = *summary.comparison;
    table += formatted("compared: %llu the same, %llu different, %llu missing, %llu new\n",
                       static_cast<unsigned long long>(counts.same),
                       static_cast<unsigned long long>(counts.different),
                       static_cast<unsigned long long>(counts.missing),
                       static_cast<unsigned long long>(counts.added));
  }
  return table;
}

std::string summary_json(const ReplaySummary& summary) {
  const auto& tally = summary.tally;
  std::string json = "{\"events\":" + std::to_string(tally.events);
  json += ",\"broken\":" + std::to_string(tally.broken);
  json += ",\"errors\":" + std::to_string(tally.failed()) + ",\"errors_by_type\":{";
  bool first = true;
  for (const auto& [type, count] : tally.errors) {
    if (!std::exchange(first, false)) json += ',';
    json += json_string(type) + ":" + std::to_string(count);
  }
  json += "},\"cold_starts\":" + std::to_string(tally.cold_starts);
  json += formatted(",\"duration_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
                    ms_at(tally, 50),
                    ms_at(tally, 90),
                    ms_at(tally, 99),
                    ms_at(tally, 100));
  json += ",\"billed_ms\":" + std::to_string(tally.billed_ms);
  json += formatted(",\"estimated_cost_usd\":%.9f", cost_of(summary));
  if (summary.earlier > 0) json += ",\"done_before\":" + std::to_string(summary.earlier);
  if (summary.comparison) json += ",\"comparison\":" + json_counts(*summary.comparison);
  json += formatted(",\"per_second\":%.1f}\n", per_second(summary));
  return json;
}

}  // namespace emulator::harness
