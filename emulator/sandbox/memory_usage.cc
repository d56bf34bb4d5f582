#include "emulator/sandbox/memory_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace emulator::sandbox {
namespace {

// Deeper process trees than this are cut off: a fork bomb must not become our loop.
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxChildren = 512;

UniqueFd open_of(pid_t pid, const char* file) {
  const auto path = "/proc/" + std::to_string(pid) + file;
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string children_file(pid_t pid) { return "/task/" + std::to_string(pid) + "/children"; }

std::string_view read_from_start(const UniqueFd& file, std::array<char, 4096>& buffer) {
  if (!file.valid()) return {};
  const auto length = ::pread(file.get(), buffer.data(), buffer.size(), 0);
  return length <= 0 ? std::string_view{}
                     : std::string_view(buffer.data(), static_cast<std::size_t>(length));
}

std::uint64_t kibibytes_after(std::string_view status, std::string_view key) {
  auto at = status.find(key);
  if (at == std::string_view::npos) return 0;
  at = status.find_first_not_of(" \t", at + key.size());
  if (at == std::string_view::npos) return 0;
  std::uint64_t value = 0;
  std::from_chars(status.data() + at, status.data() + status.size(), value);
  return value;
}

Usage parse(std::string_view status) {
  return {.memory_bytes = kibibytes_after(status, "VmRSS:") * 1024,
          .peak_memory_bytes = kibibytes_after(status, "VmHWM:") * 1024};
}

void add_descendants(std::string_view children, int depth, std::size_t& budget, Usage& sum) {
  while (!children.empty() && depth < kMaxDepth && budget > 0) {
    pid_t pid = 0;
    const auto [end, error] =
        std::from_chars(children.data(), children.data() + children.size(), pid);
    if (error != std::errc{}) return;
    children.remove_prefix(static_cast<std::size_t>(end - children.data()));
    children.remove_prefix(std::min(children.find_first_not_of(' '), children.size()));
    --budget;
    std::array<char, 4096> buffer{};
    const auto usage = parse(read_from_start(open_of(pid, "/status"), buffer));
    sum.memory_bytes += usage.memory_bytes;
    sum.peak_memory_bytes += usage.peak_memory_bytes;
    const auto file = children_file(pid);
    add_descendants(read_from_start(open_of(pid, file.c_str()), buffer), depth + 1, budget, sum);
  }
}

}  // namespace

Usage MemoryUsage::read() {
  if (!status_.valid()) {
    status_ = open_of(pid_, "/status");
    children_ = open_of(pid_, children_file(pid_).c_str());
  }
  std::array<char, 4096> buffer{};
  auto sum = parse(read_from_start(status_, buffer));
  std::size_t budget = kMaxChildren;
  add_descendants(read_from_start(children_, buffer), 0, budget, sum);
  peak_bytes_ = std::max(peak_bytes_, sum.peak_memory_bytes);
  sum.peak_memory_bytes = peak_bytes_;
  return sum;
}

}  // namespace emulator::sandbox
