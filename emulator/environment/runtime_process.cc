#include "emulator/environment/runtime_process.h"

#include <poll.h>

#include <cerrno>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

namespace emulator::environment {
namespace {

constexpr std::string_view kRuntimeApi = "AWS_LAMBDA_RUNTIME_API";
constexpr std::string_view kLogStreamName = "AWS_LAMBDA_LOG_STREAM_NAME";
constexpr std::string_view kXRayAddress = "AWS_XRAY_DAEMON_ADDRESS";
constexpr std::string_view kXRayHost = "_AWS_XRAY_DAEMON_ADDRESS";
constexpr std::string_view kXRayPortName = "_AWS_XRAY_DAEMON_PORT";
// As function_variables() has it.
constexpr std::string_view kDefaultXRayAddress = "169.254.100.1:2000";

// A runtime that reports an init error or breaks its connection is usually about to exit, and its
// last lines and exit status are worth this much patience.
constexpr std::chrono::milliseconds kLastWords{100};

// The asked port for the first environment, a free one for those beside it.
tl::expected<int, runtime_api::ListenError> listen_for(const EnvironmentSpec& spec) {
  auto socket = runtime_api::open_listening_socket(spec.api_address, spec.api_port);
  if (!socket && spec.api_port != 0 && socket.error().error_number == EADDRINUSE) {
    return runtime_api::open_listening_socket(spec.api_address, 0);
  }
  return socket;
}

// The block that a process is given: `own` are the environment's, in place of any others of these
// names, because a name that stands twice is read as either.
std::vector<std::string> environment_block(const EnvironmentSpec& spec,
                                           const std::map<std::string_view, std::string>& own) {
  std::vector<std::string> block;
  block.reserve(spec.variables.size() + own.size());
  for (const auto& [key, value] : spec.variables) {
    if (own.find(key) == own.end()) block.push_back(key + "=" + value);
  }
  for (const auto& [key, value] : own) block.push_back(std::string(key) + "=" + value);
  return block;
}

// Whether the function was left the daemon's address that Lambda gives.
bool has_default_daemon(const EnvironmentSpec& spec) {
  const auto found = spec.variables.find(std::string(kXRayAddress));
  return found != spec.variables.end() && found->second == kDefaultXRayAddress;
}

std::map<std::string_view, std::string> own_variables(const std::string& log_stream_name,
                                                      const std::string& address,
                                                      const XRayDaemon* xray) {
  std::map<std::string_view, std::string> own = {{kRuntimeApi, address},
                                                 {kLogStreamName, log_stream_name}};
  if (xray == nullptr) return own;
  const auto port = std::to_string(xray->port());
  own[kXRayAddress] = xray->address() + ":" + port;
  own[kXRayHost] = xray->address();
  own[kXRayPortName] = port;
  return own;
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
    sandbox::Sandbox& sandbox,
    OutputPump& pump,
    LogStream& log,
    Callbacks callbacks) try {
  std::unique_ptr<RuntimeProcess> process(
      new RuntimeProcess(std::move(callbacks.settled), sandbox, log, pump));
  if (auto listening = process->listen(spec); !listening) {
    return tl::unexpected(listening.error());
  }
  if (auto listening = process->listen_for_segments(spec, callbacks); !listening) {
    return tl::unexpected(listening.error());
  }
  sandbox::StartRequest request;
  request.program.argv = spec.argv;
  request.program.working_folder = spec.working_folder;
  request.program.environment = environment_block(
      spec, own_variables(log_stream_name, process->address(spec), process->xray_.get()));
  request.limits = spec.limits;
  auto started = sandbox.start(request);
  if (!started) return tl::unexpected(never_started(started.error(), spec));
  process->process_ = std::move(*started);
  process->serve_inside();
  process->watch(std::move(callbacks.exited));
  return process;
} catch (const std::system_error& error) {
  // No thread for the listener, or no room for another watch: the host's limits, not a defect.
  const std::string reason = std::string("cannot serve a runtime: ") + error.what();
  return tl::unexpected(NeverStarted{
      "Sandbox.Failure", reason, reason + "; raise the limit, or run fewer environments"});
}

tl::expected<void, NeverStarted> RuntimeProcess::listen(const EnvironmentSpec& spec) {
  if (sandbox_.has_own_network()) return {};
  const auto socket = listen_for(spec);
  if (!socket) {
    return tl::unexpected(
        NeverStarted{"Sandbox.Failure", socket.error().message, socket.error().message});
  }
  server_ = std::make_unique<runtime_api::Server>(
      *socket, session_, [this](std::uint16_t peer_port, std::uint16_t local_port) {
        return sandbox_.owns_connection(peer_port, local_port);
      });
  return {};
}

tl::expected<void, NeverStarted> RuntimeProcess::listen_for_segments(const EnvironmentSpec& spec,
                                                                     const Callbacks& callbacks) {
  if (!callbacks.segments || !has_default_daemon(spec)) return {};
  auto opened = XRayDaemon::open(sandbox_,
                                 pump_,
                                 [name = spec.function_name, segments = callbacks.segments](
                                     std::string_view datagram) { segments(name, datagram); });
  if (!opened) return tl::unexpected(never_started(opened.error(), spec));
  xray_ = std::move(*opened);
  return {};
}

// Connections may have come before; they wait in the socket's queue.
void RuntimeProcess::serve_inside() {
  if (const auto socket = process_->take_listening_socket()) {
    server_ = std::make_unique<runtime_api::Server>(*socket, session_);
  }
}

std::string RuntimeProcess::address(const EnvironmentSpec& spec) const {
  if (!server_) {
    return std::string(sandbox::kListeningAddress) + ":" + std::to_string(sandbox::kListeningPort);
  }
  return spec.api_address + ":" + std::to_string(server_->port());
}

void RuntimeProcess::watch(std::function<void()> exited) {
  output_watch_ = pump_.watch(process_->output_descriptor(), [this] {
    return log_.drain(process_->output_descriptor()) ? OutputPump::Keep::watching
                                                     : OutputPump::Keep::no_more;
  });
  exit_watch_ = pump_.watch(process_->exit_descriptor(), [this, exited = std::move(exited)] {
    drain_output();
    session_.end();
    exited();
    return OutputPump::Keep::no_more;
  });
}

RuntimeProcess::~RuntimeProcess() {
  if (process_) kill();
  if (exit_watch_) pump_.unwatch(*exit_watch_);
  if (output_watch_) pump_.unwatch(*output_watch_);
  session_.end();
  server_.reset();
}

void RuntimeProcess::drain_output() {
  log_.drain(process_->output_descriptor());
  if (xray_) xray_->drain();
}

void RuntimeProcess::kill() noexcept {
  process_->kill();
  session_.end();
}

// ---- How things ended.

std::optional<Outcome> RuntimeProcess::await_init(TimePoint deadline,
                                                  std::chrono::milliseconds limit) {
  auto result = session_.await_init(deadline);
  if (std::holds_alternative<runtime_api::RuntimeReady>(result)) return std::nullopt;
  if (auto* error = std::get_if<runtime_api::InitError>(&result)) {
    exited_within(kLastWords);
    return FunctionError{std::move(error->error_type), std::move(error->body), FailurePhase::init};
  }
  if (std::holds_alternative<runtime_api::DeadlinePassed>(result)) return TimedOut{limit};
  return how_it_ended(FailurePhase::init);
}

std::optional<Outcome> RuntimeProcess::exchange(runtime_api::SharedInvocation invocation,
                                                TimePoint deadline,
                                                std::chrono::milliseconds limit) {
  auto result = session_.exchange(std::move(invocation), deadline);
  if (auto* answer = std::get_if<runtime_api::RuntimeAnswer>(&result)) {
    return outcome_of(std::move(*answer));
  }
  if (std::holds_alternative<runtime_api::DeadlinePassed>(result)) return TimedOut{limit};
  if (!std::get<runtime_api::SessionEnded>(result).taken) return std::nullopt;
  return how_it_ended(FailurePhase::invoke);
}

Outcome RuntimeProcess::how_it_ended(FailurePhase phase) {
  const auto exit = exited_within(kLastWords).value_or(sandbox::Exit{});
  if (sandbox_.usage().memory_exceeded) return OutOfMemory{phase};
  return RuntimeExited{.exit_code = exit.code, .signal = exit.signal, .phase = phase};
}

Outcome RuntimeProcess::outcome_of(runtime_api::RuntimeAnswer answer) {
  using Kind = runtime_api::RuntimeAnswer::Kind;
  switch (answer.kind) {
    case Kind::response:
      return Responded{std::move(answer.body), std::move(answer.content_type)};
    case Kind::error:
      return FunctionError{std::move(answer.error_type), std::move(answer.body)};
    case Kind::too_large:
      return ResponseTooLarge{answer.size_bytes};
    case Kind::truncated:
      break;
  }
  // A broken connection is the first sign of a process that died while it was answering.
  if (exited_within(kLastWords)) return how_it_ended(FailurePhase::invoke);
  return ResponseTruncated{};
}

std::optional<sandbox::Exit> RuntimeProcess::exited_within(std::chrono::milliseconds patience) {
  pollfd wait{.fd = process_->exit_descriptor(), .events = POLLIN, .revents = 0};
  while (::poll(&wait, 1, static_cast<int>(patience.count())) < 0 && errno == EINTR) {
  }
  const std::lock_guard lock(process_mutex_);
  return process_->exited();
}

}  // namespace emulator::environment
