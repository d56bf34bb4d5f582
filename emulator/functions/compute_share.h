// How much CPU a memory size buys. The only place that knows the ratio.
//
// Values only; any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace emulator::functions {

// Source: developer guide, "Configure Lambda function memory": at 1,769 MB a function has the
// equivalent of one vCPU; CPU is in proportion to memory.
inline constexpr std::int64_t kMemoryOfOneCpuMb = 1'769;

// Source: measured on the service by others, pwrdrvr/lambda-throttling, 2025-03.
inline constexpr std::chrono::microseconds kSchedulingPeriod{20'000};

// CPU time in each scheduling period, over all processes. `scale` is how many of this host's
// CPU-seconds do the work of one of Lambda's.
constexpr std::chrono::microseconds cpu_quota(std::int64_t memory_mb, double scale = 1.0) {
  const double share = static_cast<double>(memory_mb) / static_cast<double>(kMemoryOfOneCpuMb);
  const double exact = share * scale * static_cast<double>(kSchedulingPeriod.count());
  // NOLINTNEXTLINE(bugprone-incorrect-roundings): positive, and std::lround is no constant
  return std::chrono::microseconds{static_cast<std::int64_t>(exact + 0.5)};
}

// CPUs that the function's processes can see. Source: measured on the service by others,
// rwnx/lambda-cpuinfo.
constexpr int visible_cpus(std::int64_t memory_mb) {
  if (memory_mb <= 3'008) return 2;
  if (memory_mb <= 5'307) return 3;
  if (memory_mb <= 7'076) return 4;
  if (memory_mb <= 8'845) return 5;
  return 6;
}

// During init the quota is relaxed to about two CPUs whatever the memory size. Source: inferred
// from measurements by others; not documented.
inline constexpr std::int64_t kInitCpus = 2;
constexpr std::chrono::microseconds init_cpu_quota(std::int64_t memory_mb, double scale = 1.0) {
  const auto relaxed = cpu_quota(kInitCpus * kMemoryOfOneCpuMb, scale);
  const auto own = cpu_quota(memory_mb, scale);
  return own < relaxed ? relaxed : own;
}

static_assert(cpu_quota(1'769) == kSchedulingPeriod);
static_assert(cpu_quota(128).count() == 1'447);
static_assert(init_cpu_quota(128) == 2 * kSchedulingPeriod);
static_assert(visible_cpus(3'009) == 3);

}  // namespace emulator::functions
