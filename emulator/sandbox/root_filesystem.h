// The root that a sandbox's processes see, as a list of steps that a child can take without
// allocating: a tmpfs with the host's system folders, the code and the layers read-only, an own
// /tmp, /proc and a minimal /dev; or an unpacked image, copy-on-write.
#pragma once

#include "emulator/sandbox/sandbox.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace emulator::sandbox {

struct FilesystemStep {
  enum class Kind {
    folder,          // make `target`, mode `number`
    file,            // make `target` with the content `source`, mode `number`
    link,            // make `target` a symbolic link to `source`
    bind,            // `source` of the host, with what is mounted below it, at `target`
    bind_read_only,  // the same, not writable
    temporary,       // a tmpfs of `number` bytes at `target`
    proc,            // a new /proc at `target`
    overlay,         // an overlay at `target` with the options `source`
    read_only,       // what is mounted at `target` itself becomes read-only
  };
  Kind kind = Kind::folder;
  std::string source;
  std::string target;  // below the new root, which is mounted first; "" is the root itself
  std::uint64_t number = 0;
  bool required = true;  // else a failure (a host without that folder) is passed over
  bool operator==(const FilesystemStep&) const = default;
};

enum class ProcFolder { none, own };

// Looks at the host only to learn which system folders exist and which are links. The order of the
// result is the order of mounting; later ones may lie on earlier ones.
std::vector<FilesystemStep> plan_root(const RootView& view, ProcFolder proc);

}  // namespace emulator::sandbox
