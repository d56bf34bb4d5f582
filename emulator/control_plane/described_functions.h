// Functions that were described to Hearth itself, on the command line or in a template, as
// functions of the service.
//
// Any thread.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/functions/function.h"

#include <tl/expected.hpp>

namespace emulator::control_plane {

// Makes the function, or gives the one that is there already this code and configuration, if it was
// described otherwise before; its versions, aliases and settings stay. Refuses what is not UTF-8.
tl::expected<void, registry::RegistryError> put_described(
    const functions::FunctionConfiguration& described, ServiceWorld& world);

}  // namespace emulator::control_plane
