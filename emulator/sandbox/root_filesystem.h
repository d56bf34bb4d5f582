// The root that a sandbox's processes see, as a list of steps that a child can take without
// allocating: a tmpfs with the host's system folders, the code and the layers read-only, an own
// /tmp, /proc and a minimal /dev; or an unpacked image, which stays as it is.
#pragma once

#include "emulator/sandbox/sandbox.h"

#include <cstdint>
#include <string>
#include <vector>

namespace emulator::sandbox {

struct FilesystemStep {
  enum class Kind {
    folder,          // make `target`, mode `mode`
    file,            // make `target` with the content `source`, mode `mode`
    link,            // make `target` a symbolic link to `source`
    bind,            // `source` of the host, with what is mounted below it, at `target`
    bind_read_only,  // the same, not writable
    bind_opened,     // the same, but the top folder itself readable for everyone
    temporary,       // a tmpfs of `bytes` at `target`
    proc,            // a new /proc at `target`
    image,           // the root itself: the image `source`, under what is written over it
    read_only,       // what is mounted at `target` becomes read-only
  };
  Kind kind = Kind::folder;
  std::string source;
  std::string target;  // below the new root; empty: the root itself
  unsigned mode = 0755;
  std::uint64_t bytes = 0;
  bool required = true;  // else a failure is passed over
  bool operator==(const FilesystemStep&) const = default;
};

struct RootOptions {
  enum class Proc { none, own };
  // Whether the processes have the rights of the files' owner, or those of others.
  enum class Reader { owner, other };
  Proc proc = Proc::own;
  Reader reader = Reader::owner;
  std::string names{};  // the content of /etc/resolv.conf; empty: the host's file
};

// Looks at the host to learn which system folders exist and which are links. Sources are free of
// symbolic links. The order of the result is the order in which steps are taken.
std::vector<FilesystemStep> plan_root(const RootView& view, const RootOptions& options);

// A path as one of the folders in an overlay's options, where ':' and ',' separate.
std::string escaped_in_mount_options(const std::string& path);

// Whether the path lies in a folder of the host that every sandbox sees.
bool is_system_path(const std::string& path);

}  // namespace emulator::sandbox
