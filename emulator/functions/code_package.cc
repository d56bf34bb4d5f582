#include "emulator/functions/code_package.h"

#include "emulator/functions/package_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <locale.h>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace emulator::functions {
namespace {

namespace fs = std::filesystem;
using Kind = CodePackageError::Kind;
using Done = PackageWriter::Done;

constexpr std::size_t kReadBlockBytes = std::size_t{64} * 1024;

tl::unexpected<CodePackageError> refuse(Kind kind, std::string message) {
  return tl::unexpected(CodePackageError{kind, std::move(message)});
}

std::string reason(int number) { return std::generic_category().message(number); }

// libarchive turns names into the thread's character set and loses what does not fit into it; the
// program's own locale is left alone.
class Utf8Names {
 public:
  Utf8Names() {
    // Made once, for all threads, and never freed.
    static const auto kUtf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (kUtf8) previous_ = ::uselocale(kUtf8);
  }
  ~Utf8Names() {
    if (previous_) ::uselocale(previous_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;
  Utf8Names(Utf8Names&&) = delete;
  Utf8Names& operator=(Utf8Names&&) = delete;

 private:
  locale_t previous_ = nullptr;
};

struct CloseArchive {
  void operator()(archive* opened) const { ::archive_read_free(opened); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;

std::string archive_reason(archive* opened) {
  const char* text = ::archive_error_string(opened);
  return text ? text : "unknown reason";
}

// One .zip file, being unpacked through a writer.
class Unzip {
 public:
  Unzip(const fs::path& zip, PackageWriter& writer) : zip_(zip), writer_(writer) {}

  Done run() {
    const Utf8Names names;
    writer_.set_origin(zip_.string());
    if (auto opened = open(); !opened) return opened;
    for (std::size_t count = 0;; ++count) {
      archive_entry* entry = nullptr;
      const int status = ::archive_read_next_header(archive_.get(), &entry);
      if (status == ARCHIVE_EOF) return {};
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return malformed();
      if (count >= kMaxArchiveEntries) {
        return error(Kind::too_large,
                     "it has more than " + std::to_string(kMaxArchiveEntries) +
                         " entries; leave out what is not needed at run time");
      }
      if (auto done = unpack(entry); !done) return done;
    }
  }

 private:
  tl::unexpected<CodePackageError> error(Kind kind, std::string message) const {
    return refuse(kind, zip_.string() + ": " + std::move(message));
  }
  tl::unexpected<CodePackageError> malformed() const {
    return error(
        Kind::malformed,
        "this is not a whole .zip file (" + archive_reason(archive_.get()) + "); build it again");
  }

  Done open() {
    archive_.reset(::archive_read_new());
    // Only the reader that begins at the central directory: the other one would accept a file that
    // was cut off, and would unpack its first half.
    if (!archive_ || ::archive_read_support_format_zip_seekable(archive_.get()) != ARCHIVE_OK) {
      return error(Kind::host, "the archive reader could not be made");
    }
    if (::archive_read_open_filename(archive_.get(), zip_.c_str(), kReadBlockBytes) != ARCHIVE_OK) {
      return malformed();
    }
    return {};
  }

  Done unpack(archive_entry* entry) {
    const char* raw = ::archive_entry_pathname(entry);
    if (!raw) return error(Kind::malformed, "an entry has no readable name; build it again");
    const std::string name = raw;
    if (::archive_entry_is_encrypted(entry) != 0) {
      return error(Kind::malformed,
                   "the entry '" + name.substr(0, 200) +
                       "' is encrypted, which Lambda cannot read; zip without a password");
    }
    if (::archive_entry_hardlink(entry)) {
      return error(Kind::unsafe,
                   "the entry '" + name.substr(0, 200) +
                       "' is a hard link; put the file itself into the package");
    }
    const auto mode = static_cast<mode_t>(::archive_entry_perm(entry) & 0777U);
    switch (::archive_entry_filetype(entry)) {
      case AE_IFDIR:
        return writer_.folder(name, mode == 0 ? 0755 : mode);
      case AE_IFREG:
        return unpack_file(entry, name, mode == 0 ? 0644 : mode);
      case AE_IFLNK: {
        const char* target = ::archive_entry_symlink(entry);
        return writer_.link(name, target ? target : "");
      }
      default:
        return error(Kind::unsafe,
                     "the entry '" + name.substr(0, 200) +
                         "' is neither a file nor a folder nor a symbolic link; "
                         "leave it out");
    }
  }

  // Lambda reads stored and deflated entries. The other methods' decoders also trust the file with
  // the size of their dictionary, up to 4 GiB. The reader tells the method only in this name.
  bool has_plain_compression() const {
    const char* text = ::archive_format_name(archive_.get());
    const std::string_view format = text ? text : "";
    return format.ends_with("(uncompressed)") || format.ends_with("(deflation)");
  }

  Done unpack_file(archive_entry* entry, const std::string& name, mode_t mode) {
    if (!has_plain_compression()) {
      return error(Kind::malformed,
                   "the entry '" + name.substr(0, 200) +
                       "' is neither stored nor deflated; zip it with the standard method");
    }
    // A declared size may lie, so bytes are counted as well; but an honest bomb need not start.
    if (::archive_entry_size_is_set(entry)) {
      if (auto admitted = writer_.admit(::archive_entry_size(entry)); !admitted) return admitted;
    }
    return writer_.file(
        name,
        mode,
        [this](char* buffer, std::size_t size) -> tl::expected<std::size_t, CodePackageError> {
          const auto got = ::archive_read_data(archive_.get(), buffer, size);
          if (got < 0) return malformed();
          return static_cast<std::size_t>(got);
        });
  }

  fs::path zip_;
  PackageWriter& writer_;
  Archive archive_;
};

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

Done check_exists(const fs::path& path, std::string_view what) {
  std::error_code error;
  if (fs::exists(path, error)) return {};
  return refuse(Kind::missing,
                std::string(what) + " " + path.string() +
                    " does not exist; build the function first, or correct the path");
}

// The sum of the files in a folder that is used in place; stops beyond `limit`.
tl::expected<std::int64_t, CodePackageError> folder_bytes(const fs::path& folder,
                                                          std::int64_t limit) {
  std::error_code error;
  std::int64_t total = 0;
  auto at = fs::recursive_directory_iterator(
      folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;  // a file that vanishes meanwhile counts nothing
    if (!at->is_regular_file(ignored) || at->is_symlink(ignored)) continue;
    const auto size = at->file_size(ignored);
    if (!ignored) total += static_cast<std::int64_t>(size);
    if (total > limit) {
      return refuse(Kind::too_large,
                    folder.string() + ": code and layers together are larger than " +
                        std::to_string(kMaxUnzippedBytes) +
                        " bytes, and Lambda takes at most 250 MB; name the folder of the built "
                        "function, and leave out what is not needed at run time");
    }
  }
  if (error) {
    return refuse(Kind::host, "cannot read the folder " + folder.string() + ": " + error.message());
  }
  return total;
}

Done copy_file(const fs::path& from, const std::string& name, PackageWriter& writer) {
  struct stat status = {};
  std::ifstream stream(from, std::ios::binary);
  if (!stream.is_open() || ::stat(from.c_str(), &status) != 0) {
    return refuse(Kind::host, "cannot read " + from.string() + ": " + reason(errno));
  }
  return writer.file(
      name,
      status.st_mode,
      [&](char* buffer, std::size_t size) -> tl::expected<std::size_t, CodePackageError> {
        stream.read(buffer, static_cast<std::streamsize>(size));
        if (stream.bad()) return refuse(Kind::host, "cannot read " + from.string());
        return static_cast<std::size_t>(stream.gcount());
      });
}

Done copy_folder(const fs::path& folder, PackageWriter& writer) {
  writer.set_origin(folder.string());
  std::error_code error;
  auto at = fs::recursive_directory_iterator(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const auto name = at->path().lexically_relative(folder).string();
    const auto status = at->symlink_status(error);
    if (error) break;
    Done done;
    if (fs::is_directory(status)) {
      done = writer.folder(name, static_cast<mode_t>(status.permissions()) & 0777U);
    } else if (fs::is_regular_file(status)) {
      done = copy_file(at->path(), name, writer);
    } else if (fs::is_symlink(status)) {
      const auto target = fs::read_symlink(at->path(), error);
      if (error) break;
      done = writer.link(name, target.string());
    }  // sockets and the like cannot be in a layer
    if (!done) return done;
  }
  if (error) {
    return refuse(Kind::host, "cannot read the folder " + folder.string() + ": " + error.message());
  }
  return {};
}

void remove_everything(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (!error) return;
  // A function may have taken its own rights away from a folder; the owner can give them back.
  auto at = fs::recursive_directory_iterator(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (fs::is_directory(at->symlink_status(ignored))) {
      fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(folder, error);
}

void empty_folder(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) remove_everything(entry.path());
}

Done fill(const std::vector<fs::path>& sources, PackageWriter& writer) {
  for (const auto& source : sources) {
    auto done = is_folder(source) ? copy_folder(source, writer) : Unzip(source, writer).run();
    if (!done) return done;
  }
  return writer.check_links();
}

// Opens one mount: in place when it is a single folder, else unpacked and merged.
tl::expected<fs::path, CodePackageError> open_mount(const std::vector<fs::path>& sources,
                                                    const fs::path& parent,
                                                    CodePackage& package) {
  const auto left = kMaxUnzippedBytes - package.unzipped_bytes;
  if (sources.size() == 1 && is_folder(sources.front())) {
    const auto bytes = folder_bytes(sources.front(), left);
    if (!bytes) return tl::unexpected(bytes.error());
    package.unzipped_bytes += *bytes;
    return sources.front();
  }
  auto folder = TemporaryFolder::create(parent);
  if (!folder) return tl::unexpected(folder.error());
  auto writer = PackageWriter::open((*folder)->path(), left);
  if (!writer) return tl::unexpected(writer.error());
  if (auto done = fill(sources, *writer); !done) return tl::unexpected(done.error());
  package.unzipped_bytes += writer->written_bytes();
  package.unpacked.push_back(std::move(*folder));
  return package.unpacked.back()->path();
}

}  // namespace

tl::expected<std::unique_ptr<TemporaryFolder>, CodePackageError> TemporaryFolder::create(
    const fs::path& parent, std::string_view prefix) {
  std::string pattern = (parent / (std::string(prefix) + "XXXXXX")).string();
  if (!::mkdtemp(pattern.data())) {
    return refuse(Kind::host,
                  "cannot make a temporary folder in " + parent.string() + ": " + reason(errno) +
                      "; set TMPDIR to a folder that can be written");
  }
  return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(std::move(pattern)));
}

std::unique_ptr<TemporaryFolder> TemporaryFolder::adopt(fs::path folder) {
  return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(std::move(folder)));
}

TemporaryFolder::~TemporaryFolder() { remove_everything(path_); }

tl::expected<CodePackage, CodePackageError> open_code_package(
    const FunctionConfiguration& configuration, const fs::path& parent) {
  CodePackage package;
  if (!configuration.code.empty()) {
    if (auto found = check_exists(configuration.code, "the code"); !found) {
      return tl::unexpected(found.error());
    }
    auto task = open_mount({configuration.code}, parent, package);
    if (!task) return tl::unexpected(std::move(task.error()));
    package.task = std::move(*task);
  }
  for (const auto& layer : configuration.layers) {
    if (auto found = check_exists(layer, "the layer"); !found) return tl::unexpected(found.error());
  }
  if (!configuration.layers.empty()) {
    auto layers = open_mount(configuration.layers, parent, package);
    if (!layers) return tl::unexpected(std::move(layers.error()));
    package.layers = std::move(*layers);
  }
  return package;
}

tl::expected<std::int64_t, CodePackageError> unpack_zip(const fs::path& zip,
                                                        const fs::path& folder,
                                                        std::int64_t max_bytes) {
  if (auto found = check_exists(zip, "the .zip file"); !found) return tl::unexpected(found.error());
  auto writer = PackageWriter::open(folder, max_bytes);
  if (!writer) return tl::unexpected(writer.error());
  if (auto done = fill({zip}, *writer); !done) {
    empty_folder(folder);
    return tl::unexpected(done.error());
  }
  return writer->written_bytes();
}

tl::expected<std::unique_ptr<TemporaryFolder>, CodePackageError> write_code_files(
    const std::map<std::string, std::string>& files, const fs::path& parent) {
  auto folder = TemporaryFolder::create(parent);
  if (!folder) return folder;
  auto writer = PackageWriter::open((*folder)->path(), kMaxUnzippedBytes);
  if (!writer) return tl::unexpected(writer.error());
  writer->set_origin("inline code");
  for (const auto& [name, content] : files) {
    std::string_view rest = content;
    const auto done = writer->file(
        name,
        0644,
        [&](char* buffer, std::size_t size) -> tl::expected<std::size_t, CodePackageError> {
          const auto copied = rest.copy(buffer, size);
          rest.remove_prefix(copied);
          return copied;
        });
    if (!done) return tl::unexpected(done.error());
  }
  return folder;
}

}  // namespace emulator::functions
