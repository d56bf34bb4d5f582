// Code by its content: .zip packages, kept and unpacked, each once under its SHA-256 digest.
//
//   <folder>/<sha256 in hex>/package.zip      the bytes as they came
//   <folder>/<sha256 in hex>/unzipped/        what is in them, for /var/task or /opt
//   <folder>/<sha256 in hex>/unzipped_bytes   how much that is, as the quota counts
//   <folder>/.hearth-*/                       an entry that is being made or removed
//
// An entry appears and disappears with one rename, so a kill at any instant leaves it complete or
// not at all. Data is not forced to the disk: a power cut may take entries that are seconds old.
#pragma once

#include "emulator/functions/code_package.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace emulator::functions {

// Keeps an entry in the store while it, or a copy, lives. One that outlives the store does nothing.
using CodeHold = std::shared_ptr<const void>;

struct StoredCode {
  std::string sha256_hex;     // its name in the store
  std::string sha256_base64;  // MODEL: CodeSha256 of a function or layer
  std::int64_t zip_bytes = 0;
  std::int64_t unzipped_bytes = 0;
  CodeHold hold{};  // for whoever added it, until somebody names it
};

// Any thread; at once, and for the same content too. Several processes must not share a folder.
class CodeStore {
 public:
  // Makes the folder with mode 0700 if it is missing, and removes what a killed process left half
  // made; nothing else that may lie in it.
  static tl::expected<std::unique_ptr<CodeStore>, CodePackageError> open(
      const std::filesystem::path& path);

  CodeStore(const CodeStore&) = delete;
  CodeStore& operator=(const CodeStore&) = delete;
  ~CodeStore();

  // Asked whether somebody names an entry, when nobody holds it any more; one that nobody names by
  // then is removed. Without it what was added stays until it is discarded. Set once, before
  // anything is added; called with no lock held, and never after the store is gone.
  using Named = std::function<bool(const std::string& sha256_hex)>;
  void ask_before_removing(Named named);

  // Keeps the package and unpacks it as unpack_zip does. What it holds already is not unpacked
  // again, unless it was damaged, and is refused like new content if it is larger than this call's
  // limit. After an error nothing stays.
  tl::expected<StoredCode, CodePackageError> add(std::string_view zip_bytes,
                                                 std::int64_t max_unzipped_bytes);

  // Of an entry, by its hexadecimal digest; nullopt if there is none. Valid until it is removed.
  std::optional<std::filesystem::path> zip_of(std::string_view sha256_hex) const;
  std::optional<std::filesystem::path> folder_of(std::string_view sha256_hex) const;

  // Removes what none of these names any more. What is added meanwhile and not named may go too,
  // so this is for the start, when it is known what is left and nothing new comes.
  void keep_only(const std::set<std::string>& hashes);

  // For what needs the entry's files although nobody may name it any more.
  CodeHold hold(const std::string& sha256_hex);

  // Somebody names the entry no more. It is removed when nobody does and nobody holds it, now or
  // when the last hold goes.
  void discard(const std::string& sha256_hex);

 private:
  class Uses;  // who holds what, shared with the holds
  explicit CodeStore(std::filesystem::path folder);

  std::optional<std::filesystem::path> entry(std::string_view sha256_hex) const;

  const std::filesystem::path folder_;
  const std::shared_ptr<Uses> uses_;
};

}  // namespace emulator::functions
