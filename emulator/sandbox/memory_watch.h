// The memory limit without a memory controller: the processes' own memory is added up, often.
//
// A short peak between two looks passes unseen, as does memory that is shared rather than a
// process's own; so does, therefore, what lies in /tmp.
#pragma once

#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/unique_fd.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

namespace emulator::sandbox {

// Our choice: often enough for a process that fills 3 MB/ms not to run far beyond its limit, and
// seldom enough to cost a thousandth of a CPU.
inline constexpr std::chrono::milliseconds kMemoryWatchInterval{10};

// Anonymous resident memory of the processes of a set.
// Threads: its owner's.
class ResidentMemory {
 public:
  explicit ResidentMemory(const ProcessSet& members) : members_(members) {}
  // What processes share after a fork counts for each of them.
  std::uint64_t read();
  // What they share counts once, as far as the kernel lets us see it. Costs a millisecond for each
  // few gigabytes.
  std::uint64_t read_exactly() const;

 private:
  const ProcessSet& members_;
  std::map<pid_t, UniqueFd> sizes_;  // kept open: opening costs more than reading
};

// Threads: any.
class MemoryWatch {
 public:
  MemoryWatch(const ProcessSet& members, std::optional<std::uint64_t> memory_bytes)
      : resident_(members), memory_bytes_(memory_bytes) {}

  // True once, when the limit is passed.
  bool look();
  MemoryState state();

 private:
  std::uint64_t read();

  std::mutex mutex_;
  ResidentMemory resident_;
  const std::optional<std::uint64_t> memory_bytes_;
  std::uint64_t peak_bytes_ = 0;
  bool exceeded_ = false;
};

}  // namespace emulator::sandbox
