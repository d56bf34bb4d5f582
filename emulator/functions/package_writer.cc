#include "emulator/functions/package_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

namespace emulator::functions {
namespace {

namespace fs = std::filesystem;
using Kind = CodePackageError::Kind;

constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;
// As many links as the kernel follows before it gives up with ELOOP.
constexpr int kMaxLinksFollowed = 40;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct Descriptor {
  explicit Descriptor(int fd_in) : fd(fd_in) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  int fd;
};

std::string reason(int number) { return std::generic_category().message(number); }

std::string shown(std::string_view name) { return "'" + std::string(name.substr(0, 200)) + "'"; }

bool write_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const auto written = ::write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

// Walks `name` from `root` as the kernel would, and says whether every step stays inside. A name
// that ends at nothing is inside: it leads nowhere.
bool stays_inside(const fs::path& root, const fs::path& name) {
  std::vector<std::string> pending;
  const auto push = [&](const fs::path& path) {
    std::vector<std::string> parts;
    for (const auto& part : path) parts.push_back(part.string());
    pending.insert(pending.end(), parts.rbegin(), parts.rend());
  };
  push(name);
  std::vector<std::string> at;
  int followed = 0;
  while (!pending.empty()) {
    const auto part = std::move(pending.back());
    pending.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (at.empty()) return false;
      at.pop_back();
      continue;
    }
    at.push_back(part);
    fs::path here = root;
    for (const auto& step : at) here /= step;
    std::error_code error;
    if (!fs::is_symlink(fs::symlink_status(here, error))) continue;
    const auto target = fs::read_symlink(here, error);
    if (error || target.is_absolute() || ++followed > kMaxLinksFollowed) return false;
    at.pop_back();
    push(target);
  }
  return true;
}

}  // namespace

PackageWriter::PackageWriter(int root, fs::path folder, std::int64_t max_bytes)
    : root_(root), folder_(std::move(folder)), max_bytes_(max_bytes) {}

PackageWriter::PackageWriter(PackageWriter&& other) noexcept
    : root_(std::exchange(other.root_, -1)),
      folder_(std::move(other.folder_)),
      max_bytes_(other.max_bytes_),
      written_(other.written_),
      origin_(std::move(other.origin_)),
      links_(std::move(other.links_)) {}

PackageWriter::~PackageWriter() {
  if (root_ >= 0) ::close(root_);
}

tl::expected<PackageWriter, CodePackageError> PackageWriter::open(const fs::path& folder,
                                                                  std::int64_t max_bytes) {
  const int root = ::open(folder.c_str(), kFolderFlags);
  if (root < 0) {
    return tl::unexpected(CodePackageError{
        Kind::host, "cannot open the folder " + folder.string() + ": " + reason(errno)});
  }
  return PackageWriter(root, folder, max_bytes);
}

CodePackageError PackageWriter::error(Kind kind, std::string message) const {
  return {kind, origin_ + ": " + std::move(message)};
}

CodePackageError PackageWriter::host_error(std::string_view name, std::string_view act) const {
  const int number = errno;
  if (number == ELOOP || number == ENOTDIR) {
    return error(Kind::unsafe,
                 shown(name) +
                     " passes through a link or a file; folders must be real ones, "
                     "so build the package again");
  }
  if (number == EISDIR || number == ENOTEMPTY || number == EEXIST) {
    return error(Kind::malformed,
                 shown(name) +
                     " is a folder in one place and a file in another; remove "
                     "one of the two");
  }
  return error(Kind::host,
               "cannot " + std::string(act) + " " + shown(name) + ": " + reason(number));
}

tl::expected<std::vector<std::string>, CodePackageError> PackageWriter::components(
    std::string_view name) const {
  const auto refuse = [&](std::string_view why) {
    return tl::unexpected(error(Kind::unsafe,
                                "the entry " + shown(name) + " " + std::string(why) +
                                    "; build the package from inside its folder"));
  };
  if (name.starts_with('/')) return refuse("has an absolute name");
  if (name.find('\0') != std::string_view::npos) return refuse("has a NUL byte in its name");
  if (name.size() >= PATH_MAX) return refuse("has a name longer than a path can be");
  std::vector<std::string> parts;
  while (!name.empty()) {
    const auto slash = name.find('/');
    const auto part = name.substr(0, slash);
    if (part == "..") return refuse("leads out of the folder with '..'");
    if (!part.empty() && part != ".") parts.emplace_back(part);
    if (slash == std::string_view::npos) break;
    name.remove_prefix(slash + 1);
  }
  return parts;
}

tl::expected<int, CodePackageError> PackageWriter::open_parent(
    const std::vector<std::string>& parts) const {
  fs::path whole;
  for (const auto& part : parts) whole /= part;
  int at = ::openat(root_, ".", kFolderFlags);
  for (std::size_t i = 0; at >= 0 && i + 1 < parts.size(); ++i) {
    const Descriptor held(at);
    if (::mkdirat(at, parts[i].c_str(), 0755) != 0 && errno != EEXIST) {
      return tl::unexpected(host_error(whole.string(), "make the folder of"));
    }
    at = ::openat(at, parts[i].c_str(), kFolderFlags);
  }
  if (at < 0) return tl::unexpected(host_error(whole.string(), "open the folder of"));
  return at;
}

PackageWriter::Done PackageWriter::admit(std::int64_t bytes) const {
  if (bytes <= max_bytes_ - written_) return {};
  return tl::unexpected(error(
      Kind::too_large,
      "code and layers together are larger than " + std::to_string(max_bytes_) +
          " bytes unzipped, and Lambda takes at most 250 MB; leave out what is not needed at run "
          "time"));
}

PackageWriter::Done PackageWriter::folder(std::string_view name, mode_t mode) {
  const auto parts = components(name);
  if (!parts) return tl::unexpected(parts.error());
  if (parts->empty()) return {};
  const auto parent = open_parent(*parts);
  if (!parent) return tl::unexpected(parent.error());
  const Descriptor held(*parent);
  const auto* leaf = parts->back().c_str();
  if (::mkdirat(held.fd, leaf, 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(host_error(name, "make the folder"));
  }
  const Descriptor made(::openat(held.fd, leaf, kFolderFlags));
  // The owner must be able to fill and to remove it, whatever the archive says.
  if (made.fd < 0 || ::fchmod(made.fd, (mode & 0777U) | 0700U) != 0) {
    return tl::unexpected(host_error(name, "set the mode of"));
  }
  return {};
}

PackageWriter::Done PackageWriter::file(std::string_view name, mode_t mode, const Source& source) {
  const auto parts = components(name);
  if (!parts) return tl::unexpected(parts.error());
  if (parts->empty()) {
    return tl::unexpected(error(Kind::unsafe, "an entry has no name; build the package again"));
  }
  const auto parent = open_parent(*parts);
  if (!parent) return tl::unexpected(parent.error());
  const Descriptor held(*parent);
  const auto* leaf = parts->back().c_str();
  if (::unlinkat(held.fd, leaf, 0) != 0 && errno != ENOENT) {
    return tl::unexpected(host_error(name, "replace"));
  }
  const Descriptor made(
      ::openat(held.fd, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (made.fd < 0) return tl::unexpected(host_error(name, "make the file"));
  std::array<char, kBufferBytes> buffer;
  while (true) {
    const auto size = source(buffer.data(), buffer.size());
    if (!size) return tl::unexpected(size.error());
    if (*size == 0) break;
    if (auto admitted = admit(static_cast<std::int64_t>(*size)); !admitted) return admitted;
    if (!write_all(made.fd, buffer.data(), *size)) {
      return tl::unexpected(host_error(name, "write"));
    }
    written_ += static_cast<std::int64_t>(*size);
  }
  if (::fchmod(made.fd, (mode & 0777U) | 0400U) != 0) {
    return tl::unexpected(host_error(name, "set the mode of"));
  }
  return {};
}

PackageWriter::Done PackageWriter::link(std::string_view name, const std::string& target) {
  const auto parts = components(name);
  if (!parts) return tl::unexpected(parts.error());
  if (parts->empty() || target.empty() || target.find('\0') != std::string::npos) {
    return tl::unexpected(error(Kind::unsafe,
                                "the link " + shown(name) +
                                    " has no name or no target; build the package "
                                    "again"));
  }
  const auto parent = open_parent(*parts);
  if (!parent) return tl::unexpected(parent.error());
  const Descriptor held(*parent);
  const auto* leaf = parts->back().c_str();
  if (::unlinkat(held.fd, leaf, 0) != 0 && errno != ENOENT) {
    return tl::unexpected(host_error(name, "replace"));
  }
  if (::symlinkat(target.c_str(), held.fd, leaf) != 0) {
    return tl::unexpected(host_error(name, "make the link"));
  }
  links_.emplace_back(name);
  return {};
}

PackageWriter::Done PackageWriter::check_links() const {
  for (const auto& name : links_) {
    if (stays_inside(folder_, name)) continue;
    return tl::unexpected(error(Kind::unsafe,
                                "the link " + shown(name) +
                                    " leads out of the folder; put the file itself into the "
                                    "package"));
  }
  return {};
}

}  // namespace emulator::functions
