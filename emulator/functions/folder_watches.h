// What the kernel is asked to tell about folders (inotify), and what its answers mean. Used by
// code_watch only, which adds the thread.
//
// A root is what somebody wants to know about: a folder with everything below it, or a file. The
// kernel watches single folders and files, by what they are and not by their name; so a root has
//
//   - a watch on itself and on each folder below, for everything that changes there;
//   - a watch on each folder above it, up to "/", for the one name that leads down to the root: so
//     that a root that is renamed, removed and made anew, or whose symbolic link is turned
//     elsewhere, at whatever height, is found again.
//
// Several roots may share a watch. A folder is watched first and listed then, and only after both
// is its root said to have changed; so who looks at the root because of that misses nothing that
// came before the watch.
#pragma once

#include "emulator/functions/code_package.h"

#include <tl/expected.hpp>

#include <sys/inotify.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::functions {

// Changes of this folder's content are none: an interpreter that may write beside the code keeps
// there what it compiled of it, and the first call would otherwise make the second one cold. Ours.
inline constexpr std::string_view kCompiledFolder = "__pycache__";

// One thread.
class FolderWatches {
 public:
  using Done = tl::expected<void, CodePackageError>;
  using Roots = std::set<std::string>;

  struct Changes {
    Roots changed;
    // Roots below which something is not watched for lack of a kernel's resource; it is tried again
    // with the next change of the root.
    std::map<std::string, CodePackageError> incomplete;
  };

  FolderWatches();
  ~FolderWatches();
  FolderWatches(const FolderWatches&) = delete;
  FolderWatches& operator=(const FolderWatches&) = delete;
  FolderWatches(FolderWatches&&) = delete;
  FolderWatches& operator=(FolderWatches&&) = delete;

  // For poll(): readable when read_changes() has something to tell. -1 if the kernel gave none.
  int descriptor() const { return descriptor_; }

  // A root's name is its path, as exact text. One that is added already stays as it is. After an
  // error it is not added.
  Done add(const std::string& name);
  void remove(const std::string& name);

  // What was told since, as far as one buffer holds it; does not wait.
  Changes read_changes();

 private:
  enum class Role { content, leads_to_root };

  // What a watch is for. Of one watch there may be several, also of one root.
  struct Use {
    std::string root;
    Role role;
    std::string path;  // what is watched
    std::string name;  // leads_to_root: the entry that is meant
  };
  struct Root {
    std::string path;                     // absolute
    std::map<std::string, int> contents;  // path → watch
    std::vector<int> ancestors;           // watches
    bool incomplete = false;
  };

  Done watch_all(const std::string& name, Root& root);
  Done watch_ancestors(const std::string& name, Root& root);
  Done watch_tree(const std::string& name, Root& root, const std::string& top);
  tl::expected<std::vector<std::string>, CodePackageError> watch_one(const std::string& name,
                                                                     Root& root,
                                                                     const std::string& path);
  tl::expected<int, CodePackageError> ask_kernel(const std::string& path, std::uint32_t mask) const;

  // Leaves watches without a use for end_unused().
  void drop_uses(const std::string& name, Root& root);
  void drop_tree(const std::string& name, Root& root, const std::string& top);
  void drop_use(int watch, const std::string& name, Role role, const std::string& path);
  void end_unused();

  void handle(const inotify_event& event, Changes& changes, Roots& lost);
  void handle_content(const inotify_event& event, const Use& use, Changes& changes, Roots& lost);
  void ended(int watch);

  int descriptor_ = -1;
  std::map<std::string, Root> roots_;
  std::map<int, std::vector<Use>> watches_;
  std::vector<int> unused_;  // watches that lost their last use since end_unused()
};

}  // namespace emulator::functions
