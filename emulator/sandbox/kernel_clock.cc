#include "emulator/sandbox/kernel_clock.h"

#include <time.h>

namespace emulator::sandbox {
namespace {

std::chrono::nanoseconds duration_of(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

std::chrono::nanoseconds kernel_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return duration_of(now);
}

std::optional<std::chrono::nanoseconds> cpu_time_of(pid_t process) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(process, &clock) != 0) return std::nullopt;
  if (::clock_gettime(clock, &used) != 0) return std::nullopt;
  return duration_of(used);
}

}  // namespace emulator::sandbox
