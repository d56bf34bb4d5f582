// How fast this host's CPU is beside Lambda's, and the factor for --cpu-scale that makes up for it.
//
// The yardstick is AWS's: all primes up to 1,000,000, whose published averages (11.72 s at 128 MB …
// 1.47 s at 1024 MB) come to 0.85 seconds of a whole CPU. AWS did not publish the program, and its
// prices date the averages to before 2021: the factor makes them come true here. For Lambda as it
// is, the same work is to be measured there, which the sample function handlers/primes does.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace emulator::app {

// Source: AWS's averages of 1,000 runs times memory/1769; the rows of 128 and 1024 MB agree on it.
inline constexpr std::chrono::milliseconds kPrimesOnLambda{850};

// How many primes there are up to `last`: trial division by odd numbers up to the root. The sample
// function handlers/primes does the same; it is a program of its own and shares no code with
// Hearth.
std::uint32_t count_primes(std::uint32_t last);

inline constexpr std::uint32_t kLastNumber = 1'000'000;
inline constexpr std::uint32_t kPrimesToLast = 78'498;

struct Calibration {
  std::chrono::nanoseconds here{};  // CPU time of one run, the median of all
  std::chrono::nanoseconds on_lambda{kPrimesOnLambda};
  int runs = 0;
  bool operator==(const Calibration&) const = default;
};

struct CalibrationPlan {
  // CPU time that the calling thread has used.
  std::function<std::chrono::nanoseconds()> cpu_time;
  // Ours: long enough for the clock of the CPU to settle, short enough to wait for.
  std::chrono::nanoseconds budget = std::chrono::seconds{3};
  std::chrono::nanoseconds on_lambda{kPrimesOnLambda};
  std::function<void(double done)> progress = {};  // from 0 to 1; may be empty
};

// At least three runs, whatever the budget.
Calibration calibrate(const CalibrationPlan& plan);

// What to multiply CPU quotas with, to two figures: a host that is faster needs less of its CPU.
// Within the limits that --cpu-scale has.
double cpu_scale(const Calibration& calibration);

std::string as_text(const Calibration& calibration);
std::string as_json(const Calibration& calibration);

}  // namespace emulator::app
