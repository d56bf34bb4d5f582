#include "emulator/sandbox/memory_watch.h"

#include "emulator/sandbox/control_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string>
#include <string_view>

namespace emulator::sandbox {
namespace {

UniqueFd open_of(pid_t process, const char* file) {
  const auto path = "/proc/" + std::to_string(process) + file;
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string_view read_from_start(const UniqueFd& file, std::array<char, 4096>& buffer) {
  const auto length = ::pread(file.get(), buffer.data(), buffer.size(), 0);
  return length <= 0 ? std::string_view{}
                     : std::string_view(buffer.data(), static_cast<std::size_t>(length));
}

std::uint64_t take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return error == std::errc{} ? number : 0;
}

// From /proc/PID/statm, in pages: all, resident, of these shared.
std::uint64_t anonymous_bytes(std::string_view statm) {
  static const auto kPageBytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  take_number(statm);
  const auto resident = take_number(statm);
  const auto shared = take_number(statm);
  return resident > shared ? (resident - shared) * kPageBytes : 0;
}

// "Pss_Anon:      132 kB"; nothing on kernels before 5.4.
std::uint64_t proportional_bytes(std::string_view rollup) {
  constexpr std::string_view kKey = "Pss_Anon:";
  const auto at = rollup.find(kKey);
  if (at == rollup.npos) return 0;
  rollup.remove_prefix(at + kKey.size());
  rollup.remove_prefix(std::min(rollup.find_first_not_of(' '), rollup.size()));
  return take_number(rollup) * 1024;
}

}  // namespace

std::uint64_t ResidentMemory::read() {
  const auto processes = members_.processes();
  const std::set<pid_t> living(processes.begin(), processes.end());
  std::erase_if(sizes_, [&living](const auto& entry) { return !living.contains(entry.first); });
  std::uint64_t sum = 0;
  std::array<char, 4096> buffer{};
  for (const pid_t process : living) {
    auto& size = sizes_[process];
    auto text = read_from_start(size, buffer);
    if (text.empty()) {
      // New, or the number is another process's now.
      size = open_of(process, "/statm");
      text = read_from_start(size, buffer);
    }
    sum += anonymous_bytes(text);
  }
  return sum;
}

std::uint64_t ResidentMemory::read_exactly() const {
  std::uint64_t sum = 0;
  std::array<char, 4096> buffer{};
  for (const auto& [process, size] : sizes_) {
    const auto counted =
        proportional_bytes(read_from_start(open_of(process, "/smaps_rollup"), buffer));
    sum += counted > 0 ? counted : anonymous_bytes(read_from_start(size, buffer));
  }
  return sum;
}

std::uint64_t MemoryWatch::read() {
  auto bytes = resident_.read();
  // Prefer the cheap figure, which can only be too high, for as long as it is harmless.
  if (bytes > peak_bytes_ || (memory_bytes_ && bytes > *memory_bytes_)) {
    bytes = std::min(bytes, resident_.read_exactly());
  }
  peak_bytes_ = std::max(peak_bytes_, bytes);
  if (memory_bytes_) peak_bytes_ = std::min(peak_bytes_, *memory_bytes_);
  return bytes;
}

bool MemoryWatch::look() {
  const std::lock_guard lock(mutex_);
  if (!memory_bytes_ || exceeded_) return false;
  exceeded_ = read() > *memory_bytes_;
  return exceeded_;
}

MemoryState MemoryWatch::state() {
  const std::lock_guard lock(mutex_);
  const auto current = read();
  MemoryState state{.current_bytes = current, .peak_bytes = peak_bytes_, .exceeded = exceeded_};
  if (memory_bytes_) {
    state.current_bytes = std::min(current, *memory_bytes_);
    if (exceeded_) state.peak_bytes = *memory_bytes_;
  }
  return state;
}

}  // namespace emulator::sandbox
