#include "emulator/sandbox/root_filesystem.h"

#include "emulator/sandbox/program_search.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

namespace fs = std::filesystem;
using Kind = FilesystemStep::Kind;

// Programs and libraries. What an administrator installs besides lies in /usr/local.
constexpr std::array<std::string_view, 7> kSystemFolders = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

// Of /etc only what programs need to run and to reach others: names, certificates, the linker's
// table, alternatives. Not: users, passwords, keys, what services are configured with.
constexpr std::array<std::string_view, 8> kConfigurationFolders = {"alternatives",
                                                                   "ca-certificates",
                                                                   "crypto-policies",
                                                                   "fonts",
                                                                   "ld.so.conf.d",
                                                                   "pki",
                                                                   "ssl",
                                                                   "mono"};
constexpr std::array<std::string_view, 11> kConfigurationFiles = {"ca-certificates.conf",
                                                                  "gai.conf",
                                                                  "host.conf",
                                                                  "ld.so.cache",
                                                                  "ld.so.conf",
                                                                  "mime.types",
                                                                  "nsswitch.conf",
                                                                  "os-release",
                                                                  "protocols",
                                                                  "services",
                                                                  "timezone"};
constexpr std::array<std::string_view, 5> kDevices = {"null", "zero", "full", "random", "urandom"};

// Source of the user: recorded from the service.
constexpr std::string_view kPasswd =
    "root:x:0:0:root:/:/sbin/nologin\n"
    "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n";
constexpr std::string_view kGroup = "root:x:0:\nsbx_user1051:x:990:\n";
// Before the host's own names, for the first that fits counts. Source of the third: Lambda's
// documentation of the Telemetry API, whose subscribers are met at sandbox.localdomain; the last is
// what the older Logs API says instead.
constexpr std::string_view kOwnHosts =
    "127.0.0.1 localhost sandbox.localdomain sandbox\n::1 localhost\n";

std::string canonical(const fs::path& path) {
  std::error_code error;
  const auto real = fs::canonical(path, error);
  return error ? path.string() : real.string();
}

bool lies_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.substr(0, folder.size()) == folder &&
         path[folder.size()] == '/';
}

// As far as the folder can be read.
std::vector<fs::directory_entry> entries_of(const std::string& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    entries.push_back(*at);
  }
  return entries;
}

class RootPlanner {
 public:
  RootPlanner(const RootView& view, const RootOptions& options) : view_(view), options_(options) {}

  std::vector<FilesystemStep> plan() && {
    if (view_.image.empty()) {
      add_system_folders();
      add_configuration();
    } else {
      steps_.push_back({.kind = Kind::image, .source = canonical(view_.image), .target = ""});
      add_names();
    }
    add_devices();
    add_own_folders();
    add_view();
    // Last, so that everything above could still be made.
    steps_.push_back({.kind = Kind::read_only, .source = "", .target = ""});
    return std::move(steps_);
  }

 private:
  void folder(const std::string& target, unsigned mode = 0755) {
    if (target.empty() || target == "/" || !made_.insert(target).second) return;
    folder(fs::path(target).parent_path().string());
    steps_.push_back({.kind = Kind::folder, .source = "", .target = target, .mode = mode});
  }
  void file(const std::string& target, std::string content) {
    folder(fs::path(target).parent_path().string());
    steps_.push_back(
        {.kind = Kind::file, .source = std::move(content), .target = target, .mode = 0644});
  }
  void bind(Kind kind, const std::string& host, const std::string& target) {
    std::error_code error;
    if (fs::is_directory(host, error)) {
      folder(target);
    } else {
      file(target, "");
    }
    steps_.push_back({.kind = kind, .source = canonical(host), .target = target});
  }

  void add_system_folders() {
    for (const auto name : kSystemFolders) {
      const fs::path path(name);
      std::error_code error;
      if (fs::is_symlink(path, error)) {
        steps_.push_back({.kind = Kind::link,
                          .source = fs::read_symlink(path, error).string(),
                          .target = path.string()});
      } else if (fs::is_directory(path, error)) {
        bind(Kind::bind_read_only, path.string(), path.string());
      }
    }
  }

  void add_configuration() {
    std::error_code error;
    for (const auto& entry : entries_of("/etc")) {
      const auto name = entry.path().filename().string();
      const bool wanted =
          std::find(kConfigurationFolders.begin(), kConfigurationFolders.end(), name) !=
              kConfigurationFolders.end() ||
          name.starts_with("java-") || name.starts_with("python");
      if (wanted && entry.is_directory(error)) {
        bind(Kind::bind_read_only, entry.path().string(), entry.path().string());
      }
    }
    for (const auto name : kConfigurationFiles) {
      const auto path = "/etc/" + std::string(name);
      if (fs::is_regular_file(path, error)) file(path, content_of_file(path));
    }
    if (fs::is_symlink("/etc/localtime", error)) {
      steps_.push_back({.kind = Kind::link,
                        .source = fs::read_symlink("/etc/localtime", error).string(),
                        .target = "/etc/localtime"});
    }
    add_names();
  }

  // Users, hosts and where names are asked for, in an image as well.
  void add_names() {
    if (view_.image.empty()) {
      file("/etc/passwd", std::string(kPasswd));
      file("/etc/group", std::string(kGroup));
    }
    file("/etc/hosts", std::string(kOwnHosts) + content_of_file("/etc/hosts"));
    if (!options_.names.empty()) {
      file("/etc/resolv.conf", options_.names);
      return;
    }
    std::error_code error;
    // Bound, not copied: it changes while Hearth runs.
    if (fs::exists("/etc/resolv.conf", error)) {
      bind(Kind::bind_read_only, "/etc/resolv.conf", "/etc/resolv.conf");
      steps_.back().required = false;
    }
  }

  // No /dev/shm: the service has none. Source: AWS Compute Blog, "Parallel Processing in Python
  // with AWS Lambda".
  void add_devices() {
    folder("/dev");
    for (const auto name : kDevices) {
      const auto path = "/dev/" + std::string(name);
      bind(Kind::bind, path, path);
    }
    const std::array<std::pair<const char*, const char*>, 4> links = {
        {{"/proc/self/fd", "/dev/fd"},
         {"/proc/self/fd/0", "/dev/stdin"},
         {"/proc/self/fd/1", "/dev/stdout"},
         {"/proc/self/fd/2", "/dev/stderr"}}};
    for (const auto& [source, target] : links) {
      steps_.push_back({.kind = Kind::link, .source = source, .target = target});
    }
  }

  // The kernel's settings belong to the host's user 0. A function is that user where Hearth is root
  // of a user namespace that the host's root made, and could have the host's kernel start a program
  // of its choice (kernel.core_pattern).
  void protect_settings() {
    std::error_code error;
    for (const auto* path :
         {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"}) {
      if (!fs::exists(path, error)) continue;
      steps_.push_back({.kind = Kind::bind_read_only, .source = path, .target = path});
    }
  }

  void add_own_folders() {
    if (options_.proc == RootOptions::Proc::own) {
      folder("/proc");
      steps_.push_back({.kind = Kind::proc, .source = "", .target = "/proc"});
      if (options_.reader == RootOptions::Reader::owner) protect_settings();
    }
    if (view_.image.empty()) {
      for (const auto* name : {"/var/task", "/var/runtime", "/opt"}) folder(name);
    }
    folder("/tmp");
    steps_.push_back({.kind = Kind::temporary,
                      .source = "",
                      .target = "/tmp",
                      .mode = 01777,
                      .bytes = view_.temporary_bytes});
  }

  void add_view() {
    auto folders = view_.folders;
    // Outer ones first, so that an inner one is not hidden.
    std::stable_sort(folders.begin(), folders.end(), [](const auto& left, const auto& right) {
      return left.seen.size() < right.seen.size();
    });
    for (const auto& one : folders) {
      if (view_.image.empty() && one.seen == canonical(one.host) && is_system_path(one.seen)) {
        continue;
      }
      const bool holds_another = holds_any(one.seen, folders);
      if (holds_another) {
        add_spread(one, folders);
      } else {
        bind(opened(one.host) ? Kind::bind_read_only : Kind::bind_opened, one.host, one.seen);
      }
    }
  }

  static bool holds_any(const std::string& seen, const std::vector<RootView::Folder>& folders) {
    return std::any_of(folders.begin(), folders.end(), [&](const auto& other) {
      return lies_below(other.seen, seen);
    });
  }

  // A read-only folder cannot be given a further one inside, so its entries are bound one by one.
  void add_spread(const RootView::Folder& one, const std::vector<RootView::Folder>& folders) {
    folder(one.seen);
    std::error_code error;
    for (const auto& entry : entries_of(one.host)) {
      const RootView::Folder inner{.host = entry.path().string(),
                                   .seen = one.seen + "/" + entry.path().filename().string()};
      if (entry.is_directory(error) && holds_any(inner.seen, folders)) {
        add_spread(inner, folders);
      } else {
        bind(Kind::bind_read_only, inner.host, inner.seen);
      }
    }
  }

  // Of a folder that was made for its owner alone the function would see nothing. On the service
  // the top folders are everyone's to read, whatever lies in them.
  bool opened(const std::string& host) const {
    if (options_.reader == RootOptions::Reader::owner) return true;
    std::error_code error;
    const auto status = fs::status(host, error);
    constexpr auto kNeeded = fs::perms::others_read | fs::perms::others_exec;
    return error || !fs::is_directory(status) || (status.permissions() & kNeeded) == kNeeded;
  }

  const RootView& view_;
  const RootOptions& options_;
  std::vector<FilesystemStep> steps_;
  std::set<std::string> made_;
};

}  // namespace

std::vector<FilesystemStep> plan_root(const RootView& view, const RootOptions& options) {
  return RootPlanner(view, options).plan();
}

std::string escaped_in_mount_options(const std::string& path) {
  std::string result;
  for (const char letter : path) {
    if (letter == ':' || letter == ',' || letter == '\\') result += '\\';
    result += letter;
  }
  return result;
}

bool is_system_path(const std::string& path) {
  return std::any_of(kSystemFolders.begin(), kSystemFolders.end(), [&](std::string_view folder) {
    return path == folder || lies_below(path, folder);
  });
}

}  // namespace emulator::sandbox
