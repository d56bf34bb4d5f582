// The runtime clients a user has installed: one folder each, below
// $XDG_CACHE_HOME/hearth/runtimes or ~/.cache/hearth/runtimes, named RUNTIME-INTERPRETERVERSION.
//
// An installation fills a staging folder and is then moved into place by one rename, so what
// find() returns is always whole. Threads: any; processes: installations exclude one another.
#pragma once

#include "emulator/runtimes/runtime_error.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

struct InstalledClient {
  std::string runtime;              // "python3.11"
  std::string interpreter_version;  // "3.11": what it was installed for and runs with
  std::filesystem::path folder;
  bool operator==(const InstalledClient&) const = default;
};

// A folder to fill. Unless committed it is removed with all that it holds.
class ClientStaging {
 public:
  ClientStaging(std::filesystem::path folder, int lock) : folder_(std::move(folder)), lock_(lock) {}
  ~ClientStaging();
  ClientStaging(ClientStaging&& other) noexcept;
  ClientStaging& operator=(ClientStaging&&) = delete;
  ClientStaging(const ClientStaging&) = delete;
  ClientStaging& operator=(const ClientStaging&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  // The same lock, now with a folder to remove.
  ClientStaging in(std::filesystem::path folder) &&;

 private:
  std::filesystem::path folder_;
  int lock_;  // an exclusive flock, held until the end
};

class RuntimeClientCache {
 public:
  explicit RuntimeClientCache(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }

  std::optional<InstalledClient> find(std::string_view runtime,
                                      std::string_view interpreter_version) const;
  std::vector<InstalledClient> list() const;  // by name

  // Removes every client of the runtime, its logs too; returns how many clients there were.
  Expected<int> remove(std::string_view runtime) const;

  // Makes the root (0700) and a staging folder in it; waits for another installation to end and
  // clears what an interrupted one left.
  Expected<ClientStaging> stage() const;

  // Moves the staging folder into place, in exchange for what was there.
  Expected<InstalledClient> commit(ClientStaging staging,
                                   std::string_view runtime,
                                   std::string_view interpreter_version) const;

  // Where an installation writes what its tools print.
  std::filesystem::path log_file(std::string_view runtime,
                                 std::string_view interpreter_version) const;

 private:
  std::filesystem::path root_;
};

// Source of the rule: the XDG base directory specification. Empty arguments are variables unset.
std::filesystem::path default_cache_root(std::string_view xdg_cache_home, std::string_view home);

}  // namespace emulator::runtimes
