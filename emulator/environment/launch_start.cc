// How the processes of a launch are started, and what they are told of where they are.
#include "emulator/environment/launch.h"

#include <cerrno>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace emulator::environment {
namespace {

constexpr std::string_view kRuntimeApi = "AWS_LAMBDA_RUNTIME_API";
constexpr std::string_view kLogStreamName = "AWS_LAMBDA_LOG_STREAM_NAME";
constexpr const char* kCredentialsUri = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
constexpr const char* kCredentialsToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
constexpr const char* kXRayAddress = "AWS_XRAY_DAEMON_ADDRESS";
constexpr const char* kXRayHost = "_AWS_XRAY_DAEMON_ADDRESS";
constexpr const char* kXRayPortName = "_AWS_XRAY_DAEMON_PORT";
// As function_variables() has it.
constexpr std::string_view kDefaultXRayAddress = "169.254.100.1:2000";

// What is told of the environment stands before the rest, which may have inherited the same names:
// one that stands twice would be read as either.
std::vector<std::string> environment_block(const std::map<std::string, std::string>& variables,
                                           const std::map<std::string, std::string>& own) {
  std::vector<std::string> block;
  block.reserve(variables.size() + own.size());
  for (const auto& [key, value] : own) block.push_back(key + "=" + value);
  for (const auto& [key, value] : variables) {
    if (!own.contains(key)) block.push_back(key + "=" + value);
  }
  return block;
}

// Whether the function was left the daemon's address that Lambda gives.
bool has_default_daemon(const EnvironmentSpec& spec) {
  const auto found = spec.variables.find(kXRayAddress);
  return found != spec.variables.end() && found->second == kDefaultXRayAddress;
}

// A snapshot's log stream would be the same in all its copies, so Lambda tells of none.
bool tells_log_stream(const EnvironmentSpec& spec) {
  return spec.profile == Profile::rie || spec.initialization != Initialization::snap_start;
}

NeverStarted never_started(const sandbox::SandboxError& error, const EnvironmentSpec& spec) {
  using Kind = sandbox::SandboxError::Kind;
  const auto reason = std::generic_category().message(error.error_number);
  if (error.kind == Kind::working_folder) {
    return {
        "Runtime.InvalidWorkingDir", "chdir " + spec.working_folder + ": " + reason, error.message};
  }
  if (error.kind == Kind::entrypoint) {
    const auto& path = spec.argv.empty() ? std::string() : spec.argv.front();
    if (error.error_number == ENOENT) {
      return {"Runtime.InvalidEntrypoint",
              "Couldn't find valid bootstrap(s): [" + path + "]",
              error.message};
    }
    return {"Runtime.InvalidEntrypoint", "fork/exec " + path + ": " + reason, error.message};
  }
  return {"Sandbox.Failure", error.message, error.message};
}

}  // namespace

// ---- What they are told.

tl::expected<void, NeverStarted> Launch::listen_for_segments() {
  if (!callbacks_.segments || !has_default_daemon(spec())) return {};
  auto opened = XRayDaemon::open(world_.sandbox, world_.pump, [this](std::string_view datagram) {
    callbacks_.segments(spec().function_name, datagram);
  });
  if (!opened) return tl::unexpected(never_started(opened.error(), spec()));
  xray_ = std::move(*opened);
  return {};
}

// SDKs take credentials from no other address without encryption than the loopback's and a few that
// are none of ours; the listener of a network of its own is reached by both.
void Launch::add_credentials_address(std::map<std::string, std::string>& own) const {
  if (credentials_token_.empty()) return;
  const auto host = world_.sandbox.has_own_network()
                        ? "127.0.0.1:" + std::to_string(sandbox::kListeningPort)
                        : address();
  own[kCredentialsUri] = "http://" + host + std::string(runtime_api::kCredentialsPath);
  own[kCredentialsToken] = credentials_token_;
}

// ---- Starting the processes.

std::optional<Outcome> Launch::start(TimePoint deadline, std::chrono::milliseconds limit) try {
  if (auto failure = start_extensions(deadline, limit)) return failure;
  return start_runtime();
} catch (const std::system_error& error) {
  return host_refused(error);
}

void Launch::started(sandbox::Process& process) {
  serve_inside(process);
  const std::lock_guard lock(mutex_);
  if (killed_) process.kill();
}

std::optional<Outcome> Launch::start_extensions(TimePoint deadline,
                                                std::chrono::milliseconds limit) {
  using Awaited = runtime_api::ExtensionHub::Awaited;
  if (extensions_.empty()) return std::nullopt;
  std::map<std::string, std::string> own = {{std::string(kRuntimeApi), address()}};
  auto variables = extension_variables(spec().variables, spec().profile);
  variables.erase(std::string(kLogStreamName));
  if (spec().profile == Profile::rie) own.emplace(kLogStreamName, world_.log_stream_name);
  add_credentials_address(own);
  sandbox::StartRequest request;
  request.program.working_folder = spec().working_folder;
  request.program.environment = environment_block(variables, own);
  request.limits = spec().limits;
  auto all = extensions_.start(
      world_.sandbox, std::move(request), [this](sandbox::Process& one) { started(one); });
  if (!all) {
    const auto& [failure, kind] = all.error();
    hub_.ended(failure.name, runtime_api::ExtensionCause::launch_failed, kind);
    advise_of(failure);
    return failure;
  }
  switch (hub_.await_registered(deadline)) {
    case Awaited::done:
      return std::nullopt;
    case Awaited::deadline_passed:
      return TimedOut{limit};
    case Awaited::ended:
      break;
  }
  return how_it_failed(FailurePhase::init);
}

std::optional<Outcome> Launch::start_runtime() {
  sandbox::StartRequest request;
  request.program.argv = spec().argv;
  request.program.working_folder = spec().working_folder;
  std::map<std::string, std::string> own = {{std::string(kRuntimeApi), address()}};
  if (tells_log_stream(spec())) own.emplace(kLogStreamName, world_.log_stream_name);
  add_credentials_address(own);
  if (spec().managed) own[std::string(kMaxConcurrency)] = spec().managed->told;
  if (xray_) {
    const auto port = std::to_string(xray_->port());
    own[kXRayAddress] = xray_->address() + ":" + port;
    own[kXRayHost] = xray_->address();
    own[kXRayPortName] = port;
  }
  request.program.environment = environment_block(spec().variables, own);
  request.limits = spec().limits;
  auto process = world_.sandbox.start(request);
  if (!process) return never_started(process.error(), spec());
  serve_inside(**process);
  auto followed = std::make_unique<FollowedProcess>(
      std::move(*process),
      std::make_unique<LogSource>(world_.log, LogSource::Kind::function),
      world_.pump,
      [this] { runtime_ended(); });
  const std::lock_guard lock(mutex_);
  runtime_ = std::move(followed);
  if (killed_) runtime_->kill();
  return std::nullopt;
}

}  // namespace emulator::environment
