#include "emulator/app/rie_command.h"

#include "emulator/app/emulator.h"
#include "emulator/app/function_options.h"
#include "emulator/app/identifiers.h"
#include "emulator/app/rie_options.h"
#include "emulator/app/stop_signals.h"
#include "emulator/front_doors/rie_server.h"

#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>

namespace emulator::app {
namespace {

// Source: the published emulator's shutdown budget.
constexpr std::chrono::milliseconds kShutdownBudget{2000};

spdlog::level::level_enum level_of(RieLogLevel level) {
  switch (level) {
    case RieLogLevel::error:
      return spdlog::level::err;
    case RieLogLevel::warning:
      return spdlog::level::warn;
    case RieLogLevel::info:
      return spdlog::level::info;
    case RieLogLevel::debug:
      return spdlog::level::debug;
    case RieLogLevel::trace:
      return spdlog::level::trace;
  }
  return spdlog::level::info;
}

bool is_file(std::string_view path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(std::filesystem::path(path), ignored);
}

// What is no number says nothing of how many calls a runtime may park: any number, then.
std::size_t concurrency_of(const std::string& told) {
  constexpr std::size_t kMost = functions::kMaxManagedConcurrency;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(told.data(), told.data() + told.size(), value);
  if (error != std::errc{} || end != told.data() + told.size() || value == 0) {
    return kMost;
  }
  return std::min(value, kMost);
}

// Source: the published emulator's mode for Managed Instances, which gives the function these
// unless it has them.
void add_managed_variables(std::map<std::string, std::string>& variables) {
  const auto region = variables.emplace("AWS_REGION", "us-east-1").first->second;
  variables.emplace("AWS_DEFAULT_REGION", region);
  variables.emplace("AWS_LAMBDA_LOG_FORMAT", "json");
  variables.emplace("TZ", ":UTC");
  variables.emplace("LANG", "en_US.UTF-8");
  variables.emplace("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
  variables.emplace("_AWS_XRAY_DAEMON_PORT", "2000");
  variables.emplace("LAMBDA_TASK_ROOT", std::string(kRieTaskRoot));
  variables.emplace("LAMBDA_RUNTIME_DIR", "/var/runtime");
}

std::shared_ptr<const environment::EnvironmentSpec> spec_of(const RieOptions& options,
                                                            const Variables& inherited) {
  auto spec = std::make_shared<environment::EnvironmentSpec>();
  spec->profile = environment::Profile::rie;
  spec->function_name = options.function_name;
  spec->version = options.function_version;
  spec->memory_size_mb = options.memory.mebibytes;
  spec->timeout = options.timeout;
  // The container around it is the sandbox: limits are the ones found there.
  spec->limits = sandbox::inherited_limits();
  spec->api_address =
      options.runtime_api.host == "localhost" ? "127.0.0.1" : options.runtime_api.host;
  spec->api_port = static_cast<std::uint16_t>(options.runtime_api.port);
  const auto address = options.runtime_api.host + ":" + std::to_string(options.runtime_api.port);
  spec->variables = rie_runtime_environment(options, inherited, address);
  // Each environment has an address and adds these itself.
  spec->variables.erase("AWS_LAMBDA_RUNTIME_API");
  spec->log_stream_name = spec->variables["AWS_LAMBDA_LOG_STREAM_NAME"];
  spec->variables.erase("AWS_LAMBDA_LOG_STREAM_NAME");
  // The container's own.
  spec->layers = {.host = std::string(kRieLayersRoot), .seen = std::string(kRieLayersRoot)};
  if (options.command.empty()) {
    spec->argv = {find_bootstrap(is_file)};
    spec->working_folder = std::string(kRieTaskRoot);
  } else {
    spec->argv = options.command;
    std::error_code ignored;
    spec->working_folder = std::filesystem::current_path(ignored).string();
  }
  if (options.init_caching == InitCaching::enabled) {
    *spec = environment::snap_start_variant(std::move(*spec));
    spec->credentials = {.access_key_id = options.access_key_id,
                         .secret_access_key = options.secret_access_key,
                         .session_token = options.session_token};
  }
  if (options.max_concurrency) {
    add_managed_variables(spec->variables);
    *spec =
        environment::managed_variant(std::move(*spec),
                                     {.max_concurrency = concurrency_of(*options.max_concurrency),
                                      .told = *options.max_concurrency});
  }
  return spec;
}

}  // namespace

int run_rie(const std::vector<std::string>& arguments) {
  const auto inherited = deployment_world({}).inherited;
  const auto options = parse_rie_options(arguments, inherited);
  if (!options) {
    std::cerr << options.error().message << "\n";
    return options.error().exit_status;
  }
  spdlog::set_level(level_of(options->log_level));

  EmulatorOptions machine;
  machine.profile = environment::Profile::rie;
  machine.account = "012345678912";
  machine.log_descriptor = STDOUT_FILENO;
  std::vector<Deployed> functions;
  const auto spec = spec_of(*options, inherited);
  functions.push_back({.spec = spec, .package = {}, .remarks = {}});
  Emulator emulator(machine, fixed_targets(std::move(functions), machine));

  front_doors::RieFrontDoor door;
  door.invoke = [&emulator](invoke::InvocationRequest request) {
    return emulator.invoker().invoke(std::move(request));
  };
  door.new_request_id = [] { return new_uuid(); };
  door.function_name = options->function_name;
  if (spec->managed) {
    door.mode = front_doors::RieFrontDoor::Mode::managed_instances;
    emulator.pool().keep_managed(spec);
  }
  auto server = front_doors::start_rie_server({.host = options->front_door.host,
                                               .port = options->front_door.port,
                                               .flag = "--runtime-interface-emulator-address"},
                                              door);
  if (!server) {
    std::cerr << "hearth: " << server.error().message << "\n";
    return 1;
  }

  StopSignals signals;
  spdlog::info(
      "serving {} at {}:{}", options->function_name, options->front_door.host, (*server)->port());
  signals.wait();
  emulator.stop();
  (*server)->stop(kShutdownBudget);
  return 0;
}

}  // namespace emulator::app
