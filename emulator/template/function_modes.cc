// How a function's environments are run: for one tenant each, from a snapshot, on Managed
// Instances.
#include "emulator/template/function_reader.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdint>

namespace emulator::templates {

// Source: service model, TenancyConfig; the resource types have the same property.
FunctionReader::Failure FunctionReader::read_tenancy() {
  const auto tenancy = property("TenancyConfig");
  if (!tenancy) return tenancy.error();
  if (!*tenancy) return std::nullopt;
  const auto* mode = (*tenancy)->find("TenantIsolationMode");
  if (mode == nullptr || mode->text != "PER_TENANT") {
    return error_at(**tenancy,
                    "TenancyConfig has one member, written TenancyConfig: {TenantIsolationMode: "
                    "PER_TENANT}");
  }
  result_.configuration.tenant_isolation = functions::TenantIsolation::per_tenant;
  return std::nullopt;
}

// Source: service model, SnapStart; the resource types have the same property. It is of effect
// where a version is published.
FunctionReader::Failure FunctionReader::read_snap_start() {
  const auto snap_start = property("SnapStart");
  if (!snap_start) return snap_start.error();
  if (!*snap_start) return std::nullopt;
  const auto* apply_on = (*snap_start)->find("ApplyOn");
  if (apply_on == nullptr || (apply_on->text != "PublishedVersions" && apply_on->text != "None")) {
    return error_at(**snap_start,
                    "SnapStart has one member, written SnapStart: {ApplyOn: PublishedVersions}, or "
                    "None in its place");
  }
  if (apply_on->text == "PublishedVersions") {
    result_.configuration.snap_start = functions::SnapStart::published_versions;
  }
  return std::nullopt;
}

// Source: SAM developer guide, CapacityProviderConfig of a function, which has its members in
// itself; service model for the other resource type. Their log is JSON unless told otherwise
// (developer guide, Managed Instances).
FunctionReader::Failure FunctionReader::read_managed_instances() {
  const auto config = property("CapacityProviderConfig");
  if (!config) return config.error();
  if (!*config) return std::nullopt;
  constexpr const char* kInner = "LambdaManagedInstancesCapacityProviderConfig";
  const auto* members = is_serverless() ? &**config : (*config)->find(kInner);
  if (members == nullptr || !members->is(NodeKind::map)) {
    return error_at(**config,
                    is_serverless()
                        ? "CapacityProviderConfig is a map, written "
                          "CapacityProviderConfig: {Arn: ARN}"
                        : "CapacityProviderConfig has one member, "
                          "LambdaManagedInstancesCapacityProviderConfig, which is a map");
  }
  auto& managed = result_.configuration.managed.emplace();
  if (const auto* arn = members->find(is_serverless() ? "Arn" : "CapacityProviderArn")) {
    managed.provider = arn->text;
  }
  if (const auto* ratio = members->find("ExecutionEnvironmentMemoryGiBPerVCpu")) {
    const auto* const end = ratio->text.data() + ratio->text.size();
    const auto read = std::from_chars(ratio->text.data(), end, managed.memory_per_cpu);
    if (read.ec != std::errc{} || read.ptr != end) {
      return error_at(*ratio, "GiB of memory for each vCPU are a number, as in 4.0");
    }
  }
  const auto memory = property("MemorySize");
  if (!memory) return memory.error();
  if (!*memory) result_.configuration.memory = functions::kMinManagedMemory;
  if (const auto* told = members->find("PerExecutionEnvironmentMaxConcurrency")) {
    std::int64_t number = 0;
    if (auto failure = number_in(*told, "invocations", number)) return failure;
    managed.max_concurrency = static_cast<int>(std::clamp<std::int64_t>(number, 0, INT_MAX));
  }
  result_.configuration.logging.format = functions::LogFormat::json;
  return std::nullopt;
}

// Source: SAM developer guide and CloudFormation reference, FunctionScalingConfig of a function.
FunctionReader::Failure FunctionReader::read_managed_scaling() {
  const auto scaling = property("FunctionScalingConfig");
  if (!scaling) return scaling.error();
  if (!*scaling) return std::nullopt;
  auto& managed = result_.configuration.managed;
  if (!managed) {
    return error_at(**scaling,
                    "FunctionScalingConfig is for functions with a CapacityProviderConfig; add "
                    "one, or limit the function with ReservedConcurrentExecutions");
  }
  const auto read = [&](const char* name, std::optional<int>& into) -> Failure {
    const auto* told = (*scaling)->find(name);
    if (told == nullptr) return std::nullopt;
    std::int64_t number = 0;
    if (auto failure = number_in(*told, "environments", number)) return failure;
    into = static_cast<int>(std::clamp<std::int64_t>(number, -1, INT_MAX));
    return std::nullopt;
  };
  if (auto failure = read("MinExecutionEnvironments", managed->min_environments)) return failure;
  return read("MaxExecutionEnvironments", managed->max_environments);
}

}  // namespace emulator::templates
