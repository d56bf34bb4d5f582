#include "handlers/testees/surroundings.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>

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
  };
  return found.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace testees
