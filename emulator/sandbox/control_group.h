// A control group: a folder in one of the kernel's hierarchies, with files that are read and
// written whole.
//
// Source: the kernel's admin-guide, cgroup-v1/cgroups and cgroup-v2.
#pragma once

#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::sandbox {

// How long the removal of a group waits for members that are just ending. Our choice: ending takes
// milliseconds, and unmapping many gigabytes some hundred of them.
inline constexpr std::chrono::milliseconds kRemovalPatience{2'000};

// A file of a group. Kept open where it is used often, for opening costs more than reading;
// otherwise opened each time, for a thousand groups may use up a process's descriptors.
// Threads: any.
class GroupFile {
 public:
  enum class Keep { open, closed };

  GroupFile() = default;
  // Invalid, with errno, if the file cannot be opened. `flags` as of open().
  GroupFile(const std::string& folder, const char* name, int flags, Keep keep = Keep::open);

  bool valid() const { return valid_; }
  // -1 unless it is kept open.
  int descriptor() const { return descriptor_.get(); }
  const std::string& path() const { return path_; }

  // The whole text, as much of it as fits the buffer; empty on failure.
  using Buffer = std::array<char, 8'192>;
  std::string_view read(Buffer& buffer) const;
  // The whole text as one number; 0 on failure.
  std::uint64_t read_number() const;
  tl::expected<void, SandboxError> write(std::string_view text) const;

 private:
  // What use() works on: the kept descriptor, or one for the moment.
  template <class Use>
  auto on_descriptor(Use use) const {
    if (descriptor_.valid()) return use(descriptor_.get());
    const UniqueFd momentary = opened();
    return use(momentary.get());
  }
  UniqueFd opened() const;

  std::string path_;
  int flags_ = 0;
  bool valid_ = false;
  UniqueFd descriptor_;
};

// The number that follows `key` at the start of a line; 0 where there is none.
std::uint64_t number_after(std::string_view text, std::string_view key);

// Writes a file that is not kept.
tl::expected<void, SandboxError> write_group_file(const std::string& folder,
                                                  const char* name,
                                                  std::string_view text);

std::vector<pid_t> group_members(const std::string& folder);

// "cannot <what>: <reason>; <remedy>", with errno as it stands.
SandboxError group_failure(const char* operation, const std::string& path);

// A group that we made and that goes with the object.
// Threads: its owner's.
class ControlGroup {
 public:
  // A group that exists already is taken over.
  static tl::expected<ControlGroup, SandboxError> make(std::string folder);

  ControlGroup(ControlGroup&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  ControlGroup& operator=(ControlGroup&&) = delete;
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;
  ~ControlGroup();  // waits up to kRemovalPatience for members that are just ending

  const std::string& folder() const { return folder_; }

 private:
  explicit ControlGroup(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
};

// Removes what groups of Hearths that are gone lie directly in `folder`: "hearth-PID" where no
// process PID exists. Groups that hold a process stay.
void sweep_groups(const std::string& folder);

}  // namespace emulator::sandbox
