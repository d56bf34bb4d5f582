#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

#include <optional>

// How many environments a version on Managed Instances has. Source of the rules: developer guide,
// "Scaling Lambda Managed Instances"; the texts are ours.
namespace emulator::control_plane {
namespace {

using registry::ScalingConfig;

constexpr const char* kLeast = "MinExecutionEnvironments";
constexpr const char* kMost = "MaxExecutionEnvironments";

// Where nobody says.
ScalingConfig usual() { return scaling_config({}, {}).value(); }

Document shown(const ScalingConfig& config) {
  return {{kLeast, config.least}, {kMost, config.most}};
}

tl::expected<NamedQualifier, ServiceError> managed_version(const Document& input,
                                                           const ServiceWorld& world) {
  auto named = named_qualifier(input, world);
  if (!named || is_managed(configuration_of(*named->version))) return named;
  return tl::unexpected(invalid_parameter_value(
      "Function " + named->record->name +
      " is not on Managed Instances; its environments are limited by PutFunctionConcurrency"));
}

tl::expected<ScalingConfig, ServiceError> asked_for(const Document& given) {
  const auto number = [&](const char* name) {
    return given.contains(name) ? std::optional<int>(given[name].get<int>()) : std::nullopt;
  };
  const auto config = scaling_config(number(kLeast), number(kMost));
  if (!config) return tl::unexpected(invalid_parameter_value(config.error()));
  return *config;
}

Answer put_scaling(const Document& input, ServiceWorld& world) {
  const auto named = managed_version(input, world);
  if (!named) return tl::unexpected(named.error());
  auto record = *named->record;
  const auto given = input.value("FunctionScalingConfig", Document::object());
  auto config = usual();
  if (given.empty()) {
    record.scaling.erase(named->qualifier);
  } else {
    const auto asked = asked_for(given);
    if (!asked) return tl::unexpected(asked.error());
    config = *asked;
    record.scaling[named->qualifier] = config;
  }
  const auto changed = world.registry.replace(named->record, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), named->record->name));
  return Document{{"FunctionState", config.most == 0 ? "Deactivated" : "Active"}};
}

Answer get_scaling(const Document& input, ServiceWorld& world) {
  const auto named = managed_version(input, world);
  if (!named) return tl::unexpected(named.error());
  Document answer = {{"FunctionArn", arn_of(world, named->record->name, named->qualifier)}};
  const auto found = named->record->scaling.find(named->qualifier);
  if (found == named->record->scaling.end()) {
    answer["AppliedFunctionScalingConfig"] = shown(usual());
    return answer;
  }
  answer["AppliedFunctionScalingConfig"] = shown(found->second);
  answer["RequestedFunctionScalingConfig"] = shown(found->second);
  return answer;
}

constexpr Operation kOperations[] = {
    {"PutFunctionScalingConfig", put_scaling},
    {"GetFunctionScalingConfig", get_scaling},
};

}  // namespace

std::span<const Operation> scaling_operations() { return kOperations; }

}  // namespace emulator::control_plane
