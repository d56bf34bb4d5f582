#include "handlers/testees/surroundings.h"

#include <nlohmann/json.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace testees {
namespace {

using Json = nlohmann::ordered_json;

// More descriptors than a sound sandbox leaves a function with.
constexpr int kDescriptorsLookedAt = 1024;

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const auto size = ::readlink(path.c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<std::size_t>(size)) : "";
}

Json environment() {
  auto variables = Json::object();
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

Json amount(rlim_t value) { return value == RLIM_INFINITY ? Json() : Json(value); }

Json limits() {
  struct Limit {
    const char* name;
    decltype(RLIMIT_AS) resource;
  };
  constexpr std::array kLimits = {
      Limit{"address_space", RLIMIT_AS},
      Limit{"core", RLIMIT_CORE},
      Limit{"cpu", RLIMIT_CPU},
      Limit{"data", RLIMIT_DATA},
      Limit{"file_size", RLIMIT_FSIZE},
      Limit{"locked_memory", RLIMIT_MEMLOCK},
      Limit{"open_files", RLIMIT_NOFILE},
      Limit{"processes", RLIMIT_NPROC},
      Limit{"stack", RLIMIT_STACK},
  };
  auto found = Json::object();
  for (const auto& [name, resource] : kLimits) {
    rlimit value{};
    ::getrlimit(resource, &value);
    found[name] = {{"soft", amount(value.rlim_cur)}, {"hard", amount(value.rlim_max)}};
  }
  return found;
}

// By asking each number rather than /proc/self/fd, which a sandbox need not have mounted.
Json descriptors() {
  auto open = Json::object();
  for (int descriptor = 0; descriptor < kDescriptorsLookedAt; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) < 0) continue;
    const auto number = std::to_string(descriptor);
    open[number] = link_target("/proc/self/fd/" + number);
  }
  return open;
}

std::string working_folder() {
  std::array<char, PATH_MAX> folder{};
  return ::getcwd(folder.data(), folder.size()) != nullptr ? folder.data() : "";
}

std::string text_of(const char* file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Json entries(const char* folder) {
  std::vector<std::string> names;
  if (DIR* opened = ::opendir(folder); opened != nullptr) {
    while (const auto* entry = ::readdir(opened)) {  // NOLINT(concurrency-mt-unsafe): one thread
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(opened);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// By hand, because a static program cannot load what the C library would look users up with.
std::string user_name() {
  std::istringstream users(text_of("/etc/passwd"));
  const auto wanted = std::to_string(::getuid());
  for (std::string line; std::getline(users, line);) {
    std::istringstream fields(line);
    std::string name;
    std::string password;
    std::string number;
    std::getline(std::getline(std::getline(fields, name, ':'), password, ':'), number, ':');
    if (number == wanted) return name;
  }
  return "";
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

Json mounts() {
  auto found = Json::array();
  std::istringstream lines(text_of("/proc/self/mounts"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string source;
    std::string target;
    std::string type;
    std::string options;
    fields >> source >> target >> type >> options;
    found.push_back({{"target", target}, {"type", type}, {"options", options}});
  }
  return found;
}

int visible_cpus() {
  cpu_set_t cpus;
  return ::sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 0;
}

// "CapEff" and the like, as the kernel tells them.
Json status() {
  auto found = Json::object();
  std::istringstream lines(text_of("/proc/self/status"));
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    const auto value = line.find_first_not_of(" \t", colon + 1);
    if (value != std::string::npos) found[line.substr(0, colon)] = line.substr(value);
  }
  return found;
}

Json namespaces() {
  auto found = Json::object();
  for (const auto* kind : {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}) {
    found[kind] = link_target(std::string("/proc/self/ns/") + kind);
  }
  return found;
}

Json groups() {
  std::array<gid_t, NGROUPS_MAX> found{};
  const int count = ::getgroups(static_cast<int>(found.size()), found.data());
  return std::vector<gid_t>(found.begin(), found.begin() + std::max(count, 0));
}

}  // namespace

std::string describe_surroundings() {
  const Json found = {
      {"environment", environment()},
      {"working_folder", working_folder()},
      {"user", ::getuid()},
      {"group", ::getgid()},
      {"process", ::getpid()},
      {"limits", limits()},
      {"descriptors", descriptors()},
      {"user_name", user_name()},
      {"groups", groups()},
      {"host_name", host_name()},
      {"hosts", text_of("/etc/hosts")},
      {"root", entries("/")},
      {"devices", entries("/dev")},
      {"processes", entries("/proc")},
      {"mounts", mounts()},
      {"visible_cpus", visible_cpus()},
      {"status", status()},
      {"namespaces", namespaces()},
      {"cgroups", text_of("/proc/self/cgroup")},
      {"network", text_of("/proc/net/dev")},
  };
  return found.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace testees
