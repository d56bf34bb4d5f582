// What /proc tells of a program and of all that it started.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// Its children, theirs, and so on; not itself.
std::vector<pid_t> descendants_of(pid_t pid);

// Memory that would be free again if it ended: pages that several share count as parts. In kB; 0
// when it is gone.
std::uint64_t proportional_kb(pid_t pid);

std::size_t open_descriptors(pid_t pid);

// MemAvailable of the host, in kB.
std::uint64_t available_kb();

// SIGKILL, if `pid` is a child of `parent`. The process is held meanwhile, so that no stranger with
// its number is reached.
bool kill_child(pid_t parent, pid_t pid);

}  // namespace bench
