// How far the snapshot of a version with SnapStart is.
//
// Values only; any thread.
#pragma once

#include "emulator/environment/outcome.h"

#include <cstdint>
#include <optional>

namespace emulator::environment {

struct SnapshotStatus {
  // Until the first one is made the version cannot be invoked, and where that fails it never can.
  enum class State : std::uint8_t { none, pending, active, failed } state = State::none;
  std::optional<Outcome> failure{};  // how its Init failed
};

}  // namespace emulator::environment
