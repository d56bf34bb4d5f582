// Starts a program that does nothing, over and over, in the sandbox that functions get here, and
// reads what each step of the start took.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/app/cold_start_table.h"
#include "emulator/sandbox/host_capabilities.h"
#include "emulator/sandbox/isolation_plan.h"

#include <tl/expected.hpp>

#include <functional>
#include <vector>

namespace emulator::app {

struct ColdStartMeasurement {
  sandbox::IsolationPlan plan;
  int starts = 50;
  std::function<void(double done)> progress = {};  // from 0 to 1; may be empty
};

// One after another, each in a sandbox of its own.
tl::expected<std::vector<StartTimes>, AppError> measure_cold_starts(
    const ColdStartMeasurement& measurement);

}  // namespace emulator::app
