#include "emulator/sandbox/program_search.h"

#include "emulator/sandbox/unique_fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>

namespace emulator::sandbox {
namespace {

// Source: execvp(3)'s own default, without the working folder.
constexpr std::string_view kUsualPath = "/usr/local/bin:/usr/bin:/bin";

// Our choice: larger files are not copied.
constexpr std::uintmax_t kMaxContent = 1024 * 1024;

template <typename IsProgram>
std::string search(const std::string& name, std::string_view path, IsProgram is_program) {
  if (name.find('/') != std::string::npos) return name;
  for (std::string_view rest = path; !rest.empty();) {
    const auto colon = rest.find(':');
    const auto folder = rest.substr(0, colon);
    auto candidate = std::string(folder) + (folder.ends_with('/') ? "" : "/") + name;
    if (is_program(candidate)) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return name;
}

std::optional<mode_t> mode_in_root(const std::string& path, const UniqueFd& root) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  const UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0) return std::nullopt;
  return status.st_mode;
}

UniqueFd open_root(const std::string& root) {
  return UniqueFd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

std::string find_program(const std::string& name) {
  const char* path = ::secure_getenv("PATH");
  return search(name, path == nullptr ? kUsualPath : path, [](const std::string& candidate) {
    struct stat status {};
    return ::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           ::access(candidate.c_str(), X_OK) == 0;
  });
}

std::string find_program_in_root(const std::string& name,
                                 const std::string& path_variable,
                                 const std::string& root) {
  const auto opened = open_root(root);
  const std::string_view path = path_variable.empty() ? kUsualPath : path_variable;
  return search(name, path, [&](const std::string& candidate) {
    constexpr mode_t kAnyExecute = S_IXUSR | S_IXGRP | S_IXOTH;
    const auto mode = mode_in_root(candidate, opened);
    return mode && S_ISREG(*mode) && (*mode & kAnyExecute) != 0;
  });
}

bool is_folder_in_root(const std::string& path, const std::string& root) {
  const auto mode = mode_in_root(path, open_root(root));
  return mode && S_ISDIR(*mode);
}

std::string content_of_file(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error || size > kMaxContent) return {};
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace emulator::sandbox
