// The memory limit of a set of processes that have a /tmp in memory.
//
// A control group is charged for anonymous memory and for the pages of a tmpfs alike, but on AWS
// /tmp is a disk. While /tmp is empty, the kernel's limit is exactly the one that was asked for,
// and the kernel decides. Once /tmp holds something, the kernel's limit is raised by it and by some
// slack for what will be written before the next look, and the looks decide. How soon the next look
// must come follows from how much may still be written before the kernel would.
//
// Cached pages of files are charged too, and dropped by the kernel when it needs room; they are
// left out of every figure, since who pays for the pages of a library is whoever read it first.
#pragma once

#include "emulator/sandbox/resource_control.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace emulator::sandbox {

// A memory control group of either version.
// Threads: any.
class MemoryGroup {
 public:
  virtual ~MemoryGroup() = default;
  // Nothing: none.
  virtual tl::expected<void, SandboxError> set_limit(std::optional<std::uint64_t> bytes) = 0;
  struct Parts {
    std::uint64_t file_bytes = 0;    // what the kernel would drop for room
    std::uint64_t shared_bytes = 0;  // tmpfs and other shared memory
  };
  virtual Parts parts() const = 0;            // costs some microseconds
  virtual std::uint64_t usage() const = 0;    // all that is charged
  virtual std::uint64_t highest() const = 0;  // of usage, so far; 0 where the kernel does not tell
  virtual bool killed() const = 0;            // the kernel ended a process for the limit
  // Signals, as `events` of epoll, that killed() may have changed; read() settles it.
  virtual int event_descriptor() const = 0;
  virtual std::uint32_t event_mask() const = 0;
  virtual void settle_event() const = 0;
};

// How far /tmp may grow beyond what the last look found, at most. Our choice: a CPU writes 3 MB/ms
// to a tmpfs, so that eight of them need kMaxLookInterval for it at the least.
inline constexpr std::uint64_t kTemporarySlackBytes = 64ULL * 1024 * 1024;
// What is charged in one millisecond, at most. Our choice: twice what one CPU writes to a tmpfs.
inline constexpr std::uint64_t kFillRateBytes = 8ULL * 1024 * 1024;
inline constexpr std::chrono::microseconds kMinLookInterval{500};
inline constexpr std::chrono::microseconds kMaxLookInterval{10'000};

struct MemoryReading {
  std::uint64_t usage_bytes = 0;
  MemoryGroup::Parts parts;
  std::uint64_t temporary_bytes = 0;  // in /tmp
  std::uint64_t limit_bytes = 0;      // the kernel's, as it stands
};

struct MemoryVerdict {
  std::uint64_t own_bytes = 0;        // without /tmp and what can be dropped
  std::uint64_t temporary_bytes = 0;  // of /tmp, what this group is charged for
  std::uint64_t limit_bytes = 0;      // the kernel's, as it should be
  bool over = false;
  std::chrono::microseconds next_look{};
};

// What to do about a set that may use `memory_bytes`.
MemoryVerdict judge(std::uint64_t memory_bytes, const MemoryReading& reading);

// Threads: any.
class MemoryLimit {
 public:
  // The group and what the request points to outlive the object.
  MemoryLimit(MemoryGroup& group, const ResourceRequest& request);

  // Sets the kernel's limit to begin with.
  tl::expected<void, SandboxError> start();

  // Reads, adapts the kernel's limit, and says when to look again: nothing where no look is needed,
  // since the kernel alone decides. `exceeded` is true once.
  struct Look {
    bool exceeded = false;
    std::optional<std::chrono::microseconds> next;
  };
  Look look();

  // The kernel said that it may have ended a process: looks come soon for a while.
  void expect_kill();

  MemoryState state();

 private:
  MemoryReading read() const;  // without parts
  MemoryReading read_all() const;
  void note(const MemoryReading& reading);
  std::optional<std::chrono::microseconds> look_at_group();

  MemoryGroup& group_;
  const std::optional<std::uint64_t> memory_bytes_;
  const TemporaryBytes temporary_used_;

  mutable std::mutex mutex_;
  std::uint64_t limit_bytes_ = 0;
  std::uint64_t highest_own_bytes_ = 0;
  std::uint64_t highest_other_bytes_ = 0;
  int looks_over_ = 0;
  int looks_for_kill_ = 0;
  bool exceeded_ = false;
  bool told_ = false;
};

}  // namespace emulator::sandbox
