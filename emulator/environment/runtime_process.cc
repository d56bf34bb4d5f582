#include "emulator/environment/runtime_process.h"

#include <poll.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace emulator::environment {
namespace {

constexpr std::string_view kRuntimeApi = "AWS_LAMBDA_RUNTIME_API";
constexpr std::string_view kLogStreamName = "AWS_LAMBDA_LOG_STREAM_NAME";

// The asked port for the first environment, a free one for those beside it.
tl::expected<int, runtime_api::ListenError> listen_for(const EnvironmentSpec& spec) {
  auto socket = runtime_api::open_listening_socket(spec.api_address, spec.api_port);
  if (!socket && spec.api_port != 0 && socket.error().error_number == EADDRINUSE) {
    return runtime_api::open_listening_socket(spec.api_address, 0);
  }
  return socket;
}

std::vector<std::string> environment_block(const EnvironmentSpec& spec,
                                           const std::string& log_stream_name,
                                           std::uint16_t port) {
  std::vector<std::string> block;
  block.reserve(spec.variables.size() + 2);
  for (const auto& [key, value] : spec.variables) {
    // A name that stands twice is read as either, so an inherited one is left out.
    if (key == kRuntimeApi || key == kLogStreamName) continue;
    block.push_back(key + "=" + value);
  }
  block.push_back(std::string(kRuntimeApi) + "=" + spec.api_address + ":" + std::to_string(port));
  block.push_back(std::string(kLogStreamName) + "=" + log_stream_name);
  return block;
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

tl::expected<std::unique_ptr<RuntimeProcess>, NeverStarted> RuntimeProcess::start(
    const EnvironmentSpec& spec,
    const std::string& log_stream_name,
    sandbox::Launcher& launcher,
    OutputPump& pump,
    LogStream& log,
    Callbacks callbacks) {
  try {
    return start_or_throw(spec, log_stream_name, launcher, pump, log, std::move(callbacks));
  } catch (const std::system_error& error) {
    // No thread for the listener, or no room for another watch: the host's limits, not a defect.
    const std::string reason = std::string("cannot serve a runtime: ") + error.what();
    return tl::unexpected(NeverStarted{
        "Sandbox.Failure", reason, reason + "; raise the limit, or run fewer environments"});
  }
}

tl::expected<std::unique_ptr<RuntimeProcess>, NeverStarted> RuntimeProcess::start_or_throw(
    const EnvironmentSpec& spec,
    const std::string& log_stream_name,
    sandbox::Launcher& launcher,
    OutputPump& pump,
    LogStream& log,
    Callbacks callbacks) {
  const auto socket = listen_for(spec);
  if (!socket) {
    return tl::unexpected(
        NeverStarted{"Sandbox.Failure", socket.error().message, socket.error().message});
  }
  std::unique_ptr<RuntimeProcess> process(
      new RuntimeProcess(std::move(callbacks.settled), log, pump));
  process->server_ = std::make_unique<runtime_api::Server>(*socket, process->session_);

  sandbox::LaunchRequest request;
  request.program.argv = spec.argv;
  request.program.working_folder = spec.working_folder;
  request.program.environment = environment_block(spec, log_stream_name, process->server_->port());
  request.limits = spec.limits;
  auto launched = launcher.launch(request);
  if (!launched) return tl::unexpected(never_started(launched.error(), spec));
  process->sandbox_ = std::move(*launched);
  process->watch(std::move(callbacks.exited));
  return process;
}

void RuntimeProcess::watch(std::function<void()> exited) {
  output_watch_ = pump_.watch(sandbox_->output_descriptor(), [this] {
    return log_.drain(sandbox_->output_descriptor()) ? OutputPump::Keep::watching
                                                     : OutputPump::Keep::no_more;
  });
  exit_watch_ = pump_.watch(sandbox_->exit_descriptor(), [this, exited = std::move(exited)] {
    drain_output();
    session_.end();
    exited();
    return OutputPump::Keep::no_more;
  });
}

RuntimeProcess::~RuntimeProcess() {
  if (sandbox_) kill();
  if (exit_watch_) pump_.unwatch(*exit_watch_);
  if (output_watch_) pump_.unwatch(*output_watch_);
  session_.end();
  server_.reset();
}

void RuntimeProcess::drain_output() { log_.drain(sandbox_->output_descriptor()); }

std::optional<sandbox::Exit> RuntimeProcess::exited() {
  const std::lock_guard lock(sandbox_mutex_);
  return sandbox_->exited();
}

std::optional<sandbox::Exit> RuntimeProcess::exited_within(std::chrono::milliseconds patience) {
  pollfd wait{.fd = sandbox_->exit_descriptor(), .events = POLLIN, .revents = 0};
  while (::poll(&wait, 1, static_cast<int>(patience.count())) < 0 && errno == EINTR) {
  }
  return exited();
}

sandbox::Usage RuntimeProcess::usage() {
  const std::lock_guard lock(sandbox_mutex_);
  return sandbox_->usage();
}

void RuntimeProcess::kill() noexcept {
  sandbox_->kill();
  session_.end();
}

}  // namespace emulator::environment
