#include "tests/bench/processes.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>

namespace bench {
namespace {

namespace fs = std::filesystem;

fs::path proc(pid_t pid) { return "/proc/" + std::to_string(pid); }

std::optional<pid_t> parent_of(pid_t pid) {
  std::ifstream stat(proc(pid) / "stat");
  // The name, in parentheses, may hold anything.
  stat.ignore(std::numeric_limits<std::streamsize>::max(), '(');
  std::string text;
  std::getline(stat, text);
  const auto end = text.rfind(") ");
  if (end == std::string::npos) return std::nullopt;
  const auto* digits = text.data() + end + 4;  // after the state
  pid_t parent = 0;
  std::from_chars(digits, text.data() + text.size(), parent);
  return parent;
}

std::uint64_t field_kb(const fs::path& file, const std::string& field) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;) {
    std::uint64_t value = 0;
    if (word == field && lines >> value) return value;
  }
  return 0;
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t pid) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    pid_t one = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), one).ec != std::errc{}) continue;
    if (const auto parent = parent_of(one)) children.emplace(*parent, one);
  }
  std::vector<pid_t> found = {pid};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(found[i]);
    std::for_each(first, last, [&](const auto& child) { found.push_back(child.second); });
  }
  found.erase(found.begin());
  return found;
}

std::uint64_t proportional_kb(pid_t pid) { return field_kb(proc(pid) / "smaps_rollup", "Pss:"); }

std::size_t open_descriptors(pid_t pid) {
  std::error_code gone;
  const auto folder = fs::directory_iterator(proc(pid) / "fd", gone);
  return static_cast<std::size_t>(std::distance(fs::begin(folder), fs::end(folder)));
}

std::uint64_t available_kb() { return field_kb("/proc/meminfo", "MemAvailable:"); }

bool kill_child(pid_t parent, pid_t pid) {
  const auto held = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (held < 0) return false;
  const bool killed =
      parent_of(pid) == parent && ::syscall(SYS_pidfd_send_signal, held, SIGKILL, nullptr, 0) == 0;
  ::close(held);
  return killed;
}

}  // namespace bench
