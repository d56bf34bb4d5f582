// --image: a container image in place of code, root and command.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/app/function_options.h"

#include <tl/expected.hpp>

namespace emulator::app {

// The same options with --image unpacked: its root, and its command where none was given; without
// --image, just the same. Unpacking takes seconds, once. Any thread; reads the process's
// environment.
tl::expected<FunctionOptions, AppError> with_image(FunctionOptions options);

}  // namespace emulator::app
