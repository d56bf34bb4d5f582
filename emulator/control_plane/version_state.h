// The state of a version that is made ready before anybody invokes it, as the Lambda API says it.
//
// Pure functions; any thread.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/environment/version_status.h"

#include <optional>

namespace emulator::control_plane {

// Whether published versions of such a function are: with SnapStart, and on Managed Instances.
bool is_made_ready(const Document& configuration);

// The configuration of a published version, with the state that it is in: Pending, Active, or
// Failed and why. Nothing known: as it is. Source of the codes: service model, StateReasonCode; the
// sentences are ours.
Document with_version_state(Document configuration,
                            const std::optional<environment::VersionStatus>& status);

}  // namespace emulator::control_plane
