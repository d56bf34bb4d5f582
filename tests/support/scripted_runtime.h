// Programs that live in the test: a Launcher whose processes are threads that run a script and
// speak the Runtime API, or the one for extensions, over loopback like any other client.
#pragma once

#include "emulator/sandbox/sandbox.h"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tests {

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case
};

// Thrown through a script when its process is killed, or told to end without minding it.
struct Killed {};

// What a script is started as, and where it prints.
struct ScriptedStart {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  int output;
  int launch_number;
};

// What a script can do. Its own thread.
class ScriptedProcess {
 public:
  explicit ScriptedProcess(ScriptedStart start);
  ~ScriptedProcess();

  HttpAnswer get(const std::string& path, const std::map<std::string, std::string>& headers = {});
  HttpAnswer post(const std::string& path,
                  const std::string& body,
                  const std::map<std::string, std::string>& headers = {});

  HttpAnswer put(const std::string& path,
                 const std::string& body,
                 const std::map<std::string, std::string>& headers = {});

  HttpAnswer next() { return get("/2018-06-01/runtime/invocation/next"); }
  HttpAnswer restore_next() { return get("/2018-06-01/runtime/restore/next"); }
  HttpAnswer respond(const std::string& id, const std::string& body) {
    return post("/2018-06-01/runtime/invocation/" + id + "/response", body);
  }
  static std::string id_of(const HttpAnswer& next) {
    return next.headers.at("lambda-runtime-aws-request-id");
  }

  // Takes and answers invocations until killed. `answer` makes the response body of an event.
  [[noreturn]] void serve(const std::function<std::string(const HttpAnswer& next)>& answer);

  void print(const std::string& text) const;
  [[noreturn]] void hang();  // until killed

  // From now on SIGTERM does not end the script; it learns of it by asking.
  void mind_termination();
  // Blocks until SIGTERM has come. After mind_termination().
  void await_termination();
  bool terminated() const;

  // What it was started as: the path of a runtime or an extension, for scripts that play several.
  const std::string& program() const { return start_.argv.front(); }
  const std::string& variable(const std::string& name) const { return start_.environment.at(name); }
  bool has_variable(const std::string& name) const { return start_.environment.count(name) != 0; }
  int launch_number() const { return start_.launch_number; }

  // Any thread.
  void kill();
  void terminate();
  // By which the script ends, having thrown Killed: SIGKILL or SIGTERM.
  int ending_signal() const;

 private:
  struct Connection;
  void end_by(int signal);

  const ScriptedStart start_;
  std::unique_ptr<Connection> connection_;
};

// Ends a script as a process ends.
struct ScriptEnd {
  std::optional<int> code;
  std::optional<int> signal;
};
using Script = std::function<ScriptEnd(ScriptedProcess&)>;

// The processes that live. Any thread.
class ScriptedProcesses {
 public:
  void add(ScriptedProcess& process);
  void remove(ScriptedProcess& process);
  void kill_newest();
  void kill_any(std::size_t number);
  void kill_all();
  int count() const;

 private:
  mutable std::mutex mutex_;
  std::vector<ScriptedProcess*> processes_;  // the newest last
};

class ScriptedLauncher final : public emulator::sandbox::Launcher {
 public:
  explicit ScriptedLauncher(Script script) : script_(std::move(script)) {}

  tl::expected<std::unique_ptr<emulator::sandbox::Sandbox>, emulator::sandbox::SandboxError> make(
      const emulator::sandbox::SandboxRequest& request) override;
  // `beside`: the processes of the same sandbox, which outlive the result.
  tl::expected<std::unique_ptr<emulator::sandbox::Process>, emulator::sandbox::SandboxError> start(
      const emulator::sandbox::StartRequest& request, ScriptedProcesses& beside);

  // Refuses to launch from now on: every program, or one by its argv[0].
  void refuse(emulator::sandbox::SandboxError error);
  void refuse(const std::string& program, emulator::sandbox::SandboxError error);

  // Ends the newest process from outside, as the kernel may, or one of those that live.
  void kill_newest();
  void kill_any(std::size_t number);

  // What sandboxes were told, and what they say. Any thread.
  struct Machine {
    std::atomic<int> sandboxes = 0;
    std::atomic<int> freezes = 0;
    std::atomic<int> thaws = 0;
    std::atomic<int> terminations = 0;  // of single programs
    std::atomic<int> ends = 0;          // the same, by end()
    std::atomic<int> kills = 0;         // of all programs of a sandbox
    std::atomic<bool> frozen = false;
    std::atomic<bool> memory_exceeded = false;
    std::atomic<std::int64_t> throttled_ms = 0;
    std::atomic<std::int64_t> cpu_quota_us = -1;  // -1: unlimited
  };
  Machine& machine() { return machine_; }

  // What was started, by argv[0], the earliest first.
  std::vector<std::string> programs() const;
  int launches() const { return launches_; }
  int living() const { return processes_.count(); }

 private:
  const Script script_;
  mutable std::mutex mutex_;  // guards what follows
  std::optional<emulator::sandbox::SandboxError> refusal_;
  std::map<std::string, emulator::sandbox::SandboxError> refused_programs_;
  std::vector<std::string> programs_;

  std::atomic<int> launches_ = 0;
  Machine machine_;
  ScriptedProcesses processes_;
};

}  // namespace tests
