#include "emulator/control_plane/managed_instances.h"

#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/snap_start.h"
#include "emulator/environment/environment_spec.h"

#include <nlohmann/json.hpp>

namespace emulator::control_plane {
namespace {

using Checked = tl::expected<void, ServiceError>;

constexpr const char* kConfig = "CapacityProviderConfig";
constexpr const char* kInner = "LambdaManagedInstancesCapacityProviderConfig";
constexpr const char* kProvider = "CapacityProviderArn";
constexpr const char* kConcurrency = "PerExecutionEnvironmentMaxConcurrency";
constexpr const char* kMemoryPerCpu = "ExecutionEnvironmentMemoryGiBPerVCpu";

// The texts are ours, unless they say otherwise.
ServiceError refused(std::string message) { return invalid_parameter_value(std::move(message)); }

double memory_per_cpu(const Document& inner) {
  return inner.value(kMemoryPerCpu, functions::kUsualMemoryPerCpu);
}

functions::MemorySize memory_of(const Document& configuration) {
  return {configuration.value("MemorySize", std::int64_t{0})};
}

// What the caller leaves open is what it always was, not what it was before. Source: a published
// emulator, whose authors compare it with the service.
Document with_usual_values(Document config, const Document& configuration) {
  auto& inner = config[kInner];
  inner[kMemoryPerCpu] = memory_per_cpu(inner);
  if (!inner.contains(kConcurrency)) {
    inner[kConcurrency] = functions::usual_managed_concurrency(
        configuration.value("Runtime", ""), memory_of(configuration), memory_per_cpu(inner));
  }
  return config;
}

Checked check_provider(const std::string& arn,
                       const ServiceWorld& world,
                       const Document& configuration) {
  // A function that the command line or a template describes has one that nobody made.
  if (arn == capacity_provider_of(configuration)) return {};
  if (world.registry.resource(registry::ResourceKind::capacity_provider, arn)) return {};
  return tl::unexpected(
      refused("The capacity provider " + arn +
              " does not exist; make it with CreateCapacityProvider, or name another one"));
}

}  // namespace

bool is_managed(const Document& configuration) { return configuration.contains(kConfig); }

std::string capacity_provider_of(const Document& configuration) {
  return configuration.value(kConfig, Document::object())
      .value(kInner, Document::object())
      .value(kProvider, "");
}

Checked apply_managed_instances(const Document& input,
                                const ServiceWorld& world,
                                Document& configuration) {
  const auto given = input.find(kConfig);
  if (given == input.end()) return {};
  const bool is_new = configuration.value("RevisionId", "").empty();
  // Source of the rule: SAM developer guide, CapacityProviderConfig; of the text: recorded by
  // others.
  if (!is_new && !is_managed(configuration)) {
    return tl::unexpected(
        refused("CapacityProviderConfig isn't supported for Lambda Default functions."));
  }
  if (auto checked = check_provider(given->at(kInner).at(kProvider), world, configuration);
      !checked) {
    return checked;
  }
  if (is_new) {
    configuration["LoggingConfig"]["LogFormat"] = "JSON";
    if (!input.contains("MemorySize")) {
      configuration["MemorySize"] = functions::kMinManagedMemory.mebibytes;
    }
  }
  configuration[kConfig] = with_usual_values(*given, configuration);
  return {};
}

Checked check_managed_instances(const Document& configuration) {
  if (!is_managed(configuration)) return {};
  if (isolates_tenants(configuration)) {
    return tl::unexpected(not_on_managed_instances("Tenant isolation"));
  }
  if (uses_snap_start(configuration)) {
    return tl::unexpected(not_on_managed_instances("SnapStart"));
  }
  const auto runtime = configuration.value("Runtime", "");
  if (!runtime.empty() && !functions::supports_managed_instances(runtime)) {
    return tl::unexpected(not_on_managed_instances("Runtime " + runtime));
  }
  const auto per_cpu = memory_per_cpu(configuration[kConfig][kInner]);
  if (functions::managed_cpus(memory_of(configuration), per_cpu) < 1) {
    return tl::unexpected(
        refused("Functions on Managed Instances have at least one vCPU; raise MemorySize, or lower "
                "ExecutionEnvironmentMemoryGiBPerVCpu"));
  }
  return {};
}

ServiceError not_on_managed_instances(std::string_view feature) {
  return refused(std::string(feature) +
                 " is not supported for functions on Managed Instances; leave it out, or create "
                 "the function without CapacityProviderConfig");
}

Document with_scaling_state(Document configuration,
                            const registry::FunctionVersion& version,
                            const ServiceWorld& world) {
  const auto record = world.registry.find(version.function_name);
  if (!record) return configuration;
  const auto scaling = record->scaling.find(version.number);
  if (scaling != record->scaling.end() && scaling->second.most == 0) {
    configuration["State"] = "Deactivated";
    configuration.erase("StateReason");
    configuration.erase("StateReasonCode");
  }
  return configuration;
}

Checked check_publish_to(const Document& input, const Document& configuration) {
  if (!input.contains("PublishTo") || is_managed(configuration)) return {};
  return tl::unexpected(
      refused("PublishTo is for functions on Managed Instances; leave it out, or create the "
              "function with CapacityProviderConfig"));
}

tl::expected<registry::ScalingConfig, std::string> scaling_config(std::optional<int> least,
                                                                  std::optional<int> most) {
  const auto scale = environment::managed_scale(least, most);
  if (!scale) return tl::unexpected(scale.error());
  return registry::ScalingConfig{static_cast<int>(scale->min_environments),
                                 static_cast<int>(scale->max_environments)};
}

}  // namespace emulator::control_plane
