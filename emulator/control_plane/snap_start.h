// What the Lambda API says of SnapStart: which functions can have it, what has become of a
// version's snapshot, and how an invocation is refused whose environment could not be restored.
//
// Pure functions; any thread.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/snapshot_status.h"

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

// The configuration of a published version, with the state that its snapshot gives it: Pending,
// Active, or Failed and why. Source of the codes: service model, StateReasonCode; the sentences are
// ours.
Document with_snapshot_state(Document configuration,
                             const std::optional<environment::SnapshotStatus>& snapshot);

// SnapStartTimeoutException or SnapStartException. Source of names and statuses: service model.
ServiceError from_restore_failure(const environment::RestoreFailed& failed);

}  // namespace emulator::control_plane
