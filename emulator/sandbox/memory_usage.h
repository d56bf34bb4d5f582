// Resident memory of a process and its descendants, read from /proc.
#pragma once

#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <sys/types.h>

namespace emulator::sandbox {

// Its owner's thread.
class MemoryUsage {
 public:
  explicit MemoryUsage(pid_t pid) : pid_(pid) {}

  // The sum over the living processes, of their sizes and of their peaks. The peak never falls,
  // also when processes end. Processes that share pages count them each.
  Usage read();

 private:
  const pid_t pid_;
  // Kept open: opening costs more than reading, and this runs once per invocation.
  UniqueFd status_;
  UniqueFd children_;
  std::uint64_t peak_bytes_ = 0;
};

}  // namespace emulator::sandbox
