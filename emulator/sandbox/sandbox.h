// A sandbox keeps the processes of one execution environment away from the host and within their
// limits. It knows kernels, not Lambda: the caller says which programs, which limits and what they
// may see; the sandbox says what became of the processes.
#pragma once

#include <tl/expected.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace emulator::sandbox {

// What processes see of the host besides its system folders. Empty: the host as it is.
struct RootView {
  struct Folder {
    std::string host;  // absolute
    std::string seen;  // absolute; where processes find it, read-only
    bool operator==(const Folder&) const = default;
  };
  std::vector<Folder> folders;
  std::uint64_t temporary_bytes = 512ULL * 1024 * 1024;  // the size of /tmp
  std::string image;  // an unpacked image that becomes the root, copy-on-write; may be empty
  bool operator==(const RootView&) const = default;
};

struct CpuLimits {
  // CPU time in each period of 20 ms, over all processes; nothing: unlimited.
  std::optional<std::chrono::microseconds> quota;
  int visible_cpus = 0;  // that processes may run on; 0: all
};

struct SandboxRequest {
  RootView view;
  std::optional<std::uint64_t> memory_bytes;   // over all processes, /tmp not counted
  std::optional<std::uint64_t> max_processes;  // and threads
  CpuLimits cpu;
};

struct Program {
  std::vector<std::string> argv;         // argv[0] without a '/': in the host's PATH, or in
                                         // an image by the PATH of `environment`
  std::vector<std::string> environment;  // KEY=VALUE, the whole of it
  std::string working_folder;            // as the program sees it
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

struct StartRequest {
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

// How a process ended: exactly one of the two.
struct Exit {
  std::optional<int> code;
  std::optional<int> signal;
  bool operator==(const Exit&) const = default;
};

// Over all processes, since the first of those that live was started.
struct Usage {
  std::uint64_t memory_bytes = 0;       // now
  std::uint64_t peak_memory_bytes = 0;  // the highest they were seen at
  bool memory_exceeded = false;         // they were ended for passing the limit
  // How long the CPU quota kept them waiting; nothing where none is kept.
  std::optional<std::chrono::nanoseconds> throttled;
};

// A process that a sandbox was told to start: one program of it, beside others of the same sandbox.
// It lives, for what Sandbox says, as long as this object, also after it has ended.
// Threads: terminate(), end() and kill() may be called by anyone, at any time, more than once; the
// rest by one owner.
class Process {
 public:
  // Ends the program's process group, as end() does, and reaps it. With the last one of a sandbox
  // goes everything that is left there.
  virtual ~Process() = default;

  // Its id, for people to read; signals go through the calls below.
  virtual pid_t pid() const = 0;

  // Both output streams of this program and of what it started, in the order they were written. Not
  // blocking; the process object keeps ownership. Ends when no process holds it any more.
  virtual int output_descriptor() const = 0;

  // Readable once the process has ended. The object keeps ownership.
  virtual int exit_descriptor() const = 0;

  // How it ended, or nothing while it runs. Does not block and does not reap.
  virtual std::optional<Exit> exited() = 0;

  // Where the sandbox has a network of its own: a listening socket inside it, at every address it
  // has, that becomes the caller's. The first process that is started while no other lives has it.
  // Nothing otherwise, and after the first call.
  virtual std::optional<int> take_listening_socket() = 0;

  // Asks the program to end: SIGTERM to its process group. One that stands frozen is asked once it
  // is thawed.
  virtual void terminate() noexcept = 0;

  // Ends the program at once: SIGKILL to its process group, and to none of the other programs'.
  // What left the group stays until kill(), or until the last process goes. A frozen sandbox is
  // thawed, for not every means of freezing lets go of a process that has been killed.
  virtual void end() noexcept = 0;

  // Ends every process of the sandbox at once, whoever started it, also one that is about to start.
  virtual void kill() noexcept = 0;
};

// What stays the same from one start to the next: namespaces, root, /tmp and limits.
// Threads: one owner, but for the calls that say "any thread".
class Sandbox {
 public:
  virtual ~Sandbox() = default;  // ends and removes what is left; every Process must be gone

  // Blocks until the program runs or has failed to. While other Processes live it joins them:
  // limits, usage and freeze are over all of them. While none lives it begins anew. An error while
  // frozen: thaw first.
  virtual tl::expected<std::unique_ptr<Process>, SandboxError> start(
      const StartRequest& request) = 0;

  // Whether processes have a network of their own, where the listening socket is given by them.
  virtual bool has_own_network() const = 0;

  // Whether a connection to 127.0.0.1:`local_port` from 127.0.0.1:`peer_port` is held by a process
  // of this sandbox. True where the plan does not check. Any thread.
  virtual bool owns_connection(std::uint16_t peer_port, std::uint16_t local_port) = 0;

  // A TCP connection to 127.0.0.1:`port` as the processes see it: in their own network, or in the
  // host's, where whoever listens there is met. The descriptor is the caller's, blocking, and
  // closes on exec. An error, with ECONNREFUSED, if nobody listens; with ETIMEDOUT after
  // kConnectPatience. Any thread.
  virtual tl::expected<int, SandboxError> connect_inside(std::uint16_t port) = 0;

  // A UDP socket that the processes reach at kListeningAddress:`port` in a network of their own, at
  // 127.0.0.1:`port` otherwise; port 0: a free one, which getsockname() tells. The descriptor is
  // the caller's, blocking, and closes on exec. It outlives the processes. Any thread.
  virtual tl::expected<int, SandboxError> bind_datagram_inside(std::uint16_t port) = 0;

  // From now on, and for later starts. Any thread.
  virtual void set_cpu_quota(std::optional<std::chrono::microseconds> quota) = 0;

  // Stops all processes where they stand; they cannot notice. False where there is no means, which
  // the plan has reported, no process, or one that is just being started. Where signals are the
  // means, who runs on another CPU stands a moment later. Any thread.
  virtual bool freeze() = 0;
  virtual void thaw() = 0;

  // Any thread.
  virtual Usage usage() = 0;
};

// Where the Runtime API is found in a network of its own. Source: recorded from the service,
// AWS_LAMBDA_RUNTIME_API=169.254.100.1:9001.
inline constexpr const char* kListeningAddress = "169.254.100.1";
inline constexpr std::uint16_t kListeningPort = 9001;

// How long connect_inside() waits for an answer. Our choice: on a loopback it comes at once, and
// only from a listener whose queue is full not at all.
inline constexpr std::chrono::milliseconds kConnectPatience{1'000};

// Any thread.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual tl::expected<std::unique_ptr<Sandbox>, SandboxError> make(
      const SandboxRequest& request) = 0;
};

}  // namespace emulator::sandbox
