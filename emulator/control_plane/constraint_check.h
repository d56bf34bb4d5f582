// Whether the members of an input hold what the service model asks of them, and how the service
// says which do not.
//
// Source of the texts: REC for patterns, lengths, values, enumerations, members that are missing,
// and entries of lists and maps; INF for the order of several violations.
//
// Pure; any thread.
#pragma once

#include "emulator/control_plane/model_shape.h"
#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <cstddef>

namespace emulator::control_plane {

// Of a value in a message; the rest is left out. Ours: as much as a reader can use.
inline constexpr std::size_t kMaxShownValueBytes = 1024;

// Violations that a message lists; all are counted. Ours, for the same reason.
inline constexpr std::size_t kMaxShownViolations = 20;

// `input` has the types that the shape has.
tl::expected<void, ServiceError> check_constraints(const ModelShape& shape, const Document& input);

}  // namespace emulator::control_plane
