#include "emulator/functions/zip_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

namespace emulator::functions {
namespace {

namespace fs = std::filesystem;
using Kind = CodePackageError::Kind;

struct FreeArchive {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

tl::unexpected<CodePackageError> refuse(Kind kind, const fs::path& path, std::string_view why) {
  return tl::unexpected(CodePackageError{
      kind, "cannot pack " + path.string() + ": " + std::string(why) + "; mend or remove it"});
}

la_ssize_t append(archive* /*unused*/, void* bytes, const void* data, std::size_t size) {
  static_cast<std::string*>(bytes)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

class ZipWriter {
 public:
  ZipWriter(std::int64_t max_bytes, std::string& into) : left_(max_bytes) {
    archive_write_set_format_zip(zip_.get());
    // Names are the file system's bytes, which are UTF-8 wherever that matters.
    archive_write_set_options(zip_.get(), "zip:hdrcharset=UTF-8");
    archive_write_set_bytes_in_last_block(zip_.get(), 1);
    archive_write_open(zip_.get(), &into, nullptr, append, nullptr);
  }

  tl::expected<void, CodePackageError> add(const fs::path& path, const std::string& name) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
      return refuse(Kind::host, path, std::generic_category().message(errno));
    }
    const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_mode(entry.get(), status.st_mode);
    if (S_ISREG(status.st_mode)) return add_file(path, status.st_size, entry.get());
    if (S_ISLNK(status.st_mode)) {
      std::error_code error;
      archive_entry_set_symlink(entry.get(), fs::read_symlink(path, error).c_str());
    } else if (!S_ISDIR(status.st_mode)) {
      return refuse(Kind::unsafe, path, "code holds files, folders and links only");
    }
    archive_entry_set_size(entry.get(), 0);
    return header(path, entry.get());
  }

  tl::expected<void, CodePackageError> close(const fs::path& folder) {
    if (archive_write_close(zip_.get()) >= ARCHIVE_WARN) return {};
    return refuse(Kind::host, folder, message());
  }

 private:
  tl::expected<void, CodePackageError> add_file(const fs::path& path,
                                                std::int64_t size,
                                                archive_entry* entry) {
    left_ -= size;
    if (left_ < 0) return refuse(Kind::too_large, path, "the folder is larger than Lambda allows");
    std::ifstream file(path, std::ios::binary);
    if (!file) return refuse(Kind::host, path, "it cannot be read");
    archive_entry_set_size(entry, size);
    if (auto begun = header(path, entry); !begun) return begun;
    std::array<char, 64 * 1024> buffer{};
    while (size > 0) {
      const auto wanted = std::min<std::int64_t>(size, buffer.size());
      file.read(buffer.data(), wanted);
      if (file.gcount() == 0) return refuse(Kind::host, path, "it shrank while it was read");
      const auto written =
          archive_write_data(zip_.get(), buffer.data(), static_cast<std::size_t>(file.gcount()));
      if (written < 0) return refuse(Kind::host, path, message());
      size -= file.gcount();
    }
    return {};
  }

  tl::expected<void, CodePackageError> header(const fs::path& path, archive_entry* entry) {
    if (archive_write_header(zip_.get(), entry) >= ARCHIVE_WARN) return {};
    return refuse(Kind::host, path, message());
  }

  std::string message() const {
    const auto* text = archive_error_string(zip_.get());
    return text != nullptr ? text : "the archive cannot be written";
  }

  std::int64_t left_;
  std::unique_ptr<archive, FreeArchive> zip_{archive_write_new()};
};

}  // namespace

tl::expected<std::string, CodePackageError> zip_of_folder(const fs::path& folder,
                                                          std::int64_t max_bytes) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator();
       at.increment(error)) {
    paths.push_back(at->path());
    if (paths.size() > kMaxArchiveEntries) {
      return refuse(Kind::too_large, folder, "it holds too many files");
    }
  }
  if (error) return refuse(Kind::host, folder, error.message());
  std::sort(paths.begin(), paths.end());
  std::string bytes;
  ZipWriter writer(max_bytes, bytes);
  for (const auto& path : paths) {
    if (auto added = writer.add(path, path.lexically_relative(folder).string()); !added) {
      return tl::unexpected(std::move(added.error()));
    }
  }
  if (auto closed = writer.close(folder); !closed) return tl::unexpected(std::move(closed.error()));
  return bytes;
}

}  // namespace emulator::functions
