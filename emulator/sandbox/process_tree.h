// A process, its descendants, and what they hold, read from /proc. For where the kernel keeps no
// group of them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace emulator::sandbox {

// The process and its descendants as far as they are alive. A tree beyond 4,096 processes is cut
// off: a fork bomb must not become our loop.
std::vector<pid_t> process_tree(pid_t root);

struct ResidentMemory {
  std::uint64_t now_bytes = 0;
  std::uint64_t peak_bytes = 0;
};

// Summed over the processes; pages that they share are counted for each.
ResidentMemory resident_memory(const std::vector<pid_t>& processes);

// Whether one of the processes holds the TCP connection that lies at 127.0.0.1:`port` on its side
// and at 127.0.0.1:`peer_port` on the other. Source of the question: sock_diag(7).
bool holds_connection(const std::vector<pid_t>& processes,
                      std::uint16_t port,
                      std::uint16_t peer_port);

}  // namespace emulator::sandbox
