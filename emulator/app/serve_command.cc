#include "emulator/app/serve_command.h"

#include "emulator/app/identifiers.h"
#include "emulator/app/image_options.h"
#include "emulator/app/inspection.h"
#include "emulator/app/service.h"
#include "emulator/app/service_inspection.h"
#include "emulator/app/service_options.h"
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

// The API is bound before the functions are deployed, because they are told its address. Until they
// are there, nobody has been told the port, and a call that comes anyway is refused.
class LateService {
 public:
  void set(Service& service) { service_ = &service; }
  Service* get() const { return service_; }

 private:
  std::atomic<Service*> service_ = nullptr;
};

tl::unexpected<invoke::Refusal> not_ready() {
  return tl::unexpected(invoke::Refusal{.kind = invoke::Refusal::Kind::shutting_down,
                                        .message = "Hearth is starting"});
}

control_plane::InvokeApi invoke_api_of(const LateService& late, const ServeOptions& options) {
  control_plane::InvokeApi api;
  api.invoke = [&late](invoke::InvocationRequest request)
      -> tl::expected<invoke::InvocationResult, invoke::Refusal> {
    if (late.get() == nullptr) return not_ready();
    return late.get()->emulator().invoker().invoke(std::move(request));
  };
  api.resolve =
      [&late](const invoke::InvocationRequest& request) -> tl::expected<void, invoke::Refusal> {
    if (late.get() == nullptr) return not_ready();
    return late.get()->emulator().invoker().resolve(request);
  };
  api.invoke_async =
      [&late](invoke::InvocationRequest request) -> tl::expected<std::string, invoke::Refusal> {
    if (late.get() == nullptr) return not_ready();
    return late.get()->accept(std::move(request));
  };
  api.new_request_id = [] { return new_uuid(); };
  api.pace = [&late] {
    return late.get() == nullptr ? invoke::StreamPace{} : late.get()->emulator().stream_pace();
  };
  api.region = options.function.region;
  api.account = options.account;
  return api;
}

control_plane::ControlPlane control_plane_of(const LateService& late) {
  return {.handles =
              [&late](const front_doors::Request& head) {
                return late.get() != nullptr && late.get()->router().handles(head);
              },
          .body_limit =
              [&late](const front_doors::Request& head) {
                return late.get()->router().body_limit(head);
              },
          .answer =
              [&late](front_doors::Request request) {
                return late.get()->router().answer(std::move(request));
              },
          .refuse_too_large =
              [&late](const front_doors::Request& head) {
                return late.get()->router().refuse_too_large(head);
              }};
}

std::vector<control_plane::ExtraRoute> routes_of(const LateService& late) {
  auto routes = inspection_routes(
      [&late]() -> Emulator* { return late.get() != nullptr ? &late.get()->emulator() : nullptr; });
  for (auto& route : service_routes([&late] { return late.get(); })) {
    routes.push_back(std::move(route));
  }
  return routes;
}

void add_account_flags(CLI::App& command, ServeOptions& options) {
  const auto* account = "Account";
  command.add_option("--account", options.account, "account id in ARNs")
      ->check([](const std::string& text) {
        const bool good =
            text.size() == 12 && text.find_first_not_of("0123456789") == std::string::npos;
        return good ? "" : "'" + text + "' is no account id: it has twelve digits";
      })
      ->type_name("ID")
      ->group(account)
      ->capture_default_str();
  command
      .add_option("--unreserved-minimum",
                  options.unreserved_minimum,
                  "concurrency that no function may reserve (default 100, or a tenth of a small "
                  "account)")
      ->check(CLI::Range(0, 100'000).description(""))
      ->type_name("N")
      ->group(account);
  command
      .add_option("--scaling-burst",
                  options.scaling_burst,
                  "new environments a function may have in 10 seconds")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N")
      ->group(account)
      ->capture_default_str();
  command
      .add_option("--requests-per-concurrency",
                  options.requests_per_concurrency,
                  "requests a second for each unit of concurrency; 0 lifts the rule")
      ->check(CLI::Range(0, 1'000'000).description(""))
      ->type_name("N")
      ->group(account)
      ->capture_default_str();
  command
      .add_option(
          "--alias-seed", options.alias_seed, "makes the choices of weighted aliases repeatable")
      ->check([](const std::string& text) {
        // The library would take a negative number for a very large one.
        return text.starts_with('-') ? "'" + text + "' is negative; give 0 or more" : "";
      })
      ->type_name("N")
      ->group(account);
}

void add_service_flags(CLI::App& command, ServeOptions& options) {
  command
      .add_option("--state-dir",
                  options.state_dir,
                  "folder that keeps functions, settings and queued events")
      ->check([](const std::string& text) {
        return text.empty() ? "it is empty; name a folder" : std::string();
      })
      ->type_name("DIR");
  command
      .add_option("--hot-reload",
                  options.hot_folders,
                  "folder below which code may be used in place, besides the working folder; "
                  "repeatable")
      ->type_name("DIR")
      ->allow_extra_args(false);
  command
      .add_option("--clock",
                  options.clock,
                  "virtual: retries, ages and other timers move only by POST /_hearth/clock")
      ->check(CLI::IsMember({"real", "virtual"}))
      ->capture_default_str();
  command.add_option("--clock-start", options.clock_start, "where a virtual clock begins (now)")
      ->type_name("TIME");
  command
      .add_option("--endpoint",
                  options.endpoints,
                  "where sqs, sns, events, s3 or lambda destinations are delivered to, repeatable")
      ->type_name("SERVICE=URL")
      ->allow_extra_args(false);
}

}  // namespace

void add_serve_command(CLI::App& program, ServeOptions& options) {
  auto* command = program.add_subcommand(
      "serve", "Serve the Lambda API, for the functions of a template and for those it creates");
  command->add_option(
      "FUNCTION",
      options.names,
      "only these functions of the template; of a function described by flags, its name");
  command->add_option("--port", options.port, "port of the Lambda API; 0 picks a free one")
      ->check(CLI::Range(0, 65535).description(""))
      ->type_name("PORT")
      ->capture_default_str();
  command->add_option("--host", options.host, "address to listen on")
      ->check([](const std::string& text) {
        // An empty one would mean every address of this machine.
        return text.empty() ? "it is empty; name an address, such as 127.0.0.1" : std::string();
      })
      ->capture_default_str();
  add_service_flags(*command, options);
  add_account_flags(*command, options);
  add_function_flags(*command, options.function);
  add_stream_flag(*command, options.function);
}

int run_serve(const ServeOptions& given) {
  auto options = given;
  auto with_root = with_image(options.function);
  if (!with_root) return fail(with_root.error());
  options.function = std::move(*with_root);
  auto machine = machine_for(options.function);
  if (!machine) return fail(machine.error());
  auto world = deployment_world(options.function);
  world.account = options.account;
  world.machine = *machine;
  auto described =
      describe_served_functions(options.function, options.names, world.temporary_parent);
  if (!described) return fail(described.error());
  for (const auto& warning : described->warnings) spdlog::warn("{}", warning);
  auto built_with = emulator_options(options.function, *described, world.machine);
  auto targets = trace_targets(options.function.traces);
  if (!targets) return fail(targets.error());
  built_with.trace_targets = std::move(*targets);
  built_with.log_descriptor = STDOUT_FILENO;
  auto with = service_options(options, std::move(built_with), std::move(world));
  if (!with) return fail(with.error());

  LateService late;
  auto server = control_plane::LambdaServer::start(
      {.host = options.host, .port = options.port, .flag = "--port"},
      invoke_api_of(late, options),
      control_plane_of(late),
      routes_of(late));
  if (!server) return fail({kHostCannot, server.error().message});
  const auto address = "http://" + options.host + ":" + std::to_string((*server)->port());
  with->endpoint = address;
  with->deployment.lambda_endpoint = "http://127.0.0.1:" + std::to_string((*server)->port());
  auto service = Service::open(std::move(*with));
  if (!service) return fail(service.error());
  if (auto served = (*service)->serve(described->functions, described->aliases); !served) {
    return fail(served.error());
  }
  (*service)->start();
  late.set(**service);

  StopSignals signals;
  std::printf("ready %s\n", address.c_str());
  std::fflush(stdout);
  const auto count = (*service)->registry().size();
  spdlog::info("serving {} on {}",
               count == 1 ? "1 function" : std::to_string(count) + " functions",
               address);

  signals.wait();
  spdlog::info("stopping");
  (*server)->stop(kShutdownBudget);
  (*service)->stop();
  server->reset();
  return kSuccess;
}

}  // namespace emulator::app
