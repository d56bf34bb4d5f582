// Tells when code on the disk changes, as the kernel tells it: no polling, and usually within a
// millisecond of the change. Changes that other machines make on a network file system are not told
// by the kernel.
#pragma once

#include "emulator/functions/code_package.h"

#include <tl/expected.hpp>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace emulator::functions {

// Threads: any, but for destruction; one thread of its own tells of all changes. watch() and
// forget() wait for a call that is under way, so whoever calls them holds no lock which that call
// takes. What is called may call them too.
class CodeWatch {
 public:
  // With the path that was given to watch(), after something below it was written, made, removed or
  // renamed, or got another mode, owner or time of change; and after it was itself removed,
  // renamed, or made anew under its name, also when a folder above it was. Many changes may be told
  // by one call, and one by several. When the kernel has lost count, all are told. Must not throw.
  using Changed = std::function<void(const std::filesystem::path& folder)>;
  // When new folders below one that is watched can no longer be watched; the error says how to mend
  // it. Changes in them are not told until then. Must not throw.
  using Incomplete = std::function<void(const CodePackageError& error)>;

  explicit CodeWatch(Changed changed, Incomplete incomplete = {});
  ~CodeWatch();
  CodeWatch(const CodeWatch&) = delete;
  CodeWatch& operator=(const CodeWatch&) = delete;
  CodeWatch(CodeWatch&&) = delete;
  CodeWatch& operator=(CodeWatch&&) = delete;

  // A folder with all below it, or a file such as a .zip package. Symbolic links below it are
  // entries, not ways; a path that is itself a link is followed. Changes after the return are told.
  // Counted: watched twice, it is to be forgotten twice. An error changes nothing: `missing` if it
  // does not exist, `host` if the kernel watches no more, with the name of the limit to be raised.
  tl::expected<void, CodePackageError> watch(const std::filesystem::path& folder);
  // No call for it comes once this returns, if it was the last.
  void forget(const std::filesystem::path& folder);

 private:
  using Done = tl::expected<void, CodePackageError>;
  enum class Act { watch, forget };
  struct Request {
    Act act;
    std::string folder;
    Done result = {};
    bool finished = false;
  };
  // What is watched; the thread's own.
  class Watching;

  Done ask(Act act, const std::filesystem::path& folder);
  void run();
  bool serve_requests();  // false: it is time to end

  const std::unique_ptr<Watching> watching_;
  const int wake_;    // an eventfd, written for each request and at the end
  std::mutex mutex_;  // guards what follows
  std::condition_variable served_;
  std::vector<Request*> requests_;
  bool stopping_ = false;
  std::thread thread_;  // not started without `wake_`
};

}  // namespace emulator::functions
