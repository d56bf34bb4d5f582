#include "emulator/app/deployment.h"

#include "emulator/runtimes/launch_command.h"
#include "emulator/runtimes/runtime_client_cache.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace emulator::app {
namespace {

// Core files up to the size recorded on the service; see docs/fidelity.md.
constexpr std::uint64_t kCoreBytes = 10'737'418'240;

AppError from(const functions::CodePackageError& error) {
  const bool host = error.kind == functions::CodePackageError::Kind::host;
  return {host ? kHostCannot : kWrongUsage, error.message};
}

AppError from(const runtimes::RuntimeError& error) {
  using Kind = runtimes::RuntimeError::Kind;
  const bool usage = error.kind == Kind::unknown_runtime || error.kind == Kind::invalid_function;
  return {usage ? kWrongUsage : kHostCannot, error.message};
}

std::string inherited_or(const DeploymentWorld& world,
                         const std::string& name,
                         const std::string& otherwise) {
  if (world.credentials == Credentials::placeholder) return otherwise;
  const auto found = world.inherited.find(name);
  return found == world.inherited.end() ? otherwise : found->second;
}

environment::VariableSources variable_sources(const functions::FunctionConfiguration& configuration,
                                              const runtimes::LaunchFolders& folders,
                                              const runtimes::LaunchCommand& launch,
                                              const DeploymentWorld& world) {
  environment::VariableSources sources;
  sources.function_name = configuration.name;
  sources.handler = configuration.handler;
  sources.region = world.region;
  sources.memory_size_mb = configuration.memory.mebibytes;
  if (!folders.seen_task_root.empty()) sources.task_root = folders.seen_task_root;
  if (!folders.seen_layers_root.empty()) sources.layers_root = folders.seen_layers_root;
  // Credentials that no service accepts: a function reaches nothing that it was not given.
  sources.access_key_id = inherited_or(world, "AWS_ACCESS_KEY_ID", "hearth");
  sources.secret_access_key = inherited_or(world, "AWS_SECRET_ACCESS_KEY", "hearth");
  sources.session_token = inherited_or(world, "AWS_SESSION_TOKEN", "hearth");
  // Interpreters of the host are found through the user's own PATH and folders, not Lambda's.
  sources.runtime = launch.environment;
  if (const auto endpoint = world.inherited.find("AWS_ENDPOINT_URL");
      endpoint != world.inherited.end()) {
    sources.runtime.emplace("AWS_ENDPOINT_URL", endpoint->second);
  }
  if (!world.lambda_endpoint.empty()) {
    sources.runtime.emplace("AWS_ENDPOINT_URL_LAMBDA", world.lambda_endpoint);
  }
  if (configuration.logging.format == functions::LogFormat::json) {
    sources.log_level = configuration.logging.application_level;
  }
  sources.customer = configuration.variables;
  sources.customer.insert(world.image_variables.begin(), world.image_variables.end());
  for (const auto& [key, _] : launch.environment) sources.customer.erase(key);
  return sources;
}

environment::LogFormatting log_formatting(const functions::Logging& logging) {
  using environment::log_level_named;
  environment::LogFormatting formatting;
  if (logging.format == functions::LogFormat::text) return formatting;
  formatting.format = environment::LogFormat::json;
  formatting.application_level =
      log_level_named(logging.application_level).value_or(formatting.application_level);
  formatting.system_level = log_level_named(logging.system_level).value_or(formatting.system_level);
  return formatting;
}

// "nodejs:22.v0" of nodejs22.x. Source of the form of version and ARN: recorded. Both name a build
// of AWS's, so ours are noughts.
void name_runtime_version(const functions::FunctionConfiguration& configuration,
                          const DeploymentWorld& world,
                          environment::EnvironmentSpec& spec) {
  auto runtime = configuration.runtime;
  if (runtime.ends_with(".x")) runtime.resize(runtime.size() - 2);
  const auto digit = runtime.find_first_of("0123456789");
  const bool managed = configuration.command.empty() && !runtime.starts_with("provided");
  if (!managed || digit == std::string::npos) return;
  spec.runtime_version = runtime.substr(0, digit) + ":" + runtime.substr(digit) + ".v0";
  spec.runtime_version_arn = "arn:aws:lambda:" + world.region + "::runtime:" + std::string(64, '0');
}

tl::expected<environment::EnvironmentSpec, AppError> on_managed_instances(
    environment::EnvironmentSpec on_demand, const functions::FunctionConfiguration& configuration) {
  const auto told = functions::managed_concurrency(configuration);
  const auto& managed = *configuration.managed;
  const auto scale = environment::managed_scale(managed.min_environments, managed.max_environments);
  if (!scale) {
    return tl::unexpected(
        AppError{kWrongUsage, "function " + configuration.name + ": " + scale.error()});
  }
  return environment::managed_variant(std::move(on_demand),
                                      {.max_concurrency = static_cast<std::size_t>(told),
                                       .told = std::to_string(told),
                                       .scale = *scale});
}

}  // namespace

tl::expected<Deployed, AppError> deploy(const functions::FunctionConfiguration& configuration,
                                        const DeploymentWorld& world,
                                        std::string_view version) {
  if (const auto valid = functions::validate(configuration); !valid) {
    return tl::unexpected(AppError{kWrongUsage, valid.error().message});
  }
  auto package = functions::open_code_package(configuration, world.temporary_parent);
  if (!package) return tl::unexpected(from(package.error()));
  const runtimes::RuntimeClientCache cache(world.runtime_cache);
  const auto folders = launch_folders(*package, world.working_folder, world.machine);
  const auto launch = runtimes::launch_command(
      configuration, folders, cache, [&world](const runtimes::Runtime& runtime) {
        return runtimes::find_interpreter(runtime, world.places);
      });
  if (!launch) return tl::unexpected(from(launch.error()));

  auto spec = std::make_shared<environment::EnvironmentSpec>();
  spec->function_name = configuration.name;
  spec->version = version;
  spec->memory_size_mb = configuration.memory.mebibytes;
  spec->timeout = configuration.timeout;
  spec->tracing = configuration.tracing == functions::Tracing::active
                      ? environment::Tracing::active
                      : environment::Tracing::pass_through;
  spec->tenant_isolation = configuration.tenant_isolation == functions::TenantIsolation::per_tenant
                               ? environment::TenantIsolation::per_tenant
                               : environment::TenantIsolation::none;
  spec->argv = launch->argv;
  // A command without code, as for RIE, is started where Hearth was.
  spec->working_folder =
      launch->working_folder.empty() ? world.working_folder : launch->working_folder;
  spec->limits.core_bytes = kCoreBytes;
  spec->logging = log_formatting(configuration.logging);
  spec->layers = layers_folder(folders, world.machine);
  spec->account_id = world.account;
  auto sources = variable_sources(configuration, folders, *launch, world);
  sources.version = version;
  spec->variables = environment::function_variables(sources);

  if (!world.image_working_folder.empty()) spec->working_folder = world.image_working_folder;

  name_runtime_version(configuration, world, *spec);

  Deployed deployed;
  if (launch->remark) deployed.remarks.push_back(*launch->remark);
  if (auto remark = assign_machine(*spec, configuration, folders, *launch, world.machine)) {
    deployed.remarks.push_back(std::move(*remark));
  }
  if (configuration.snap_start == functions::SnapStart::published_versions &&
      version != functions::kLatestVersion) {
    *spec = environment::snap_start_variant(std::move(*spec));
  }
  if (configuration.managed) {
    auto managed = on_managed_instances(std::move(*spec), configuration);
    if (!managed) return tl::unexpected(std::move(managed.error()));
    *spec = std::move(*managed);
  }
  deployed.spec = std::move(spec);
  deployed.package = std::move(*package);
  return deployed;
}

tl::expected<std::vector<Deployed>, AppError> deploy_all(
    const std::vector<functions::FunctionConfiguration>& configurations,
    const DeploymentWorld& world) {
  std::vector<Deployed> deployed;
  for (const auto& configuration : configurations) {
    const std::string_view version =
        configuration.managed ? functions::kLatestPublished : world.described_version;
    auto one = deploy(configuration, world, version);
    if (!one) return tl::unexpected(one.error());
    for (const auto& remark : one->remarks) spdlog::warn("{}: {}", configuration.name, remark);
    deployed.push_back(std::move(*one));
  }
  return deployed;
}

}  // namespace emulator::app
