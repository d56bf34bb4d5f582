// The right to use a folder, which one holder has at a time.
#pragma once

#include "emulator/state/store.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <utility>

namespace emulator::state {

// Held as long as the object lives, and no longer than the process: the kernel gives it back at
// whatever end. Threads: any may acquire; an object is its owner's.
class FolderLock {
 public:
  // Makes the folder (0700) and the file `lock` in it (0600) if they are missing. The error names
  // the process that holds the folder, when the kernel tells.
  static tl::expected<std::unique_ptr<FolderLock>, StoreError> acquire(
      const std::filesystem::path& path);

  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  using File = std::pair<dev_t, ino_t>;

  FolderLock(int descriptor, File file) : descriptor_(descriptor), file_(file) {}

  const int descriptor_;
  const File file_;
};

}  // namespace emulator::state
