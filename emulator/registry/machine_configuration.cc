#include "emulator/registry/machine_configuration.h"

#include <nlohmann/json.hpp>

namespace emulator::registry {
namespace {

using Json = nlohmann::json;
using functions::FunctionConfiguration;

// Most have none.
std::optional<functions::ManagedInstances> managed_instances_in(const Json& json) {
  const auto config = json.find("CapacityProviderConfig");
  if (config == json.end()) return std::nullopt;
  const auto given = config->find("LambdaManagedInstancesCapacityProviderConfig");
  if (given == config->end()) return std::nullopt;
  functions::ManagedInstances managed;
  if (const auto told = given->find("PerExecutionEnvironmentMaxConcurrency");
      told != given->end()) {
    managed.max_concurrency = told->get<int>();
  }
  managed.memory_per_cpu =
      given->value("ExecutionEnvironmentMemoryGiBPerVCpu", managed.memory_per_cpu);
  return managed;
}

void read_members(const Json& json, FunctionConfiguration& into) {
  into.runtime = json.value("Runtime", into.runtime);
  into.handler = json.value("Handler", "");
  into.memory.mebibytes = json.value("MemorySize", into.memory.mebibytes);
  into.timeout = std::chrono::seconds(json.value("Timeout", into.timeout.count()));
  if (const auto storage = json.find("EphemeralStorage"); storage != json.end()) {
    into.ephemeral_storage.mebibytes = storage->value("Size", into.ephemeral_storage.mebibytes);
  }
  if (const auto tracing = json.find("TracingConfig"); tracing != json.end()) {
    into.tracing = tracing->value("Mode", "") == "Active" ? functions::Tracing::active
                                                          : functions::Tracing::pass_through;
  }
  if (const auto tenancy = json.find("TenancyConfig"); tenancy != json.end()) {
    into.tenant_isolation = tenancy->value("TenantIsolationMode", "") == "PER_TENANT"
                                ? functions::TenantIsolation::per_tenant
                                : functions::TenantIsolation::none;
  }
  if (const auto snap_start = json.find("SnapStart"); snap_start != json.end()) {
    into.snap_start = snap_start->value("ApplyOn", "None") == "PublishedVersions"
                          ? functions::SnapStart::published_versions
                          : functions::SnapStart::none;
  }
  into.managed = managed_instances_in(json);
  if (const auto logging = json.find("LoggingConfig"); logging != json.end()) {
    auto& to = into.logging;
    to.format = logging->value("LogFormat", "Text") == "JSON" ? functions::LogFormat::json
                                                              : functions::LogFormat::text;
    to.application_level = logging->value("ApplicationLogLevel", to.application_level);
    to.system_level = logging->value("SystemLogLevel", to.system_level);
  }
  if (const auto environment = json.find("Environment"); environment != json.end()) {
    into.variables = environment->value("Variables", into.variables);
  }
}

tl::expected<void, std::string> find_code(const FunctionVersion& version,
                                          const CodePlaces& places,
                                          FunctionConfiguration& into) {
  into.command = version.code.command;
  into.code = version.code.folder;
  if (version.code.sha256_hex.empty()) return {};
  const auto folder = places.package(version.code.sha256_hex);
  if (!folder) {
    return tl::unexpected("the code of " + version.function_name + ":" + version.number +
                          " is no longer in the state folder; update the function's code");
  }
  into.code = *folder;
  return {};
}

tl::expected<void, std::string> find_layer_copies(const FunctionVersion& version,
                                                  const CodePlaces& places,
                                                  FunctionConfiguration& into) {
  for (const auto& package : version.code.layer_packages) {
    const auto folder = places.package(package);
    if (!folder) {
      return tl::unexpected("a layer of " + version.function_name + ":" + version.number +
                            " is no longer in the state folder; publish the version again");
    }
    into.layers.push_back(*folder);
  }
  return {};
}

tl::expected<void, std::string> find_layers(const Json& json,
                                            const CodePlaces& places,
                                            FunctionConfiguration& into) {
  for (const auto& layer : json.value("Layers", Json::array())) {
    const auto arn = layer.value("Arn", "");
    const auto folder = places.layer_version(arn);
    if (!folder) {
      return tl::unexpected("the content of layer version " + arn +
                            " is no longer there; name another with UpdateFunctionConfiguration");
    }
    into.layers.push_back(*folder);
  }
  return {};
}

}  // namespace

tl::expected<FunctionConfiguration, std::string> machine_configuration(
    const FunctionVersion& version, const CodePlaces& places) {
  FunctionConfiguration configuration;
  configuration.name = version.function_name;
  configuration.layers = version.code.layers;
  try {
    const auto json = Json::parse(version.configuration);
    read_members(json, configuration);
    if (auto found = find_layers(json, places, configuration); !found) {
      return tl::unexpected(std::move(found.error()));
    }
  } catch (const Json::exception& broken) {
    return tl::unexpected("the configuration of " + version.function_name + ":" + version.number +
                          " cannot be read: " + broken.what());
  }
  if (auto found = find_code(version, places, configuration); !found) {
    return tl::unexpected(std::move(found.error()));
  }
  if (auto found = find_layer_copies(version, places, configuration); !found) {
    return tl::unexpected(std::move(found.error()));
  }
  return configuration;
}

bool runs_alike(const FunctionVersion& one, const FunctionVersion& other) {
  if (one.number != other.number || !(one.code == other.code)) return false;
  if (one.configuration == other.configuration) return true;
  auto left = Json::parse(one.configuration, nullptr, false);
  auto right = Json::parse(other.configuration, nullptr, false);
  if (!left.is_object() || !right.is_object()) return false;
  left.erase("RevisionId");
  right.erase("RevisionId");
  return left == right;
}

bool uses_snap_start(const FunctionVersion& version) {
  // Most do not, and that can be seen without taking the text apart.
  if (version.configuration.find("\"PublishedVersions\"") == std::string::npos) return false;
  const auto json = Json::parse(version.configuration, nullptr, false);
  return json.is_object() && json.contains("SnapStart") &&
         json["SnapStart"].value("ApplyOn", "") == "PublishedVersions";
}

bool runs_on_managed_instances(const FunctionVersion& version) {
  if (version.configuration.find("\"CapacityProviderConfig\"") == std::string::npos) return false;
  const auto json = Json::parse(version.configuration, nullptr, false);
  return json.is_object() && managed_instances_in(json).has_value();
}

std::string dead_letter_target(const FunctionVersion& version) {
  // Most have none, and that can be seen without taking the text apart.
  if (version.configuration.find("\"DeadLetterConfig\"") == std::string::npos) return {};
  const auto json = Json::parse(version.configuration, nullptr, false);
  if (!json.is_object() || !json.contains("DeadLetterConfig")) return {};
  return json["DeadLetterConfig"].value("TargetArn", "");
}

}  // namespace emulator::registry
