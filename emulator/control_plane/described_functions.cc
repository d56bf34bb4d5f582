#include "emulator/control_plane/described_functions.h"

#include "emulator/control_plane/code_input.h"
#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/utf8_text.h"
#include "emulator/control_plane/version_publishing.h"
#include "emulator/registry/stored_function.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace emulator::control_plane {
namespace {

// How a function was described last, as a setting of its record.
constexpr const char* kDescribedAs = "described_as";

// A role is mandatory in the API and nothing to Hearth.
std::string described_role(const ServiceWorld& world) {
  return "arn:aws:iam::" + world.account + ":role/hearth";
}

Document configuration_of(const functions::FunctionConfiguration& described,
                          const ServiceWorld& world) {
  auto configuration = default_configuration(described.name, world);
  configuration["Runtime"] = described.runtime;
  configuration["Handler"] = described.handler;
  configuration["MemorySize"] = described.memory.mebibytes;
  configuration["Timeout"] = described.timeout.count();
  configuration["EphemeralStorage"] = {{"Size", described.ephemeral_storage.mebibytes}};
  configuration["TracingConfig"] = {
      {"Mode", described.tracing == functions::Tracing::active ? "Active" : "PassThrough"}};
  if (described.tenant_isolation == functions::TenantIsolation::per_tenant) {
    configuration["TenancyConfig"] = {{"TenantIsolationMode", "PER_TENANT"}};
  }
  if (described.snap_start == functions::SnapStart::published_versions) {
    configuration["SnapStart"]["ApplyOn"] = "PublishedVersions";
  }
  if (described.managed) {
    const auto& terms = *described.managed;
    const Document managed = {
        {"CapacityProviderArn",
         terms.provider.empty() ? arn_of_kind(world, "capacity-provider", "hearth")
                                : terms.provider},
        {"PerExecutionEnvironmentMaxConcurrency", functions::managed_concurrency(described)},
        {"ExecutionEnvironmentMemoryGiBPerVCpu", terms.memory_per_cpu}};
    configuration["State"] = kNotInvocable;
    configuration["CapacityProviderConfig"] = {
        {"LambdaManagedInstancesCapacityProviderConfig", managed}};
  }
  if (described.logging.format == functions::LogFormat::json) {
    auto& logging = configuration["LoggingConfig"];
    logging["LogFormat"] = "JSON";
    logging["ApplicationLogLevel"] = described.logging.application_level;
    logging["SystemLogLevel"] = described.logging.system_level;
  }
  configuration["Role"] = described_role(world);
  if (!described.variables.empty()) {
    configuration["Environment"] = {{"Variables", described.variables}};
  }
  return configuration;
}

// Everything that becomes JSON; nullptr where all of it is UTF-8.
const char* not_utf8(const functions::FunctionConfiguration& described) {
  const auto is = [](const std::string& text) { return utf8_text(text) == text; };
  if (!is(described.code.string())) return "the path of its code";
  if (!is(described.handler)) return "its handler";
  const auto all = [&](const auto& texts) {
    return std::all_of(texts.begin(), texts.end(), [&](const auto& text) { return is(text); });
  };
  if (!all(described.layers)) return "the path of a layer";
  if (!all(described.command)) return "its command";
  for (const auto& [key, value] : described.variables) {
    if (!is(key) || !is(value)) return "an environment variable";
  }
  return nullptr;
}

// A provider that a described function names is there, as one that is made through the API is: its
// operations list it. Networks and roles mean nothing here, and a template's are not read.
tl::expected<void, registry::RegistryError> put_provider(const Document& configuration,
                                                         ServiceWorld& world) {
  const auto arn = capacity_provider_of(configuration);
  if (arn.find(":capacity-provider:") == std::string::npos) return {};
  const Document answer = {
      {"CapacityProviderArn", arn},
      {"State", "Active"},
      {"VpcConfig", {{"SubnetIds", Document::array()}, {"SecurityGroupIds", Document::array()}}},
      {"PermissionsConfig", {{"CapacityProviderOperatorRoleArn", described_role(world)}}},
      {"LastModified", service_time(world.clock.wall_now())}};
  const Document entry = {{"answer", answer}, {"tags", Document::object()}};
  const auto kept = world.registry.put_resource(
      registry::ResourceKind::capacity_provider, arn, std::nullopt, entry.dump());
  if (kept || kept.error().kind == registry::RegistryError::Kind::exists) return {};
  return tl::unexpected(kept.error());
}

// How many environments it is described to have: what its $LATEST.PUBLISHED has, and an addition to
// how it was described last.
struct DescribedScaling {
  std::optional<registry::ScalingConfig> config{};
  std::string description{};
};

tl::expected<DescribedScaling, registry::RegistryError> scaling_of(
    const functions::FunctionConfiguration& described) {
  const auto& managed = described.managed;
  if (!managed || (!managed->min_environments && !managed->max_environments)) return {};
  const auto config = scaling_config(managed->min_environments, managed->max_environments);
  if (!config) {
    return tl::unexpected(
        registry::RegistryError{registry::RegistryError::Kind::store,
                                "function " + described.name + ": " + config.error()});
  }
  return DescribedScaling{
      *config, "\n" + std::to_string(config->least) + " to " + std::to_string(config->most)};
}

}  // namespace

tl::expected<void, registry::RegistryError> put_described(
    const functions::FunctionConfiguration& described, ServiceWorld& world) {
  if (const auto* what = not_utf8(described)) {
    return tl::unexpected(registry::RegistryError{
        registry::RegistryError::Kind::store,
        "function " + described.name + ": " + what + " is not UTF-8; name it otherwise"});
  }
  const auto scaling = scaling_of(described);
  if (!scaling) return tl::unexpected(scaling.error());
  auto configuration = configuration_of(described, world);
  auto code = folder_as_code(described.code);
  configuration["CodeSha256"] = code.sha256_base64;
  if (auto put = put_provider(configuration, world); !put) return put;
  registry::FunctionVersion latest;
  latest.function_name = described.name;
  latest.code = std::move(code.source);
  latest.code.command = described.command;
  latest.code.layers = described.layers;
  latest.configuration = configuration.dump();
  auto as_described = registry::stored_version(latest) + scaling->description;

  const auto base = world.registry.find(described.name);
  auto record = base ? *base : registry::FunctionRecord{};
  // Described as it was before: what the API has changed of it since stays.
  if (base && record.settings[kDescribedAs] == as_described) return {};
  record.settings[kDescribedAs] = std::move(as_described);
  touch(world, configuration);
  latest.configuration = configuration.dump();
  record.name = described.name;
  // Source: developer guide, "$LATEST.PUBLISHED version in Lambda Managed Instances": templates
  // have it made by themselves.
  record.latest_published = described.managed ? published_in_place(latest, world) : nullptr;
  if (scaling->config) {
    record.scaling[std::string(functions::kLatestPublished)] = *scaling->config;
  } else {
    record.scaling.erase(std::string(functions::kLatestPublished));
  }
  record.latest = std::make_shared<const registry::FunctionVersion>(std::move(latest));
  const auto kept = base ? world.registry.replace(base, std::move(record))
                         : world.registry.create(std::move(record));
  if (!kept) return tl::unexpected(kept.error());
  return {};
}

}  // namespace emulator::control_plane
