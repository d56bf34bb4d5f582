#include "emulator/sandbox/cpu_schedule.h"

#include <catch2/catch_test_macros.hpp>

#include <chrono>

using namespace emulator::sandbox;
using namespace std::chrono_literals;
using Time = CpuBudget::Time;

TEST_CASE("a budget is spent once its quota is used, until the period ends", "[cpu_schedule]") {
  CpuBudget budget(2ms, 20ms, 0ms);
  CHECK(budget.next_look(0ms) == 2ms);
  budget.use(1500us);
  CHECK_FALSE(budget.spent());
  CHECK(budget.next_look(2ms) == 2500us);
  budget.use(500us);
  CHECK(budget.spent());
  CHECK(budget.next_look(3ms) == 20ms);
  budget.advance(19ms);
  CHECK(budget.spent());
  budget.advance(20ms);
  CHECK_FALSE(budget.spent());
  CHECK(budget.period_end() == 40ms);
}

TEST_CASE("what was used too much is taken from the next periods", "[cpu_schedule]") {
  CpuBudget budget(2ms, 20ms, 0ms);
  budget.use(7ms);
  budget.advance(20ms);
  CHECK(budget.spent());
  budget.advance(40ms);
  CHECK(budget.spent());
  budget.advance(60ms);
  CHECK_FALSE(budget.spent());
  CHECK(budget.next_look(60ms) == 61ms);
}

TEST_CASE("what was not used is lost", "[cpu_schedule]") {
  CpuBudget budget(2ms, 20ms, 0ms);
  budget.advance(100ms);
  CHECK(budget.next_look(100ms) == 102ms);
}

TEST_CASE("periods that passed unseen are made up for at once", "[cpu_schedule]") {
  CpuBudget budget(2ms, 20ms, 0ms);
  budget.use(5ms);
  budget.advance(75ms);
  CHECK_FALSE(budget.spent());
  CHECK(budget.period_end() == 80ms);
}

TEST_CASE("the share over many periods is the quota's, however late each look comes",
          "[cpu_schedule]") {
  // One thread that always runs when it may, and looks that come 300 us late.
  CpuBudget budget(1447us, 20ms, 0ms);
  Time now{};
  Time used{};
  bool runs = true;
  while (now < 60s) {
    const auto next = budget.next_look(now) + 300us;
    if (runs) {
      budget.use(next - now);
      used += next - now;
    }
    now = next;
    budget.advance(now);
    runs = !budget.spent();
  }
  const double share = static_cast<double>(used.count()) / static_cast<double>(now.count());
  CHECK(share > 0.995 * 1447 / 20'000);
  CHECK(share < 1.005 * 1447 / 20'000);
}
