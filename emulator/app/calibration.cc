#include "emulator/app/calibration.h"

#include "emulator/app/cpu_scale.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

namespace emulator::app {
namespace {

constexpr std::size_t kFewestRuns = 3;

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

bool is_prime(std::uint32_t number) {
  if (number < 2 || number % 2 == 0) return number == 2;
  for (std::uint32_t divisor = 3; divisor * divisor <= number; divisor += 2) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace

std::uint32_t count_primes(std::uint32_t last) {
  std::uint32_t count = 0;
  for (std::uint32_t number = 2; number <= last; ++number) count += is_prime(number) ? 1U : 0U;
  return count;
}

Calibration calibrate(const CalibrationPlan& plan) {
  std::vector<std::chrono::nanoseconds> runs;
  std::chrono::nanoseconds spent{};
  // What the workload is told keeps the compiler from doing it once, or never.
  volatile std::uint32_t last = kLastNumber;
  volatile std::uint32_t found = 0;
  while (runs.size() < kFewestRuns || spent < plan.budget) {
    const auto before = plan.cpu_time();
    found = count_primes(last);
    runs.push_back(plan.cpu_time() - before);
    // A clock that stands still must not hold us for ever.
    spent += std::max(runs.back(), std::chrono::nanoseconds{std::chrono::milliseconds{10}});
    if (plan.progress) plan.progress(std::min(1.0, seconds(spent) / seconds(plan.budget)));
  }
  std::ignore = found;
  std::sort(runs.begin(), runs.end());
  return {.here = runs[runs.size() / 2],
          .on_lambda = plan.on_lambda,
          .runs = static_cast<int>(runs.size())};
}

double cpu_scale(const Calibration& calibration) {
  const double factor = seconds(calibration.here) / seconds(calibration.on_lambda);
  if (!(factor > kSmallestCpuScale)) return kSmallestCpuScale;
  const double unit = std::pow(10.0, std::floor(std::log10(factor)) - 1);
  return std::min(std::round(factor / unit) * unit, kLargestCpuScale);
}

std::string as_text(const Calibration& calibration) {
  std::array<char, 512> text{};
  std::snprintf(text.data(),
                text.size(),
                "All primes up to 1,000,000 take %.3f s of CPU here (median of %d runs), and "
                "%.3f s on Lambda with 1769 MB%s.\nSo that functions take the same time here:\n"
                "  --cpu-scale %g\n",
                seconds(calibration.here),
                calibration.runs,
                seconds(calibration.on_lambda),
                calibration.on_lambda == kPrimesOnLambda ? " by AWS's averages" : "",
                cpu_scale(calibration));
  std::string all = text.data();
  if (calibration.on_lambda == kPrimesOnLambda) {
    all +=
        "Those averages are of machines from before 2021 and of a program that was not published. "
        "For\nLambda as it is, run handlers/primes there with 1769 MB and tell --lambda-seconds.\n";
  }
  return all;
}

std::string as_json(const Calibration& calibration) {
  nlohmann::ordered_json json;
  json["seconds_here"] = seconds(calibration.here);
  json["seconds_on_lambda"] = seconds(calibration.on_lambda);
  json["runs"] = calibration.runs;
  json["cpu_scale"] = cpu_scale(calibration);
  return json.dump(2) + "\n";
}

}  // namespace emulator::app
