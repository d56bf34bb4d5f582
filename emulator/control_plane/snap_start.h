// What the Lambda API says of SnapStart: which functions can have it, and how an invocation is
// refused whose environment could not be restored.
//
// Pure functions; any thread.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/environment/outcome.h"

#include <tl/expected.hpp>

namespace emulator::control_plane {

// Whether versions that are published of it are run from a snapshot.
bool uses_snap_start(const Document& configuration);

// Whether a function may have what `configuration` says beside SnapStart. Source of the rules:
// developer guide, "Improving startup performance with Lambda SnapStart"; of the sentences about
// runtimes and images: recorded, and the others are in their style.
tl::expected<void, ServiceError> check_snap_start(const Document& configuration);

// That provisioned concurrency is not to be had with it. Source: the same.
ServiceError not_with_snap_start(std::string_view feature);

// SnapStartTimeoutException or SnapStartException. Source of names and statuses: service model.
ServiceError from_restore_failure(const environment::RestoreFailed& failed);

}  // namespace emulator::control_plane
