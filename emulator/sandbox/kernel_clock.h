// The kernel's clocks, for what is a matter of physics: when a period of CPU time begins, and how
// much of it a process has had. Nothing that people or functions read comes from here.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

namespace emulator::sandbox {

// Never goes back; begins anywhere.
std::chrono::nanoseconds kernel_now();

// CPU time of all threads of the process since it began, exact to the moment, also while they run.
// Nothing once it is reaped. Any process may be asked about.
std::optional<std::chrono::nanoseconds> cpu_time_of(pid_t process);

}  // namespace emulator::sandbox
