// A function's code and layers → folders that can be mounted as /var/task and /opt.
//
// A folder is used in place and never copied; a .zip file is unpacked into a temporary folder.
// Several layers are merged, in order, into one temporary folder, where a later layer's file
// replaces an earlier one's; a single layer that is a folder is used in place.
//
// What comes out of a .zip file is a stranger's: no entry may leave the folder it is unpacked into
// (absolute names, "..", links that lead outside, names that pass through a link), only files,
// folders and symbolic links are made, set-user-id bits are dropped, and everything is counted
// while it is written, so that a bomb stops at the quota. A failure leaves nothing behind.
//
// Threads: functions may be called from any thread at once, for different destinations; objects
// belong to one owner.
#pragma once

#include "emulator/functions/function.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::functions {

// Function code and all its layers together, unzipped. Source: AWS Lambda quotas, "Deployment
// package (.zip file archive) size: 250 MB", which is 262,144,000 bytes.
inline constexpr std::int64_t kMaxUnzippedBytes = 262'144'000;
// Our choice: a .zip of empty files would pass the quota above and use up the disk's inodes.
inline constexpr std::size_t kMaxArchiveEntries = 200'000;

struct CodePackageError {
  enum class Kind {
    missing,    // no such file or folder
    malformed,  // not a readable .zip file
    unsafe,     // would leave the folder, or asks for what code may not hold
    too_large,  // beyond a limit above
    host,       // this machine refused; the sentence has its reason
  };
  Kind kind;
  std::string message;  // what, where and how to mend it
};

// A folder of our own that is removed with everything in it. Mode 0700, made with mkdtemp.
class TemporaryFolder {
 public:
  // Makes the folder inside `parent`, which must exist; its name begins with `prefix`.
  static tl::expected<std::unique_ptr<TemporaryFolder>, CodePackageError> create(
      const std::filesystem::path& parent, std::string_view prefix = "hearth-");
  // Takes over a folder that an earlier process made and left.
  static std::unique_ptr<TemporaryFolder> adopt(std::filesystem::path folder);

  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  TemporaryFolder(TemporaryFolder&&) = delete;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

struct CodePackage {
  std::filesystem::path task;    // for /var/task; empty when the configuration names no code
  std::filesystem::path layers;  // for /opt; empty when there are no layers
  std::int64_t unzipped_bytes = 0;
  // Owns what was unpacked; `task` and `layers` are gone with it.
  std::vector<std::unique_ptr<TemporaryFolder>> unpacked;
};

// Opens configuration.code and configuration.layers. Temporary folders are made inside `parent`.
tl::expected<CodePackage, CodePackageError> open_code_package(
    const FunctionConfiguration& configuration, const std::filesystem::path& parent);

// Unpacks a .zip file into `folder`, which must exist and be empty, and gives the bytes written.
// Execute bits are kept; entries without Unix modes become 0644 and 0755.
tl::expected<std::int64_t, CodePackageError> unpack_zip(const std::filesystem::path& zip,
                                                        const std::filesystem::path& folder,
                                                        std::int64_t max_bytes = kMaxUnzippedBytes);

// Code that is at hand as text, such as a template's inline code: name → content. A name is one
// plain file name.
tl::expected<std::unique_ptr<TemporaryFolder>, CodePackageError> write_code_files(
    const std::map<std::string, std::string>& files, const std::filesystem::path& parent);

}  // namespace emulator::functions
