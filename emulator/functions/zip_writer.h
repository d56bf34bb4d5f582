// A folder of code → the bytes of a .zip file.
#pragma once

#include "emulator/functions/code_package.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <string>

namespace emulator::functions {

// Files, folders and symbolic links as they are, with their modes, in the order of their names, and
// without their times: the same content gives the same bytes. Other kinds of files are refused, and
// so is more than `max_bytes` of content. Any thread.
tl::expected<std::string, CodePackageError> zip_of_folder(
    const std::filesystem::path& folder, std::int64_t max_bytes = kMaxUnzippedBytes);

}  // namespace emulator::functions
