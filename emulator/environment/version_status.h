// How far a version is that is made ready before anybody invokes it: the snapshot of one with
// SnapStart, the least environments of one on Managed Instances.
//
// Values only; any thread.
#pragma once

#include "emulator/environment/outcome.h"

#include <cstdint>
#include <optional>

namespace emulator::environment {

struct VersionStatus {
  // Pending until they are there for the first time. `none`: nothing of it is kept ahead.
  enum class State : std::uint8_t { none, pending, active, failed } state = State::none;
  std::optional<Outcome> failure{};  // how its Init failed
};

}  // namespace emulator::environment
