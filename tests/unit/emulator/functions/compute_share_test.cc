#include "emulator/functions/compute_share.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::functions;
using namespace std::chrono_literals;

TEST_CASE("memory buys CPU time in proportion, one CPU at 1,769 MB", "[functions]") {
  struct Row {
    std::int64_t memory_mb;
    std::chrono::microseconds quota;
  };
  constexpr Row kRows[] = {{128, 1'447us},
                           {256, 2'894us},
                           {512, 5'789us},
                           {1'024, 11'577us},
                           {1'769, 20'000us},
                           {3'008, 34'008us},
                           {3'538, 40'000us},
                           {10'240, 115'772us}};
  for (const auto& row : kRows) {
    INFO(row.memory_mb);
    CHECK(cpu_quota(row.memory_mb) == row.quota);
  }
}

TEST_CASE("a scale multiplies the share, rounded to the microsecond", "[functions]") {
  CHECK(cpu_quota(1'769, 0.5) == 10ms);
  CHECK(cpu_quota(1'769, 2.0) == 40ms);
  CHECK(cpu_quota(128, 0.5) == 724us);
  CHECK(init_cpu_quota(128, 0.5) == 20ms);
}

TEST_CASE("init has two CPUs, and never less than what follows it", "[functions]") {
  CHECK(init_cpu_quota(128) == 40ms);
  CHECK(init_cpu_quota(1'769) == 40ms);
  CHECK(init_cpu_quota(3'538) == 40ms);
  for (const std::int64_t memory_mb : {3'539, 5'308, 10'240}) {
    INFO(memory_mb);
    CHECK(init_cpu_quota(memory_mb) == cpu_quota(memory_mb));
    CHECK(init_cpu_quota(memory_mb, 3.0) == cpu_quota(memory_mb, 3.0));
  }
}

TEST_CASE("a function sees two CPUs up to 3,008 MB and six at most", "[functions]") {
  struct Step {
    std::int64_t last_mb;
    int cpus;
  };
  constexpr Step kSteps[] = {{3'008, 2}, {5'307, 3}, {7'076, 4}, {8'845, 5}};
  CHECK(visible_cpus(128) == 2);
  for (const auto& step : kSteps) {
    INFO(step.last_mb);
    CHECK(visible_cpus(step.last_mb) == step.cpus);
    CHECK(visible_cpus(step.last_mb + 1) == step.cpus + 1);
  }
  CHECK(visible_cpus(10'240) == 6);
}

TEST_CASE("no memory size has a greater share than the CPUs that it sees", "[functions]") {
  for (std::int64_t memory_mb = 128; memory_mb <= 10'240; ++memory_mb) {
    INFO(memory_mb);
    CHECK(cpu_quota(memory_mb) <= visible_cpus(memory_mb) * kSchedulingPeriod);
  }
}
