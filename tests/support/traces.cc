#include "tests/support/traces.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace tests {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 10s;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

bool is_number(const std::string& name) {
  return name.find_first_not_of("0123456789") == std::string::npos;
}

// Folders below `folder` whose path holds `name`.
void find_groups(const fs::path& folder, const std::string& name, std::vector<std::string>& found) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_directory(gone) || entry->is_symlink(gone)) continue;
    const auto path = entry->path().string();
    if (path.find(name) != std::string::npos) found.push_back(path);
    find_groups(entry->path(), name, found);
  }
}

}  // namespace

std::string new_tag() {
  static int number = 0;
  return "TESTEE_TAG=" + std::to_string(::getpid()) + "-" + std::to_string(++number) + "-of-a-test";
}

std::vector<pid_t> processes_with(const std::string& tag) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto name = entry.path().filename().string();
    // The memory of a zombie is gone, and with it its environment.
    if (is_number(name) && text_of(entry.path() / "environ").find(tag) != std::string::npos) {
      found.push_back(static_cast<pid_t>(std::stol(name)));
    }
  }
  return found;
}

std::vector<std::string> control_groups_of(pid_t hearth) {
  std::vector<std::string> found;
  find_groups("/sys/fs/cgroup", "/hearth-" + std::to_string(hearth), found);
  return found;
}

std::vector<std::string> mounts_with(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text_of("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(text) != std::string::npos) found.push_back(line);
  }
  return found;
}

int open_descriptors() {
  // The one that reads the folder is among them.
  return static_cast<int>(std::distance(fs::directory_iterator("/proc/self/fd"), {})) - 1;
}

std::vector<pid_t> child_processes() {
  std::vector<pid_t> found;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) found.push_back(pid);
  }
  std::sort(found.begin(), found.end());
  return found;
}

long resident_kib() {
  std::istringstream pages(text_of("/proc/self/statm"));
  long size = 0;
  long resident = 0;
  pages >> size >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

bool soon(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tests
