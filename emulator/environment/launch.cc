#include "emulator/environment/launch.h"

#include "emulator/environment/platform_lines.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace emulator::environment {
namespace {

// The asked port for the first environment, a free one for those beside it.
tl::expected<int, runtime_api::ListenError> listen_for(const EnvironmentSpec& spec) {
  auto socket = runtime_api::open_listening_socket(spec.api_address, spec.api_port);
  if (!socket && spec.api_port != 0 && socket.error().error_number == EADDRINUSE) {
    return runtime_api::open_listening_socket(spec.api_address, 0);
  }
  return socket;
}

}  // namespace

// ---- Making it.

// No thread for the listener, or no room for another watch: the host's limits, not a defect.
NeverStarted Launch::host_refused(const std::system_error& error) {
  const std::string reason = std::string("cannot serve a runtime: ") + error.what();
  return {"Sandbox.Failure", reason, reason + "; raise the limit, or run fewer environments"};
}

Launch::Launch(LaunchWorld world, Callbacks callbacks, FoundExtensions found)
    : world_(world),
      callbacks_(std::move(callbacks)),
      credentials_token_(spec().initialization == Initialization::snap_start ? world.new_uuid()
                                                                             : std::string()),
      session_(
          [this](std::string_view error_type) {
            callbacks_.runtime_done(error_type);
            hub_.runtime_settled(error_type);
          },
          {.begun = callbacks_.answer_begun, .complete = callbacks_.answer_complete}),
      concurrent_(world.spec.managed ? std::make_unique<runtime_api::ConcurrentSession>(
                                           callbacks_.taken, callbacks_.answering)
                                     : nullptr),
      extensions_(std::move(found.programs),
                  world.log,
                  world.pump,
                  [this](const std::string& name) { extension_ended(name); }),
      hub_(hub_terms(found.turned),
           {.settled = [this](std::string_view type) { callbacks_.settled(type); },
            .reported =
                [this](const std::string& name, runtime_api::ExtensionErrorPhase phase) {
                  extension_reported(name, phase);
                }}),
      telemetry_(make_telemetry(found.turned)) {
  if (telemetry_) world_.log.set_tap(telemetry_->line_tap());
}

// Published emulators have no telemetry. Internal extensions may subscribe as well, and are found
// only when they register, so every launch has it; who tells nobody anything costs nothing.
std::shared_ptr<Telemetry> Launch::make_telemetry(FoundExtensions::Switch turned) {
  if (spec().profile == Profile::rie || turned == FoundExtensions::Switch::off) return nullptr;
  return std::make_shared<Telemetry>(
      world_.clock,
      world_.timers,
      [&sandbox = world_.sandbox](std::uint16_t port) -> tl::expected<int, std::string> {
        auto socket = sandbox.connect_inside(port);
        if (!socket) return tl::unexpected(std::move(socket.error().message));
        return *socket;
      },
      spec().logging.format,
      // What is named here is the environment's, and outlives the launch as the telemetry may.
      [&spec = world_.spec, &log = world_.log, &clock = world_.clock](
          const TelemetryRecord& record) {
        log.platform(event_lines(spec, record, clock.wall_now()));
      });
}

runtime_api::RuntimeDesk Launch::runtime_desk() {
  if (!concurrent_) return runtime_api::desk_of(session_);
  // As many again for answers that come on connections of their own.
  return runtime_api::desk_of(*concurrent_, 2 * spec().managed->max_concurrency);
}

runtime_api::SubscriptionDesk Launch::desk() {
  if (!telemetry_) return {};
  return telemetry_->desk(
      [this](const std::string& identifier) { return hub_.name_of(identifier); });
}

void Launch::close_subscriptions() {
  if (!telemetry_) return;
  telemetry_->close_subscriptions();
  // Looking at every line is for those who want them.
  if (!telemetry_->has_subscribers()) world_.log.set_tap({});
}

runtime_api::ExtensionHub::Terms Launch::hub_terms(FoundExtensions::Switch turned) {
  using Hub = runtime_api::ExtensionHub;
  const auto handler = spec().variables.find("_HANDLER");
  return {.function = {.name = spec().function_name,
                       .version = spec().version,
                       .handler = handler == spec().variables.end() ? "" : handler->second,
                       .account_id = spec().account_id},
          .launched = extensions_.names(),
          .new_identifier = world_.new_uuid,
          .service = turned == FoundExtensions::Switch::on ? Hub::Service::on : Hub::Service::off,
          .offers_invoke = !spec().managed};
}

tl::expected<std::unique_ptr<Launch>, NeverStarted> Launch::open(LaunchWorld world,
                                                                 Callbacks callbacks) try {
  std::unique_ptr<Launch> launch(
      new Launch(world, std::move(callbacks), find_extensions(world.spec.layers)));
  if (auto listening = launch->listen(); !listening) return tl::unexpected(listening.error());
  if (auto listening = launch->listen_for_segments(); !listening) {
    return tl::unexpected(listening.error());
  }
  return launch;
} catch (const std::system_error& error) {
  return tl::unexpected(host_refused(error));
}

tl::expected<void, NeverStarted> Launch::listen() {
  if (world_.sandbox.has_own_network()) return {};
  const auto socket = listen_for(spec());
  if (!socket) {
    return tl::unexpected(
        NeverStarted{"Sandbox.Failure", socket.error().message, socket.error().message});
  }
  server_ = std::make_unique<runtime_api::Server>(
      *socket,
      runtime_desk(),
      hub_,
      [this](std::uint16_t peer_port, std::uint16_t local_port) {
        return world_.sandbox.owns_connection(peer_port, local_port);
      },
      desk(),
      restore_desk());
  return {};
}

// Connections may have come before; they wait in the socket's queue.
void Launch::serve_inside(sandbox::Process& process) {
  if (const auto socket = process.take_listening_socket()) {
    server_ = std::make_unique<runtime_api::Server>(
        *socket, runtime_desk(), hub_, runtime_api::ConnectionCheck{}, desk(), restore_desk());
  }
}

std::string Launch::address() const {
  if (world_.sandbox.has_own_network()) {
    return std::string(sandbox::kListeningAddress) + ":" + std::to_string(sandbox::kListeningPort);
  }
  return spec().api_address + ":" + std::to_string(server_->port());
}

std::optional<runtime_api::RestoreDesk> Launch::restore_desk() {
  if (credentials_token_.empty()) return std::nullopt;
  return runtime_api::RestoreDesk{.session = &session_,
                                  .authorization_token = credentials_token_,
                                  .credentials = spec().credentials,
                                  .expiration = [&clock = world_.clock] {
                                    return iso_time(clock.wall_now() + kCredentialsLife);
                                  }};
}

// ---- What they do.

FollowedProcess* Launch::runtime() {
  const std::lock_guard lock(mutex_);
  return runtime_.get();
}

std::optional<pid_t> Launch::pid() {
  auto* const process = runtime();
  if (process == nullptr) return std::nullopt;
  return process->pid();
}

std::optional<Outcome> Launch::await_init(TimePoint deadline, std::chrono::milliseconds limit) {
  using Awaited = runtime_api::ExtensionHub::Awaited;
  auto result = concurrent_ ? concurrent_->await_init(deadline) : session_.await_init(deadline);
  if (auto* error = std::get_if<runtime_api::InitError>(&result)) {
    runtime()->exited_within(kLastWords);
    return FunctionError{std::move(error->error_type), std::move(error->body), FailurePhase::init};
  }
  if (std::holds_alternative<runtime_api::DeadlinePassed>(result)) return TimedOut{limit};
  if (std::holds_alternative<runtime_api::RuntimeReady>(result)) {
    callbacks_.runtime_initialised({});
    const auto ready = hub_.await_ready(deadline);
    if (ready == Awaited::done) return std::nullopt;
    if (ready == Awaited::deadline_passed) return TimedOut{limit};
  }
  return how_it_failed(FailurePhase::init);
}

std::optional<Outcome> Launch::restore(TimePoint deadline) {
  auto result = session_.restore(deadline);
  if (std::holds_alternative<runtime_api::RuntimeReady>(result)) return std::nullopt;
  if (auto* error = std::get_if<runtime_api::RestoreError>(&result)) {
    runtime()->exited_within(kLastWords);
    return RestoreFailed{.kind = RestoreFailed::Kind::failed,
                         .error_type = std::move(error->error_type),
                         .reason = std::move(error->body)};
  }
  if (std::holds_alternative<runtime_api::DeadlinePassed>(result)) {
    return RestoreFailed{.kind = RestoreFailed::Kind::timed_out,
                         .error_type = "Sandbox.Timedout",
                         .reason = "the runtime and its hooks took longer than " +
                                   std::to_string(spec().restore_limit.count()) +
                                   " ms after the restore; do less in them"};
  }
  auto outcome = how_it_failed(FailurePhase::init);
  if (!std::get<runtime_api::SessionEnded>(result).taken) return outcome;
  return restore_failure(outcome);
}

std::optional<Outcome> Launch::exchange(runtime_api::SharedInvocation invocation,
                                        TimePoint deadline,
                                        std::chrono::milliseconds limit) {
  // Extensions hear of it beside the runtime, which waits neither for them nor for the event's
  // text.
  std::function<void()> tell;
  if (hub_.tells_of_invocations()) {
    hub_.expect();
    tell = [this, told = invocation] {
      hub_.give(runtime_api::InvokeEvent{.deadline_ms = told->deadline_ms,
                                         .request_id = told->request_id,
                                         .function_arn = told->function_arn,
                                         .trace_id = told->trace_id});
    };
  }
  auto result = session_.exchange(std::move(invocation), deadline, tell);
  if (auto* answer = std::get_if<runtime_api::RuntimeAnswer>(&result)) {
    return outcome_of(std::move(*answer));
  }
  if (std::holds_alternative<runtime_api::DeadlinePassed>(result)) return TimedOut{limit};
  if (!std::get<runtime_api::SessionEnded>(result).taken) return std::nullopt;
  return how_it_failed(FailurePhase::invoke);
}

tl::expected<Outcome, Launch::Unserved> Launch::exchange_one(
    runtime_api::SharedInvocation invocation, TimePoint deadline, std::chrono::milliseconds limit) {
  auto result = concurrent_->exchange(std::move(invocation), deadline);
  if (auto* answer = std::get_if<runtime_api::RuntimeAnswer>(&result)) {
    return outcome_of(std::move(*answer));
  }
  if (std::holds_alternative<runtime_api::DeadlinePassed>(result)) return TimedOut{limit};
  if (std::holds_alternative<runtime_api::NoIdlePoll>(result)) {
    return tl::unexpected(Unserved::no_idle_poll);
  }
  if (std::holds_alternative<runtime_api::DuplicateId>(result)) {
    return tl::unexpected(Unserved::duplicate_id);
  }
  if (!std::get<runtime_api::SessionEnded>(result).taken) return tl::unexpected(Unserved::ended);
  return how_it_failed(FailurePhase::invoke);
}

Outcome Launch::outcome_of(runtime_api::RuntimeAnswer answer) {
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
  if (runtime()->exited_within(kLastWords)) return how_it_failed(FailurePhase::invoke);
  return ResponseTruncated{};
}

void Launch::drain_output() {
  if (auto* const process = runtime()) process->drain_output();
  extensions_.drain_output();
  if (xray_) xray_->drain();
}

}  // namespace emulator::environment
