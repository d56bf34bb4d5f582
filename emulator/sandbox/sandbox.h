// A sandbox keeps the processes of one execution environment away from the host and within their
// limits. It knows kernels, not Lambda: the caller says which program and which limits; the sandbox
// says what became of the processes.
#pragma once

#include <tl/expected.hpp>

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

struct Program {
  std::vector<std::string> argv;         // argv[0] without a '/' is looked up in the host's PATH
  std::vector<std::string> environment;  // KEY=VALUE, the whole of it
  std::string working_folder;
};

// Soft limits of every process; the hard ones are the same, except where the host allows less.
struct ProcessLimits {
  std::uint64_t open_files = 1024;
  std::uint64_t core_bytes = 0;
  std::uint64_t locked_memory_bytes = 65'536;
  std::uint64_t stack_bytes = 8'388'608;  // hard limit: unlimited
};

// The limits that Hearth itself was started with.
ProcessLimits inherited_limits();

struct LaunchRequest {
  Program program;
  ProcessLimits limits;
};

struct SandboxError {
  enum class Kind {
    entrypoint,      // the program does not exist or cannot be executed
    working_folder,  // the working folder cannot be entered
    system,          // the host refused something else
  };
  Kind kind = Kind::system;
  std::string operation;  // the step that failed
  int error_number = 0;
  std::string message;  // a sentence: what, where, how to mend
};

// How the main process ended: exactly one of the two.
struct Exit {
  std::optional<int> code;
  std::optional<int> signal;
  bool operator==(const Exit&) const = default;
};

struct Usage {
  std::uint64_t memory_bytes = 0;       // resident now
  std::uint64_t peak_memory_bytes = 0;  // the highest the processes were seen at
};

// Threads: kill() may be called by anyone, at any time, more than once; the rest by one owner.
class Sandbox {
 public:
  virtual ~Sandbox() = default;  // kills and reaps what is left

  // The main process's id, for people to read; signals go through kill().
  virtual pid_t pid() const = 0;

  // Both output streams of the processes, in the order they were written. Not blocking; the sandbox
  // keeps ownership. Ends when no process holds it any more.
  virtual int output_descriptor() const = 0;

  // Readable once the main process has ended. The sandbox keeps ownership.
  virtual int exit_descriptor() const = 0;

  // How the main process ended, or nothing while it runs. Does not block and does not reap.
  virtual std::optional<Exit> exited() = 0;

  // Over the main process and its descendants.
  virtual Usage usage() = 0;

  // Ends all processes at once.
  virtual void kill() noexcept = 0;
};

// Any thread.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // Blocks until the program runs or has failed to.
  virtual tl::expected<std::unique_ptr<Sandbox>, SandboxError> launch(
      const LaunchRequest& request) = 0;
};

}  // namespace emulator::sandbox
