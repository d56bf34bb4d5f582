#include "emulator/app/serve_command.h"

#include "emulator/app/emulator.h"
#include "emulator/app/identifiers.h"
#include "emulator/app/inspection.h"
#include "emulator/app/stop_signals.h"
#include "emulator/control_plane/server.h"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <iostream>

namespace emulator::app {
namespace {

// How long replies that are on their way may take when the server is stopped. Source: the budget of
// Lambda's Shutdown phase.
constexpr std::chrono::milliseconds kShutdownBudget{2000};

tl::expected<void, AppError> check(const ServeOptions& options) {
  if (!options.state_dir.empty()) {
    return tl::unexpected(
        AppError{kHostCannot,
                 "--state-dir cannot be kept: this version has no operations that create "
                 "anything; leave it away"});
  }
  if (options.clock != "real") {
    return tl::unexpected(AppError{
        kHostCannot, "--clock virtual cannot be kept: this version has the real clock only"});
  }
  return {};
}

// The API is bound before the functions are deployed, because they are told its address. Until they
// are there, nobody has been told the port, and a call that comes anyway is refused.
class LateEmulator {
 public:
  void set(Emulator& emulator) { emulator_ = &emulator; }
  Emulator* get() const { return emulator_; }

 private:
  std::atomic<Emulator*> emulator_ = nullptr;
};

tl::unexpected<invoke::Refusal> not_ready() {
  return tl::unexpected(
      invoke::Refusal{invoke::Refusal::Kind::shutting_down, "Hearth is starting"});
}

control_plane::InvokeApi api_of(const LateEmulator& late, const ServeOptions& options) {
  control_plane::InvokeApi api;
  api.invoke = [&late](invoke::InvocationRequest request)
      -> tl::expected<invoke::InvocationResult, invoke::Refusal> {
    if (late.get() == nullptr) return not_ready();
    return late.get()->invoker().invoke(std::move(request));
  };
  api.resolve =
      [&late](const std::string& name,
              const std::optional<std::string>& qualifier) -> tl::expected<void, invoke::Refusal> {
    if (late.get() == nullptr) return not_ready();
    return late.get()->invoker().resolve(name, qualifier);
  };
  api.invoke_async =
      [&late](invoke::InvocationRequest request) -> tl::expected<void, invoke::Refusal> {
    if (late.get() == nullptr) return not_ready();
    return late.get()->invoker().invoke_async(std::move(request));
  };
  api.new_request_id = [] { return new_uuid(); };
  api.region = options.function.region;
  return api;
}

}  // namespace

void add_serve_command(CLI::App& program, ServeOptions& options) {
  auto* command =
      program.add_subcommand("serve", "Serve the Lambda API for the functions of a template");
  command->add_option("FUNCTION", options.names, "only these functions of the template");
  command->add_option("--port", options.port, "port of the Lambda API; 0 picks a free one")
      ->check(CLI::Range(0, 65535).description(""))
      ->type_name("PORT")
      ->capture_default_str();
  command->add_option("--host", options.host, "address to listen on")->capture_default_str();
  command->add_option("--state-dir", options.state_dir, "folder that keeps what was created")
      ->type_name("DIR");
  command->add_option("--clock", options.clock, "real or virtual")
      ->check(CLI::IsMember({"real", "virtual"}))
      ->capture_default_str();
  add_function_flags(*command, options.function);
}

int run_serve(const ServeOptions& options) {
  if (const auto possible = check(options); !possible) return fail(possible.error());
  auto machine = machine_for(options.function);
  if (!machine) return fail(machine.error());
  auto world = deployment_world(options.function);
  world.machine = *machine;
  auto described = describe_functions(options.function, options.names, world.temporary_parent);
  if (!described) return fail(described.error());
  for (const auto& warning : described->warnings) spdlog::warn("{}", warning);

  LateEmulator late;
  auto server = control_plane::LambdaServer::start(
      {.host = options.host, .port = options.port, .flag = "--port"},
      api_of(late, options),
      inspection_routes([&late] { return late.get(); }));
  if (!server) return fail({kHostCannot, server.error().message});
  const auto address = "http://" + options.host + ":" + std::to_string((*server)->port());
  world.lambda_endpoint = "http://127.0.0.1:" + std::to_string((*server)->port());
  auto deployed = deploy_all(described->functions, world);
  if (!deployed) return fail(deployed.error());

  auto built_with = emulator_options(options.function, *described, world.machine);
  built_with.log_descriptor = STDOUT_FILENO;
  Emulator emulator(built_with, std::move(*deployed));
  late.set(emulator);

  StopSignals signals;
  std::printf("ready %s\n", address.c_str());
  std::fflush(stdout);
  spdlog::info("serving {} on {}",
               described->functions.size() == 1
                   ? "1 function"
                   : std::to_string(described->functions.size()) + " functions",
               address);

  signals.wait();
  spdlog::info("stopping");
  (*server)->stop(kShutdownBudget);
  emulator.stop();
  server->reset();
  return kSuccess;
}

}  // namespace emulator::app
