// What Hearth shows of itself beside the Lambda API: health, environments, invocations, metrics.
#pragma once

#include "emulator/app/emulator.h"
#include "emulator/control_plane/server.h"

#include <functional>
#include <vector>

namespace emulator::app {

// Invocations listed when the caller asks for no number.
inline constexpr std::size_t kListedInvocations = 100;
inline constexpr std::size_t kListedTraces = 100;

// The emulator, or nullptr while it is being built; then the routes answer 503.
using FindEmulator = std::function<Emulator*()>;

// The emulator must outlive the server that the routes are given to.
std::vector<control_plane::ExtraRoute> inspection_routes(const FindEmulator& find);

}  // namespace emulator::app
