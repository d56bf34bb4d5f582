// Writes files, folders and links below one folder and nowhere else. Used by code_package and
// code_store only.
//
// Every name is walked from the folder's descriptor, one component at a time, without following
// links; so a link that was written earlier can never carry a later file outside.
#pragma once

#include "emulator/functions/code_package.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::functions {

// One owner, one thread.
class PackageWriter {
 public:
  using Done = tl::expected<void, CodePackageError>;
  // Fills the buffer; 0 at the end.
  using Source = std::function<tl::expected<std::size_t, CodePackageError>(char*, std::size_t)>;

  static tl::expected<PackageWriter, CodePackageError> open(const std::filesystem::path& folder,
                                                            std::int64_t max_bytes);
  ~PackageWriter();
  PackageWriter(PackageWriter&& other) noexcept;
  PackageWriter& operator=(PackageWriter&&) = delete;
  PackageWriter(const PackageWriter&) = delete;
  PackageWriter& operator=(const PackageWriter&) = delete;

  // Names what is being unpacked in sentences.
  void set_origin(std::string origin) { origin_ = std::move(origin); }

  // A file or link of the same name is replaced. Modes: only permission bits are used, and the
  // owner can always read a file and enter a folder.
  Done folder(std::string_view name, mode_t mode);
  Done file(std::string_view name, mode_t mode, const Source& source);
  Done link(std::string_view name, const std::string& target);

  // Whether every link written so far stays inside the folder, followed to its end.
  Done check_links() const;

  std::int64_t written_bytes() const { return written_; }
  // An error if `bytes` more would pass the limit.
  Done admit(std::int64_t bytes) const;

 private:
  PackageWriter(int root, std::filesystem::path folder, std::int64_t max_bytes);
  CodePackageError error(CodePackageError::Kind kind, std::string message) const;
  CodePackageError host_error(std::string_view name, std::string_view act) const;
  tl::expected<std::vector<std::string>, CodePackageError> components(std::string_view name) const;
  // The descriptor of the folder that is to hold the last component; folders are made as needed.
  tl::expected<int, CodePackageError> open_parent(const std::vector<std::string>& parts) const;

  int root_;
  std::filesystem::path folder_;
  std::int64_t max_bytes_;
  std::int64_t written_ = 0;
  std::string origin_;
  std::vector<std::string> links_;
};

}  // namespace emulator::functions
