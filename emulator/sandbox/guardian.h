// What outlives Hearth by a moment when Hearth is killed: a process that then ends every process
// group Hearth had made. The kernel ends the processes that Hearth started itself; those that they
// started in turn would stay, and so would folders that Hearth had made.
//
// A process that left its group is not reached.
#pragma once

#include "emulator/sandbox/unique_fd.h"

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace emulator::sandbox {

// Thread: any, but for construction and destruction. The destructor ends the guardian, and what it
// still guards.
class Guardian {
 public:
  // Without a guardian, when the host cannot start one, nothing is guarded.
  Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  ~Guardian();

  // For a child between clone and exec, which says guard_this_group() through it; -1 without a
  // guardian.
  int descriptor() const { return line_.get(); }

  // The group is gone; its number may become another's.
  void forget(pid_t group) const noexcept;

  // Removes the folder, with all that is in it, once every group is ended. A folder that is gone by
  // then is none the worse.
  void remove_at_end(const std::filesystem::path& folder) const noexcept;

  // The same for a control group and those below it, which go when their processes have gone.
  void remove_groups_at_end(const std::filesystem::path& folder) const noexcept;

 private:
  void tell(std::string record) const noexcept;

  UniqueFd line_;
  pid_t pid_ = -1;
};

// Puts the calling process's group under guard. Safe between clone and exec.
void guard_this_group(int descriptor) noexcept;

}  // namespace emulator::sandbox
