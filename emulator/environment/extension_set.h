// The external extensions of one launch: found in the function's layers, started, and followed.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/followed_process.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/output_pump.h"
#include "emulator/sandbox/sandbox.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::environment {

// Below the folder that stands for /opt. Source: developer guide, "Lambda Extensions API".
inline constexpr std::string_view kExtensionsFolder = "extensions";

// A file of this name beside that folder turns extensions off: none is started, and their API does
// not exist. Source: the emulator that AWS publishes.
inline constexpr std::string_view kExtensionsSwitch = "disable-extensions-jwigqn8j";

struct FoundExtensions {
  struct Program {
    std::string name;  // the file's
    std::string path;  // as processes see it
    bool operator==(const Program&) const = default;
  };
  // By name. Where there are more than allowed, the first one too many is the last here.
  std::vector<Program> programs;
  enum class Switch { on, off } turned = Switch::on;
};

// Every file in the folder, executable or not: one that cannot be started is an error, not ignored.
// A folder that is missing or cannot be read is empty. No process needs to run for it.
FoundExtensions find_extensions(const EnvironmentSpec::LayersFolder& layers);

// What an extension is given of the function's variables. Sources: developer guide, "Lambda
// Extensions API", for those that are left out; in the `rie` profile what the emulator that AWS
// publishes leaves out.
std::map<std::string, std::string> extension_variables(
    const std::map<std::string, std::string>& of_function, Profile profile);

// Any thread, except where it says otherwise.
class ExtensionSet {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // A process has ended; on the pump's thread, its output drained.
  using Ended = std::function<void(const std::string& name)>;

  // `log` and `pump` must outlive it.
  ExtensionSet(std::vector<FoundExtensions::Program> programs,
               LogStream& log,
               OutputPump& pump,
               Ended ended);
  ExtensionSet(const ExtensionSet&) = delete;
  ExtensionSet& operator=(const ExtensionSet&) = delete;
  ~ExtensionSet() { stop(); }

  bool empty() const { return programs_.empty(); }
  std::vector<std::string> names() const;

  struct StartFailure {
    ExtensionFailed failure;
    std::string_view kind;  // "PermissionDenied", "TooManyExtensions" or "UnknownError"
  };

  // Starts all of them beside one another, each as `like` with its own program, and calls `started`
  // after each, before its end can be told. Once, by one thread. After a failure some may run.
  tl::expected<void, StartFailure> start(sandbox::Sandbox& sandbox,
                                         sandbox::StartRequest like,
                                         const std::function<void(sandbox::Process&)>& started);

  // How one ended, or nothing if it has not within `patience`.
  std::optional<sandbox::Exit> exited_within(std::string_view name,
                                             std::chrono::milliseconds patience);

  // Ends every one but those.
  void end_all_but(const std::vector<std::string>& names);

  // The names of those that have been started and have not ended.
  std::vector<std::string> living() const;

  // Blocks until every one has ended. The names of those that have not at `deadline`.
  std::vector<std::string> await_end(TimePoint deadline);

  void drain_output();

  // Ends them, waits for the callbacks and reaps. Not on the pump's thread, nor while one is asked.
  void stop();

  // Ends every process of the sandbox, if there is one of its own to do it by. False: there is not.
  bool kill() noexcept;

 private:
  struct Member {
    std::string name;
    std::unique_ptr<FollowedProcess> process;
  };

  void process_ended(const std::string& name);
  std::vector<FollowedProcess*> members_but(const std::vector<std::string>& names);

  const std::vector<FoundExtensions::Program> programs_;
  LogStream& log_;
  OutputPump& pump_;
  const Ended ended_;

  mutable std::mutex mutex_;  // guards what follows; members stay until stop()
  std::condition_variable one_ended_;
  std::vector<std::string> living_;
  std::vector<Member> members_;  // last, because their ends are told to the rest
};

}  // namespace emulator::environment
