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

std::vector<std::string> environment_block(const EnvironmentSpec& spec,
                                           const std::string& log_stream_name,
                                           const std::string& address) {
  std::vector<std::string> block;
  block.reserve(spec.variables.size() + 2);
  for (const auto& [key, value] : spec.variables) {
    // A name that stands twice is read as either, so an inherited one is left out.
    if (key == kRuntimeApi || key == kLogStreamName) continue;
    block.push_back(key + "=" + value);
  }
  block.push_back(std::string(kRuntimeApi) + "=" + address);
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
    sandbox::Sandbox& sandbox,
    OutputPump& pump,
    LogStream& log,
    Callbacks callbacks) try {
  std::unique_ptr<RuntimeProcess> process(
      new RuntimeProcess(std::move(callbacks.settled), sandbox, log, pump));
  if (auto listening = process->listen(spec); !listening) {
    return tl::unexpected(listening.error());
  }
  sandbox::StartRequest request;
  request.program.argv = spec.argv;
  request.program.working_folder = spec.working_folder;
  request.program.environment = environment_block(spec, log_stream_name, process->address(spec));
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

void RuntimeProcess::drain_output() { log_.drain(process_->output_descriptor()); }

void RuntimeProcess::kill() noexcept {
  process_->kill();
  session_.end(runtime_api::Session::Arriving::is_cut);
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
      return ResponseTooLarge{answer.size_bytes, answer.limit_bytes};
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
