#include "emulator/runtimes/runtime_client_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagingPrefix = ".installing-";

std::string entry_name(std::string_view runtime, std::string_view interpreter_version) {
  return std::string(runtime) + "-" + std::string(interpreter_version);
}

std::optional<InstalledClient> read_entry(const fs::path& folder) {
  const auto name = folder.filename().string();
  const auto dash = name.rfind('-');
  std::error_code error;
  if (name.starts_with('.') || dash == std::string::npos || !fs::is_directory(folder, error)) {
    return std::nullopt;
  }
  return InstalledClient{name.substr(0, dash), name.substr(dash + 1), folder};
}

tl::unexpected<RuntimeError> unusable(const fs::path& path, const std::string& reason) {
  return refuse(RuntimeError::Kind::cache_unusable,
                "the cache of runtime clients, " + path.string() + ", cannot be used: " + reason +
                    "; set XDG_CACHE_HOME to a folder of your own");
}

tl::unexpected<RuntimeError> unusable(const fs::path& path, int error) {
  return unusable(path, std::generic_category().message(error));
}

void remove_leftovers(const fs::path& root) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    if (!entry.path().filename().string().starts_with(kStagingPrefix)) continue;
    fs::remove_all(entry.path(), error);
  }
}

}  // namespace

ClientStaging::ClientStaging(ClientStaging&& other) noexcept
    : folder_(std::move(other.folder_)), lock_(other.lock_) {
  other.folder_.clear();
  other.lock_ = -1;
}

ClientStaging ClientStaging::in(fs::path folder) && {
  folder_ = std::move(folder);
  return std::move(*this);
}

ClientStaging::~ClientStaging() {
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
  if (lock_ >= 0) ::close(lock_);
}

std::optional<InstalledClient> RuntimeClientCache::find(
    std::string_view runtime, std::string_view interpreter_version) const {
  return read_entry(root_ / entry_name(runtime, interpreter_version));
}

std::vector<InstalledClient> RuntimeClientCache::list() const {
  std::vector<InstalledClient> clients;
  std::error_code error;
  for (fs::directory_iterator at(root_, error), end; !error && at != end; at.increment(error)) {
    if (auto client = read_entry(at->path())) clients.push_back(std::move(*client));
  }
  std::sort(clients.begin(), clients.end(), [](const auto& a, const auto& b) {
    return a.folder < b.folder;
  });
  return clients;
}

Expected<int> RuntimeClientCache::remove(std::string_view runtime) const {
  int removed = 0;
  for (const auto& client : list()) {
    if (client.runtime != runtime) continue;
    std::error_code error;
    fs::remove_all(client.folder, error);
    if (error) return unusable(client.folder, error.message());
    fs::remove(log_file(runtime, client.interpreter_version), error);
    ++removed;
  }
  return removed;
}

Expected<ClientStaging> RuntimeClientCache::stage() const {
  std::error_code error;
  fs::create_directories(root_.parent_path(), error);
  // Ours alone: what lies here is run as the user.
  if (::mkdir(root_.c_str(), 0700) != 0 && errno != EEXIST) return unusable(root_, errno);
  const auto lock_file = root_ / ".lock";
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return unusable(lock_file, errno);
  ClientStaging held({}, lock);  // gives the lock back on the ways out
  while (::flock(lock, LOCK_EX) != 0) {
    if (errno != EINTR) return unusable(lock_file, errno);
  }
  remove_leftovers(root_);
  auto pattern = (root_ / (std::string(kStagingPrefix) + "XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) return unusable(root_, errno);
  return std::move(held).in(pattern);
}

Expected<InstalledClient> RuntimeClientCache::commit(ClientStaging staging,
                                                     std::string_view runtime,
                                                     std::string_view interpreter_version) const {
  const auto target = root_ / entry_name(runtime, interpreter_version);
  std::error_code error;
  // An exchange leaves the earlier client in the staging folder, which goes with it.
  const unsigned flags = fs::exists(target, error) ? RENAME_EXCHANGE : 0U;
  if (::renameat2(AT_FDCWD, staging.folder().c_str(), AT_FDCWD, target.c_str(), flags) != 0) {
    return unusable(target, errno);
  }
  return InstalledClient{std::string(runtime), std::string(interpreter_version), target};
}

fs::path RuntimeClientCache::log_file(std::string_view runtime,
                                      std::string_view interpreter_version) const {
  return root_ / (entry_name(runtime, interpreter_version) + ".log");
}

fs::path default_cache_root(std::string_view xdg_cache_home, std::string_view home) {
  // A relative XDG_CACHE_HOME is to be ignored, says the specification.
  const fs::path base =
      fs::path(xdg_cache_home).is_absolute() ? fs::path(xdg_cache_home) : fs::path(home) / ".cache";
  return base / "hearth" / "runtimes";
}

}  // namespace emulator::runtimes
