#include "emulator/app/cold_start_table.h"

#include "emulator/app/latency_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

namespace emulator::app {
namespace {

using Times = std::vector<std::chrono::nanoseconds>;

double microseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

StepStatistics summary_of(std::string step, Times times) {
  std::sort(times.begin(), times.end());
  return {.step = std::move(step),
          .p50 = percentile(times, 50),
          .p90 = percentile(times, 90),
          .starts = times.size()};
}

std::map<std::string, std::chrono::nanoseconds> sums(const StartTimes& start) {
  std::map<std::string, std::chrono::nanoseconds> by_step;
  for (const auto& [step, took] : start) by_step[step] += took;
  return by_step;
}

std::string tenths(std::chrono::nanoseconds value) {
  std::array<char, 32> number{};
  std::snprintf(number.data(), number.size(), "%.1f", microseconds(value));
  return number.data();
}

std::string right(const std::string& column) {
  constexpr std::size_t kWidth = 12;
  return std::string(kWidth - std::min(kWidth, column.size()), ' ') + column;
}

}  // namespace

std::vector<StepStatistics> statistics(const std::vector<StartTimes>& starts) {
  std::vector<std::string> order;
  std::map<std::string, Times> times;
  Times totals;
  for (const auto& start : starts) {
    for (const auto& [step, _] : start) {
      if (std::find(order.begin(), order.end(), step) == order.end()) order.push_back(step);
    }
    std::chrono::nanoseconds total{};
    for (const auto& [step, took] : sums(start)) {
      times[step].push_back(took);
      total += took;
    }
    totals.push_back(total);
  }
  std::vector<StepStatistics> all;
  all.reserve(order.size() + 1);
  for (const auto& step : order) all.push_back(summary_of(step, times[step]));
  if (!totals.empty()) all.push_back(summary_of("total", std::move(totals)));
  return all;
}

std::string as_text(const std::vector<StepStatistics>& steps) {
  std::size_t width = std::string("step").size();
  for (const auto& step : steps) width = std::max(width, step.step.size());
  std::string table;
  const auto add = [&](const std::string& step, const std::string& p50, const std::string& p90) {
    table += step + std::string(width - step.size(), ' ') + right(p50) + right(p90) + "\n";
  };
  add("step", "p50 us", "p90 us");
  for (const auto& step : steps) add(step.step, tenths(step.p50), tenths(step.p90));
  return table;
}

std::string as_json(const std::vector<StepStatistics>& steps) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& step : steps) {
    list.push_back({{"step", step.step},
                    {"p50_us", microseconds(step.p50)},
                    {"p90_us", microseconds(step.p90)},
                    {"starts", step.starts}});
  }
  return nlohmann::ordered_json{{"steps", list}}.dump(2) + "\n";
}

}  // namespace emulator::app
