#include "emulator/environment/extension_set.h"

#include "runtime_api/extension_hub.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace emulator::environment {
namespace {

namespace fs = std::filesystem;

// Source: developer guide, "Lambda Extensions API".
constexpr std::array<std::string_view, 11> kNotGivenByAws = {"AWS_EXECUTION_ENV",
                                                             "AWS_LAMBDA_LOG_GROUP_NAME",
                                                             "AWS_LAMBDA_LOG_STREAM_NAME",
                                                             "AWS_XRAY_CONTEXT_MISSING",
                                                             "AWS_XRAY_DAEMON_ADDRESS",
                                                             "LAMBDA_RUNTIME_DIR",
                                                             "LAMBDA_TASK_ROOT",
                                                             "_AWS_XRAY_DAEMON_ADDRESS",
                                                             "_AWS_XRAY_DAEMON_PORT",
                                                             "_HANDLER",
                                                             "_X_AMZN_TRACE_ID"};

bool is_given(std::string_view key, Profile profile) {
  if (profile == Profile::rie) {
    return !key.starts_with('_') && key != "AWS_XRAY_CONTEXT_MISSING";
  }
  return std::find(kNotGivenByAws.begin(), kNotGivenByAws.end(), key) == kNotGivenByAws.end();
}

ExtensionFailed launch_error(std::string name, std::string reason) {
  return {.error_type = "Extension.LaunchError",
          .name = std::move(name),
          .exit_code = {},
          .signal = {},
          .reason = std::move(reason),
          .phase = FailurePhase::init};
}

// Source of the kinds: the emulator that AWS publishes.
ExtensionSet::StartFailure not_started(const FoundExtensions::Program& program,
                                       const sandbox::SandboxError& error) {
  const auto reason = std::generic_category().message(error.error_number);
  return {launch_error(program.name, "fork/exec " + program.path + ": " + reason),
          error.error_number == EACCES ? "PermissionDenied" : "UnknownError"};
}

ExtensionSet::StartFailure too_many(std::string name) {
  return {launch_error(std::move(name),
                       "more than " + std::to_string(runtime_api::kMaxExtensions) +
                           " extensions in the layers' folder 'extensions'"),
          "TooManyExtensions"};
}

}  // namespace

FoundExtensions find_extensions(const EnvironmentSpec::LayersFolder& layers) {
  FoundExtensions found;
  if (layers.host.empty()) return found;
  std::error_code error;
  if (fs::exists(fs::path(layers.host) / kExtensionsSwitch, error)) {
    found.turned = FoundExtensions::Switch::off;
    return found;
  }
  const auto seen = fs::path(layers.seen) / kExtensionsFolder;
  fs::directory_iterator entries(fs::path(layers.host) / kExtensionsFolder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code unknown;
    if (entries->is_directory(unknown)) continue;
    const auto name = entries->path().filename();
    FoundExtensions::Program program{name.string(), (seen / name).string()};
    const auto place = std::upper_bound(
        found.programs.begin(), found.programs.end(), program, [](const auto& a, const auto& b) {
          return a.name < b.name;
        });
    found.programs.insert(place, std::move(program));
    // How many too many there are is of no interest.
    if (found.programs.size() > runtime_api::kMaxExtensions + 1) found.programs.pop_back();
  }
  return found;
}

std::map<std::string, std::string> extension_variables(
    const std::map<std::string, std::string>& of_function, Profile profile) {
  std::map<std::string, std::string> given;
  for (const auto& [key, value] : of_function) {
    if (is_given(key, profile)) given.emplace(key, value);
  }
  return given;
}

ExtensionSet::ExtensionSet(std::vector<FoundExtensions::Program> programs,
                           LogStream& log,
                           OutputPump& pump,
                           Ended ended)
    : programs_(std::move(programs)), log_(log), pump_(pump), ended_(std::move(ended)) {}

std::vector<std::string> ExtensionSet::names() const {
  std::vector<std::string> names;
  for (const auto& program : programs_) names.push_back(program.name);
  return names;
}

tl::expected<void, ExtensionSet::StartFailure> ExtensionSet::start(
    sandbox::Sandbox& sandbox,
    sandbox::StartRequest like,
    const std::function<void(sandbox::Process&)>& started) {
  if (programs_.size() > runtime_api::kMaxExtensions) {
    return tl::unexpected(too_many(programs_.back().name));
  }
  for (const auto& program : programs_) {
    like.program.argv = {program.path};
    auto process = sandbox.start(like);
    if (!process) return tl::unexpected(not_started(program, process.error()));
    started(**process);
    {
      const std::lock_guard lock(mutex_);
      living_.push_back(program.name);
    }
    auto followed = std::make_unique<FollowedProcess>(
        std::move(*process),
        std::make_unique<LogSource>(log_, LogSource::Kind::extension, program.name),
        pump_,
        [this, name = program.name] { process_ended(name); });
    const std::lock_guard lock(mutex_);
    members_.push_back({program.name, std::move(followed)});
  }
  return {};
}

void ExtensionSet::process_ended(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    living_.erase(std::remove(living_.begin(), living_.end(), name), living_.end());
  }
  one_ended_.notify_all();
  ended_(name);
}

// They stay where they are as long as this object.
std::vector<FollowedProcess*> ExtensionSet::members_but(const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  std::vector<FollowedProcess*> found;
  for (const auto& member : members_) {
    if (std::find(names.begin(), names.end(), member.name) == names.end()) {
      found.push_back(member.process.get());
    }
  }
  return found;
}

std::optional<sandbox::Exit> ExtensionSet::exited_within(std::string_view name,
                                                         std::chrono::milliseconds patience) {
  FollowedProcess* process = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& member : members_) {
      if (member.name == name) process = member.process.get();
    }
  }
  return process == nullptr ? std::nullopt : process->exited_within(patience);
}

void ExtensionSet::end_all_but(const std::vector<std::string>& names) {
  for (auto* process : members_but(names)) process->end();
}

std::vector<std::string> ExtensionSet::living() const {
  const std::lock_guard lock(mutex_);
  return living_;
}

std::vector<std::string> ExtensionSet::await_end(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  one_ended_.wait_until(lock, deadline, [this] { return living_.empty(); });
  return living_;
}

void ExtensionSet::drain_output() {
  for (auto* process : members_but({})) process->drain_output();
}

// Without the lock, which the callbacks take.
void ExtensionSet::stop() {
  std::vector<Member> stopped;
  {
    const std::lock_guard lock(mutex_);
    stopped.swap(members_);
  }
}

bool ExtensionSet::kill() noexcept {
  const std::lock_guard lock(mutex_);
  if (members_.empty()) return false;
  members_.front().process->kill();
  return true;
}

}  // namespace emulator::environment
