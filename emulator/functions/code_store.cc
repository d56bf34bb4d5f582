#include "emulator/functions/code_store.h"

#include "emulator/functions/base64.h"
#include "emulator/functions/package_writer.h"

#include <openssl/evp.h>

#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <system_error>
#include <vector>

namespace emulator::functions {
namespace {

namespace fs = std::filesystem;
using Kind = CodePackageError::Kind;

constexpr std::size_t kDigestBytes = 32;
constexpr auto kPackage = "package.zip";
constexpr auto kUnzipped = "unzipped";
constexpr auto kUnzippedBytes = "unzipped_bytes";
// What TemporaryFolder's names begin with, hidden: nothing of the user's is called so.
constexpr std::string_view kUnfinished = ".hearth-";

using Digest = std::array<unsigned char, kDigestBytes>;

tl::unexpected<CodePackageError> refuse(Kind kind, std::string message) {
  return tl::unexpected(CodePackageError{kind, std::move(message)});
}

tl::unexpected<CodePackageError> host_error(const fs::path& path,
                                            std::string_view act,
                                            const std::string& reason) {
  return refuse(Kind::host,
                "cannot " + std::string(act) + " " + path.string() + ": " + reason +
                    "; see that this user may write there and that its disk has room");
}

tl::unexpected<CodePackageError> too_large(std::int64_t bytes, std::int64_t max_bytes) {
  return refuse(Kind::too_large,
                "the .zip file: unzipped it has " + std::to_string(bytes) +
                    " bytes, and there is room for " + std::to_string(max_bytes) +
                    "; leave out what is not needed at run time");
}

std::string reason(int number) { return std::generic_category().message(number); }

tl::expected<Digest, CodePackageError> digest_of(std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  if (::EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, ::EVP_sha256(), nullptr) !=
          1 ||
      size != kDigestBytes) {
    return refuse(Kind::host, "libcrypto has no SHA-256 here; see its configuration, openssl.cnf");
  }
  return digest;
}

std::string hex_of(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const auto byte : digest) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 0xfU];
  }
  return hex;
}

// Guards the names of entries: a digest comes from outside, and a path must not.
bool is_digest(std::string_view hex) {
  return hex.size() == 2 * kDigestBytes &&
         hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

tl::expected<void, CodePackageError> write_file(PackageWriter& writer,
                                                std::string_view name,
                                                std::string_view bytes) {
  return writer.file(
      name,
      0600,
      [&](char* buffer, std::size_t size) -> tl::expected<std::size_t, CodePackageError> {
        const auto copied = bytes.copy(buffer, size);
        bytes.remove_prefix(copied);
        return copied;
      });
}

// Sentences of unpack_zip begin with the file, which nobody but us knows and which is gone by then.
CodePackageError without_path(CodePackageError error, const fs::path& package) {
  const auto path = package.string();
  if (error.message.starts_with(path)) error.message.replace(0, path.size(), "the .zip file");
  return error;
}

// Makes the entry's files in `folder` and gives the bytes that were unpacked.
tl::expected<std::int64_t, CodePackageError> fill_entry(const fs::path& folder,
                                                        std::string_view zip_bytes,
                                                        std::int64_t max_unzipped_bytes) {
  constexpr std::int64_t kRoomForTheCount = 32;
  auto writer =
      PackageWriter::open(folder, static_cast<std::int64_t>(zip_bytes.size()) + kRoomForTheCount);
  if (!writer) return tl::unexpected(writer.error());
  writer->set_origin(folder.parent_path().string());
  if (auto done = write_file(*writer, kPackage, zip_bytes); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = writer->folder(kUnzipped, 0755); !done) return tl::unexpected(done.error());
  const auto bytes = unpack_zip(folder / kPackage, folder / kUnzipped, max_unzipped_bytes);
  if (!bytes) return tl::unexpected(without_path(bytes.error(), folder / kPackage));
  if (auto done = write_file(*writer, kUnzippedBytes, std::to_string(*bytes)); !done) {
    return tl::unexpected(done.error());
  }
  return *bytes;
}

// Of an entry, as fill_entry counted them; nullopt if it is not what fill_entry left, such as after
// a power cut.
std::optional<std::int64_t> unzipped_bytes_of(const fs::path& entry, std::int64_t zip_bytes) {
  std::error_code failed;
  const auto size = fs::file_size(entry / kPackage, failed);
  std::int64_t bytes = -1;
  std::ifstream file(entry / kUnzippedBytes);
  if (failed || static_cast<std::int64_t>(size) != zip_bytes || !(file >> bytes) || bytes < 0) {
    return std::nullopt;
  }
  return bytes;
}

void remove_files(const fs::path& folder) { TemporaryFolder::adopt(folder); }

// The entry vanishes at once, and its files lie where this says until they are removed. Needs no
// room on a disk that is full.
std::optional<fs::path> bury_entry(const fs::path& entry) {
  auto grave = entry.parent_path() / kUnfinished;
  grave += entry.filename();
  remove_files(grave);  // of an earlier life of the entry, which may be under way
  std::error_code failed;
  fs::rename(entry, grave, failed);
  return failed ? std::nullopt : std::optional(grave);
}

void remove_entry(const fs::path& entry) {
  if (const auto grave = bury_entry(entry)) remove_files(*grave);
}

template <typename Chosen>
std::vector<fs::path> choose(const fs::path& folder, std::error_code& failed, Chosen chosen) {
  std::vector<fs::path> paths;
  auto at = fs::directory_iterator(folder, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    if (chosen(at->path().filename().string())) paths.push_back(at->path());
  }
  return paths;
}

}  // namespace

// Any thread. Kept alive by the holds; forsaken by the store.
class CodeStore::Uses : public std::enable_shared_from_this<Uses> {
 public:
  explicit Uses(fs::path folder) : folder_(std::move(folder)) {}

  void ask(Named named) {
    const std::lock_guard lock(mutex_);
    named_ = std::make_shared<const Named>(std::move(named));
  }

  // The store is gone: what lies in its folder stays as it is.
  void forsake() {
    const std::lock_guard lock(mutex_);
    forsaken_ = true;
  }

  CodeHold hold(const std::string& hash) {
    {
      const std::lock_guard lock(mutex_);
      take(hash);
    }
    return made_hold(hash);
  }

  CodeHold hold_until_named(const std::string& hash) {
    {
      const std::lock_guard lock(mutex_);
      auto& use = take(hash);
      use.discarded = use.discarded || named_ != nullptr;
    }
    return made_hold(hash);
  }

  void discard(const std::string& hash) {
    {
      const std::lock_guard lock(mutex_);
      auto& use = uses_[hash];
      use.discarded = true;
      if (use.holds > 0) return;
    }
    remove_if_unnamed(hash);
  }

 private:
  struct Use {
    std::size_t holds = 0;
    std::uint64_t taken = 0;  // how often, so that a decision to remove is known to be overtaken
    bool discarded = false;   // somebody has stopped naming it, or has never begun
  };

  Use& take(const std::string& hash) {
    auto& use = uses_[hash];
    ++use.holds;
    ++use.taken;
    return use;
  }

  CodeHold made_hold(const std::string& hash) {
    return {static_cast<const void*>(this),
            [self = shared_from_this(), hash](const void*) { self->release(hash); }};
  }

  void release(const std::string& hash) {
    {
      const std::lock_guard lock(mutex_);
      auto& use = uses_.at(hash);
      if (--use.holds > 0) return;
      if (!use.discarded) {
        uses_.erase(hash);
        return;
      }
    }
    remove_if_unnamed(hash);
  }

  void remove_if_unnamed(const std::string& hash) {
    std::uint64_t taken = 0;
    std::shared_ptr<const Named> ask;
    {
      const std::lock_guard lock(mutex_);
      const auto use = uses_.find(hash);
      if (forsaken_ || use == uses_.end() || use->second.holds > 0) return;
      taken = use->second.taken;
      ask = named_;
    }
    const bool named = ask && (*ask)(hash);
    std::optional<fs::path> grave;
    {
      const std::lock_guard lock(mutex_);
      const auto use = uses_.find(hash);
      // Somebody took it meanwhile, and may have named it: the decision is theirs.
      if (use == uses_.end() || use->second.holds > 0 || use->second.taken != taken) return;
      uses_.erase(use);
      if (named) return;
      grave = bury_entry(folder_ / hash);
    }
    if (grave) remove_files(*grave);
  }

  const fs::path folder_;
  std::mutex mutex_;  // guards what follows, and the removal of entries
  std::shared_ptr<const Named> named_;
  bool forsaken_ = false;
  std::map<std::string, Use> uses_;
};

CodeStore::CodeStore(fs::path folder)
    : folder_(std::move(folder)), uses_(std::make_shared<Uses>(folder_)) {}

CodeStore::~CodeStore() { uses_->forsake(); }

void CodeStore::ask_before_removing(Named named) { uses_->ask(std::move(named)); }

tl::expected<std::unique_ptr<CodeStore>, CodePackageError> CodeStore::open(const fs::path& path) {
  const auto folder = path.has_filename() ? path : path.parent_path();  // no slash at its end
  std::error_code failed;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), failed);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return host_error(folder, "make the folder for code", reason(errno));
  }
  const auto leftovers =
      choose(folder, failed, [](const std::string& name) { return name.starts_with(kUnfinished); });
  if (failed) return host_error(folder, "read the folder for code", failed.message());
  for (const auto& leftover : leftovers) remove_files(leftover);
  return std::unique_ptr<CodeStore>(new CodeStore(folder));
}

tl::expected<StoredCode, CodePackageError> CodeStore::add(std::string_view zip_bytes,
                                                          std::int64_t max_unzipped_bytes) {
  const auto digest = digest_of(zip_bytes);
  if (!digest) return tl::unexpected(digest.error());
  StoredCode code{.sha256_hex = hex_of(*digest),
                  .sha256_base64 = base64_encoded(
                      {reinterpret_cast<const char*>(digest->data()), digest->size()}),
                  .zip_bytes = static_cast<std::int64_t>(zip_bytes.size())};
  // Before it is looked for, so that nobody removes it from here on.
  code.hold = uses_->hold_until_named(code.sha256_hex);
  if (const auto known = entry(code.sha256_hex)) {
    if (const auto bytes = unzipped_bytes_of(*known, code.zip_bytes)) {
      if (*bytes > max_unzipped_bytes) return too_large(*bytes, max_unzipped_bytes);
      code.unzipped_bytes = *bytes;
      return code;
    }
    remove_entry(*known);
  }
  const auto made = TemporaryFolder::create(folder_, kUnfinished);
  if (!made) return tl::unexpected(made.error());
  const auto& folder = (*made)->path();
  const auto bytes = fill_entry(folder, zip_bytes, max_unzipped_bytes);
  if (!bytes) return tl::unexpected(bytes.error());
  code.unzipped_bytes = *bytes;
  // When another thread has put the same content there meanwhile, that one is as good.
  if (::rename(folder.c_str(), (folder_ / code.sha256_hex).c_str()) != 0 && errno != EEXIST &&
      errno != ENOTEMPTY) {
    return host_error(folder_ / code.sha256_hex, "make", reason(errno));
  }
  return code;
}

std::optional<fs::path> CodeStore::entry(std::string_view sha256_hex) const {
  if (!is_digest(sha256_hex)) return std::nullopt;
  auto path = folder_ / sha256_hex;
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return std::nullopt;
  return path;
}

std::optional<fs::path> CodeStore::zip_of(std::string_view sha256_hex) const {
  const auto found = entry(sha256_hex);
  if (!found) return std::nullopt;
  return *found / kPackage;
}

std::optional<fs::path> CodeStore::folder_of(std::string_view sha256_hex) const {
  const auto found = entry(sha256_hex);
  if (!found) return std::nullopt;
  return *found / kUnzipped;
}

void CodeStore::keep_only(const std::set<std::string>& hashes) {
  std::error_code failed;
  const auto unnamed = choose(folder_, failed, [&](const std::string& name) {
    return is_digest(name) && !hashes.contains(name);
  });
  for (const auto& path : unnamed) remove_entry(path);
}

CodeHold CodeStore::hold(const std::string& sha256_hex) { return uses_->hold(sha256_hex); }

void CodeStore::discard(const std::string& sha256_hex) {
  if (is_digest(sha256_hex)) uses_->discard(sha256_hex);
}

}  // namespace emulator::functions
