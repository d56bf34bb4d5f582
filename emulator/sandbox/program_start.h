// What is prepared for a program's process before it is cloned, and what becomes of the clone.
#pragma once

#include "emulator/sandbox/guardian.h"
#include "emulator/sandbox/launch_step.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <sched.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <new>
#include <string>
#include <vector>

namespace emulator::sandbox {

// A process group under the guardian's eyes, until it is gone.
class GuardedGroup {
 public:
  GuardedGroup(const Guardian& guardian, pid_t group) : guardian_(guardian), group_(group) {}
  GuardedGroup(const GuardedGroup&) = delete;
  GuardedGroup& operator=(const GuardedGroup&) = delete;
  ~GuardedGroup() { guardian_.forget(group_); }

 private:
  const Guardian& guardian_;
  const pid_t group_;
};

// In memory that children share. Null where the host has none to give.
template <typename Value>
class SharedWithChildren {
 public:
  SharedWithChildren() {
    void* memory =
        ::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) value_ = new (memory) Value{};
  }
  SharedWithChildren(const SharedWithChildren&) = delete;
  SharedWithChildren& operator=(const SharedWithChildren&) = delete;
  ~SharedWithChildren() {
    if (value_ != nullptr) ::munmap(value_, sizeof(Value));
  }
  Value* get() const { return value_; }

 private:
  Value* value_ = nullptr;
};

struct Streams {
  UniqueFd input;
  UniqueFd output_reading;
  UniqueFd output_writing;
};

// The output is a pipe whose reading end does not block.
tl::expected<Streams, SandboxError> open_streams();

// As exec takes them; the texts stay the caller's.
std::vector<char*> pointers_to(const std::vector<std::string>& texts);

// The value of PATH among KEY=VALUE.
std::string path_of(const std::vector<std::string>& environment);

// As many CPUs as asked for out of those that Hearth may run on; from a different one each turn, so
// that environments spread.
cpu_set_t choose_cpus(int wanted, unsigned turn);

// fork() that also gives a pidfd. Returns 0 in the child.
pid_t clone_with_pidfd(int& pidfd);

// Kills and reaps the child of an entrance that was killed before it could report it. It is ours,
// and until it is reaped its process namespace does not end.
void reap_unreported(pid_t pid);

// A failure that a child reported, with advice.
SandboxError start_failure(const LaunchReport& report, const Program& program);

}  // namespace emulator::sandbox
