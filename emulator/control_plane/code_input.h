// The code that a caller gives: a .zip in the request, or a folder of this machine that is used in
// place. Becomes a place in the code store, and what the API tells of it.
//
// Threads: any; takes as long as unpacking does.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// The bucket that stands for "use this folder as it is". Source: the name that LocalStack's users
// know.
inline constexpr std::string_view kHotReloadBucket = "hot-reload";

struct AcceptedCode {
  registry::CodeSource source;
  std::string sha256_base64;  // as CodeSha256
  std::int64_t zip_bytes = 0;
  std::int64_t unzipped_bytes = 0;
  functions::CodeHold hold{};  // of a package, until the registry names it
};

// `code` holds ZipFile, or S3Bucket and S3Key. `unzipped_limit` is what is left of 250 MB beside
// the function's layers.
tl::expected<AcceptedCode, ServiceError> accept_code(const Document& code,
                                                     const ServiceWorld& world,
                                                     std::int64_t unzipped_limit);

// A folder as code, for functions that are described on the command line too.
AcceptedCode folder_as_code(const std::filesystem::path& folder);

}  // namespace emulator::control_plane
