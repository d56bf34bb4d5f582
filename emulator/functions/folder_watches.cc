#include "emulator/functions/folder_watches.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

namespace emulator::functions {
namespace {

namespace fs = std::filesystem;
using Kind = CodePackageError::Kind;
using Done = FolderWatches::Done;

// IN_MODIFY tells a write when it happens; IN_CLOSE_WRITE the end of one through mapped memory.
constexpr std::uint32_t kContentMask = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE |
                                       IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
                                       IN_MOVE_SELF;
constexpr std::uint32_t kAncestorMask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
// Of one read. An event with the longest name takes 272 bytes.
constexpr std::size_t kEventBufferBytes = std::size_t{64} * 1024;

tl::unexpected<CodePackageError> refuse(Kind kind, std::string message) {
  return tl::unexpected(CodePackageError{kind, std::move(message)});
}

std::string reason(int number) { return std::generic_category().message(number); }

std::string joined(const std::string& folder, std::string_view name) {
  return (folder == "/" ? folder : folder + "/") + std::string(name);
}

// Nothing for a file, or for a folder that has gone meanwhile.
std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> folders;
  std::error_code failed;
  auto at = fs::directory_iterator(path, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    std::error_code ignored;  // an entry that has gone meanwhile is no folder
    if (at->is_symlink(ignored) || !at->is_directory(ignored)) continue;
    if (auto name = at->path().filename().string(); name != kCompiledFolder) {
      folders.push_back(joined(path, name));
    }
  }
  return folders;
}

// Without "." and a slash at the end; with the links that it names, unless it leads up from one.
fs::path absolute_path(const std::string& name, std::error_code& failed) {
  auto path = fs::absolute(name, failed);
  if (!failed && std::find(path.begin(), path.end(), "..") != path.end()) {
    path = fs::canonical(path, failed);
  }
  path = path.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

FolderWatches::FolderWatches() : descriptor_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

FolderWatches::~FolderWatches() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Done FolderWatches::add(const std::string& name) {
  if (descriptor_ < 0) {
    return refuse(Kind::host,
                  "cannot watch " + name +
                      " for changes: the kernel gives this user no more inotify instances; raise "
                      "them: sudo sysctl fs.inotify.max_user_instances=1024");
  }
  std::error_code failed;
  const auto path = absolute_path(name, failed);
  if (failed || !fs::exists(path, failed)) {
    return refuse(
        Kind::missing,
        "the code " + name + " does not exist; build the function first, or correct the path");
  }
  const auto [at, is_new] = roots_.try_emplace(name);
  if (!is_new) return {};
  auto& root = at->second;
  root.path = path.string();
  auto done = watch_all(name, root);
  if (done && root.contents.empty()) {
    done = refuse(Kind::host,
                  "cannot watch " + name +
                      " for changes: it cannot be read; let this user read it (chmod u+r)");
  }
  if (!done) remove(name);
  return done;
}

void FolderWatches::remove(const std::string& name) {
  const auto found = roots_.find(name);
  if (found == roots_.end()) return;
  drop_uses(name, found->second);
  roots_.erase(found);
  end_unused();
}

Done FolderWatches::watch_all(const std::string& name, Root& root) {
  drop_uses(name, root);
  auto done = watch_ancestors(name, root);
  if (done) done = watch_tree(name, root, root.path);
  root.incomplete = !done;
  end_unused();
  return done;
}

Done FolderWatches::watch_ancestors(const std::string& name, Root& root) {
  // From the top: what takes another's place meanwhile is then told by the watch above it.
  fs::path above = "/";
  for (const auto& step : fs::path(root.path).relative_path()) {
    const auto watch = ask_kernel(above.string(), kAncestorMask | IN_ONLYDIR);
    if (!watch) return tl::unexpected(watch.error());
    // One that is missing now will be made below another that is watched; one that may not be read
    // cannot be watched, and then a new folder in the place of what it holds goes unseen.
    if (*watch >= 0) {
      watches_[*watch].push_back({name, Role::leads_to_root, above.string(), step.string()});
      root.ancestors.push_back(*watch);
    }
    above /= step;
  }
  return {};
}

Done FolderWatches::watch_tree(const std::string& name, Root& root, const std::string& top) {
  std::vector<std::string> pending{top};
  while (!pending.empty()) {
    const auto path = std::move(pending.back());
    pending.pop_back();
    auto below = watch_one(name, root, path);
    if (!below) return tl::unexpected(std::move(below.error()));
    std::move(below->begin(), below->end(), std::back_inserter(pending));
  }
  return {};
}

// Gives the folders in it.
tl::expected<std::vector<std::string>, CodePackageError> FolderWatches::watch_one(
    const std::string& name, Root& root, const std::string& path) {
  // The root may be a link to the code; below it a link is an entry like a file.
  const std::uint32_t links = path == root.path ? 0U : IN_DONT_FOLLOW | IN_ONLYDIR;
  const auto watch = ask_kernel(path, kContentMask | links);
  if (!watch) return tl::unexpected(watch.error());
  if (*watch < 0) return {};
  const auto known = root.contents.find(path);
  if (known == root.contents.end() || known->second != *watch) {
    if (known != root.contents.end()) drop_use(known->second, name, Role::content, path);
    watches_[*watch].push_back({name, Role::content, path, {}});
    root.contents[path] = *watch;
  }
  return folders_in(path);
}

// -1 for what is gone or may not be read.
tl::expected<int, CodePackageError> FolderWatches::ask_kernel(const std::string& path,
                                                              std::uint32_t mask) const {
  const int watch = ::inotify_add_watch(descriptor_, path.c_str(), mask | IN_MASK_ADD);
  if (watch >= 0) return watch;
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EACCES:
      return -1;
    case ENOSPC:
      return refuse(Kind::host,
                    "cannot watch " + path +
                        " for changes: this user has as many watches as the kernel allows; raise "
                        "it: sudo sysctl fs.inotify.max_user_watches=1048576, or name a folder "
                        "with fewer folders in it");
    default:
      return refuse(Kind::host, "cannot watch " + path + " for changes: " + reason(errno));
  }
}

void FolderWatches::drop_use(int watch,
                             const std::string& name,
                             Role role,
                             const std::string& path) {
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  std::erase_if(found->second, [&](const Use& use) {
    return use.root == name && use.role == role && (role != Role::content || use.path == path);
  });
  if (found->second.empty()) unused_.push_back(watch);
}

void FolderWatches::drop_uses(const std::string& name, Root& root) {
  for (const auto& [path, watch] : std::exchange(root.contents, {})) {
    drop_use(watch, name, Role::content, path);
  }
  for (const int watch : std::exchange(root.ancestors, {})) {
    drop_use(watch, name, Role::leads_to_root, {});
  }
}

void FolderWatches::drop_tree(const std::string& name, Root& root, const std::string& top) {
  const auto drop = [&](auto from, auto to) {
    for (auto at = from; at != to; ++at) drop_use(at->second, name, Role::content, at->first);
    root.contents.erase(from, to);
  };
  const auto itself = root.contents.find(top);
  if (itself != root.contents.end()) drop(itself, std::next(itself));
  // '0' follows '/': what begins with top + "/" lies between.
  drop(root.contents.lower_bound(top + "/"), root.contents.lower_bound(top + "0"));
}

void FolderWatches::end_unused() {
  for (const int watch : std::exchange(unused_, {})) {
    const auto found = watches_.find(watch);
    // It may have ended by itself, or be used again.
    if (found == watches_.end() || !found->second.empty()) continue;
    ::inotify_rm_watch(descriptor_, watch);
    watches_.erase(found);
  }
}

FolderWatches::Changes FolderWatches::read_changes() {
  Changes changes;
  alignas(inotify_event) std::array<char, kEventBufferBytes> buffer;
  const auto length = ::read(descriptor_, buffer.data(), buffer.size());
  Roots lost;  // whose watches must be set anew
  for (ssize_t at = 0; at < length;) {
    const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    handle(*event, changes, lost);
  }
  for (const auto& name : changes.changed) {
    if (roots_.at(name).incomplete) lost.insert(name);
  }
  for (const auto& name : lost) {
    if (auto done = watch_all(name, roots_.at(name)); !done) {
      changes.incomplete.insert_or_assign(name, std::move(done.error()));
    }
  }
  end_unused();
  return changes;
}

void FolderWatches::handle(const inotify_event& event, Changes& changes, Roots& lost) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    for (const auto& [name, root] : roots_) {
      changes.changed.insert(name);
      lost.insert(name);
    }
    return;
  }
  const auto found = watches_.find(event.wd);
  if (found == watches_.end()) return;
  if ((event.mask & IN_IGNORED) != 0) return ended(event.wd);
  const std::string_view entry = event.len > 0 ? event.name : "";
  const auto uses = found->second;  // handling one may change the list
  for (const auto& use : uses) {
    if (use.role == Role::content) {
      handle_content(event, use, changes, lost);
    } else if (entry == use.name && (event.mask & kAncestorMask) != 0) {
      changes.changed.insert(use.root);
      lost.insert(use.root);
    }
  }
}

void FolderWatches::handle_content(const inotify_event& event,
                                   const Use& use,
                                   Changes& changes,
                                   Roots& lost) {
  const std::string_view entry = event.len > 0 ? event.name : "";
  if (entry == kCompiledFolder) return;
  changes.changed.insert(use.root);
  if ((event.mask & IN_ISDIR) == 0 || entry.empty()) return;
  auto& root = roots_.at(use.root);
  const auto path = joined(use.path, entry);
  // Its watches would go with a folder that is moved, and tell of it under its old name.
  if ((event.mask & IN_MOVED_FROM) != 0) drop_tree(use.root, root, path);
  if ((event.mask & (IN_CREATE | IN_MOVED_TO)) == 0) return;
  // It is tried again, and told if it fails again.
  if (auto done = watch_tree(use.root, root, path); !done) lost.insert(use.root);
}

// The kernel has ended the watch, for what was watched is gone.
void FolderWatches::ended(int watch) {
  const auto found = watches_.find(watch);
  for (const auto& use : found->second) {
    auto& root = roots_.at(use.root);
    if (use.role == Role::leads_to_root) {
      std::erase(root.ancestors, watch);
      continue;
    }
    const auto known = root.contents.find(use.path);
    if (known != root.contents.end() && known->second == watch) root.contents.erase(known);
  }
  watches_.erase(found);
}

}  // namespace emulator::functions
