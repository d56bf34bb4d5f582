#include "tests/bench/figures.h"
#include "tests/bench/sections.h"
#include "tests/bench/serving.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <cstdio>

namespace bench {
namespace {

struct MemorySize {
  int mb;
  double aws_seconds;  // of all primes up to 1,000,000, as AWS has published them; 0: none
};

constexpr std::array kMemorySizes = {MemorySize{128, 11.72},
                                     MemorySize{256, 6.68},
                                     MemorySize{512, 3.19},
                                     MemorySize{1024, 1.47},
                                     MemorySize{1769, 0}};
constexpr double kWholeCpuMb = 1769;  // AWS documents one CPU's worth at this size
constexpr int kPrimesUpTo = 1'000'000;
constexpr int kPrimes = 78'498;
constexpr double kWorkMs = 850;  // of CPU time, what the published times come to
// A hundred periods of 20 ms, so that a part of one is no more than a hundredth.
constexpr int kSpinMs = 2'000;

double share_of(const MemorySize& size) { return size.mb / kWholeCpuMb; }

double percent_off(double value, double wanted) { return 100 * (value / wanted - 1); }

using Figures = std::array<std::vector<double>, kMemorySizes.size()>;

// In turns, so that a noisy neighbour meets every size.
template <typename Measure>
Figures measure_in_turns(int rounds, Measure measure) {
  Figures figures;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < kMemorySizes.size(); ++i) {
      figures.at(i).push_back(measure(kMemorySizes.at(i)));
    }
  }
  return figures;
}

std::string function_of(const char* project, const MemorySize& size) {
  return std::string(project) + "-" + std::to_string(size.mb);
}

// How often this host must count for kWorkMs. Every function is warm afterwards.
int times_for_the_work(Caller& caller) {
  const auto once = nlohmann::json{{"up_to", kPrimesUpTo}}.dump();
  double cpu_ms = kWorkMs;
  for (const auto& size : kMemorySizes) {
    const auto found = caller.invoke_for_json(function_of("primes", size), once);
    cpu_ms = std::min(cpu_ms, found["cpu_ms"].get<double>());
  }
  return std::max(1, static_cast<int>(std::lround(kWorkMs / cpu_ms)));
}

}  // namespace

void time_times_share(int rounds) {
  title("Primes up to 1,000,000 (wanted: time x share the same at every size, within 5 %)");
  const Serving serving({}, PRIMES_PROJECT);
  Caller caller(serving.port());
  const int repeats = times_for_the_work(caller);
  const auto event = nlohmann::json{{"up_to", kPrimesUpTo}, {"times", repeats}}.dump();
  std::vector<double> cpu_ms;
  const auto times = measure_in_turns(rounds, [&](const MemorySize& size) {
    const auto found = caller.invoke_for_json(function_of("primes", size), event);
    if (found["count"] != kPrimes) give_up("primes were counted wrongly");
    cpu_ms.push_back(found["cpu_ms"]);
    return found["wall_ms"].get<double>() / 1000;
  });
  std::vector<double> products;
  for (std::size_t i = 0; i < kMemorySizes.size(); ++i) {
    products.push_back(median(times.at(i)) * share_of(kMemorySizes.at(i)));
  }
  const double middle = median(products);
  double worst = 0;
  for (std::size_t i = 0; i < kMemorySizes.size(); ++i) {
    const auto& size = kMemorySizes.at(i);
    const double off = percent_off(products[i], middle);
    worst = std::max(worst, std::abs(off));
    std::printf("  %4d MB   median %6.3f s   time x share %6.4f CPU-s   off %+5.2f %%   ",
                size.mb,
                median(times.at(i)),
                products[i],
                off);
    if (size.aws_seconds > 0) {
      std::printf(
          "AWS %5.2f s, x share %.3f\n", size.aws_seconds, size.aws_seconds * share_of(size));
    } else {
      std::printf("AWS none\n");
    }
  }
  std::printf("  worst: %.2f %% off; the work is to count %d times, %.3f s of CPU time (median)\n",
              worst,
              repeats,
              median(cpu_ms) / 1000);
}

void measured_share(int rounds) {
  title("Share of a spinning process (wanted: memory / 1769, within 3 %)");
  const Serving serving({}, SPINNER_PROJECT);
  Caller caller(serving.port());
  const auto event = nlohmann::json{{"wall_ms", kSpinMs}}.dump();
  for (const auto& size : kMemorySizes) {
    caller.invoke_for_json(function_of("spinner", size), R"({"wall_ms":1})");
  }
  const auto shares = measure_in_turns(rounds, [&](const MemorySize& size) {
    const auto used = caller.invoke_for_json(function_of("spinner", size), event);
    return used["cpu_ms"].get<double>() / used["wall_ms"].get<double>();
  });
  double worst = 0;
  for (std::size_t i = 0; i < kMemorySizes.size(); ++i) {
    const double wanted = share_of(kMemorySizes.at(i));
    const double off = percent_off(median(shares.at(i)), wanted);
    worst = std::max(worst, std::abs(off));
    std::printf("  %4d MB   wanted %.4f   median %.4f   off %+5.2f %%   from %.4f to %.4f\n",
                kMemorySizes.at(i).mb,
                wanted,
                median(shares.at(i)),
                off,
                at_percent(shares.at(i), 0),
                at_percent(shares.at(i), 100));
  }
  std::printf("  worst: %.2f %% off\n", worst);
}

}  // namespace bench
