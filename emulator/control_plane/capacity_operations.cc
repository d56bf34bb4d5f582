#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/kept_resources.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

// Capacity providers: kept and given back. No instances are started for them; functions that name
// one run on this machine. Source of members, statuses and exceptions: MODEL; the texts are ours,
// unless they say otherwise.
namespace emulator::control_plane {
namespace {

using registry::ResourceKind;

constexpr auto kKind = ResourceKind::capacity_provider;

// The name is a bare one or the ARN.
tl::expected<std::string, ServiceError> arn_in(const Document& input, const ServiceWorld& world) {
  const auto named = input.value("CapacityProviderName", "");
  const auto arn = arn_of_kind(world, "capacity-provider", named.substr(named.rfind(':') + 1));
  if (named.find(':') != std::string::npos && named != arn) {
    return tl::unexpected(invalid_parameter_value(
        "The capacity provider " + named + " is of another account or region; this is " + arn));
  }
  return arn;
}

tl::expected<KeptResource, ServiceError> provider_in(const Document& input,
                                                     const ServiceWorld& world) {
  const auto arn = arn_in(input, world);
  if (!arn) return tl::unexpected(arn.error());
  return find_capacity_provider(*arn, world);
}

void take_over(const Document& input, Document& provider) {
  for (const auto* member : {"VpcConfig",
                             "PermissionsConfig",
                             "InstanceRequirements",
                             "CapacityProviderScalingConfig",
                             "KmsKeyArn",
                             "PropagateTags",
                             "TelemetryConfig"}) {
    if (const auto given = input.find(member); given != input.end()) provider[member] = *given;
  }
}

// Source of the text: what others report of the service.
tl::expected<void, ServiceError> check_scaling(const Document& provider) {
  const auto scaling = provider.value("CapacityProviderScalingConfig", Document::object());
  if (scaling.value("ScalingMode", "") != "Auto" || !scaling.contains("ScalingPolicies")) return {};
  return tl::unexpected(invalid_parameter_value(
      "A scaling policy can't be specified when the scalingMode is set to Auto"));
}

Document shown(Document provider) { return {{"CapacityProvider", std::move(provider)}}; }

Document answer_in(const std::string& text) {
  return members_of(text).value("answer", Document::object());
}

// What is answered is on its way, as a function that is made; it is there already.
Answer create_provider(const Document& input, ServiceWorld& world) {
  const auto arn = arn_in(input, world);
  if (!arn) return tl::unexpected(arn.error());
  Document provider = {{"CapacityProviderArn", *arn}, {"State", "Active"}};
  take_over(input, provider);
  if (auto checked = check_scaling(provider); !checked) return tl::unexpected(checked.error());
  provider["LastModified"] = service_time(world.clock.wall_now());
  const Document entry = {{"answer", provider}, {"tags", input.value("Tags", Document::object())}};
  const auto kept = world.registry.put_resource(kKind, *arn, std::nullopt, entry.dump());
  if (!kept && kept.error().kind == registry::RegistryError::Kind::exists) {
    return tl::unexpected(resource_conflict("Capacity provider already exists: " + *arn));
  }
  if (!kept) return tl::unexpected(from_registry(kept.error(), *arn));
  provider["State"] = "Pending";
  return shown(std::move(provider));
}

Answer get_provider(const Document& input, ServiceWorld& world) {
  const auto found = provider_in(input, world);
  if (!found) return tl::unexpected(found.error());
  return shown(answer_in(found->text));
}

Answer update_provider(const Document& input, ServiceWorld& world) {
  const auto found = provider_in(input, world);
  if (!found) return tl::unexpected(found.error());
  auto entry = members_of(found->text);
  auto& provider = entry["answer"];
  take_over(input, provider);
  if (auto checked = check_scaling(provider); !checked) return tl::unexpected(checked.error());
  provider["LastModified"] = service_time(world.clock.wall_now());
  if (auto kept = keep_resource(*found, entry, world); !kept) {
    return tl::unexpected(std::move(kept.error()));
  }
  return shown(provider);
}

Answer list_providers(const Document& input, ServiceWorld& world) {
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  const auto state = input.value("State", "");
  Document answer = {{"CapacityProviders", Document::array()}};
  auto& providers = answer["CapacityProviders"];
  std::string last;
  for (const auto& [arn, text] : world.registry.resources(kKind, page->after)) {
    auto provider = answer_in(text);
    if (!state.empty() && provider.value("State", "") != state) continue;
    if (providers.size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    providers.push_back(std::move(provider));
    last = arn;
  }
  return answer;
}

// ---- Whose functions use it. That $LATEST counts among the versions is INF.

std::vector<registry::SharedVersion> users_of(const std::string& arn, const ServiceWorld& world) {
  std::vector<registry::SharedVersion> users;
  for (const auto& function : world.registry.list("", SIZE_MAX)) {
    for (const auto& version : function->versions()) {
      // Most have none, and that can be seen without taking the text apart.
      if (version->configuration.find(arn) == std::string::npos) continue;
      if (capacity_provider_of(configuration_of(*version)) == arn) users.push_back(version);
    }
  }
  return users;
}

// Source of the rule: MODEL, and developer guide, troubleshooting of Managed Instances.
Answer delete_provider(const Document& input, ServiceWorld& world) {
  const auto found = provider_in(input, world);
  if (!found) return tl::unexpected(found.error());
  if (const auto users = users_of(found->key, world); !users.empty()) {
    return tl::unexpected(
        resource_conflict("The capacity provider is used by " + std::to_string(users.size()) +
                          " function version(s), among them " + users.front()->function_name + ":" +
                          users.front()->number +
                          "; delete them first, ListFunctionVersionsByCapacityProvider "
                          "names them"));
  }
  const auto removed = world.registry.remove_resource(kKind, found->key);
  if (!removed) return tl::unexpected(from_registry(removed.error(), found->key));
  auto provider = answer_in(found->text);
  provider["State"] = "Deleting";
  return shown(std::move(provider));
}

Answer list_versions(const Document& input, ServiceWorld& world) {
  const auto found = provider_in(input, world);
  if (!found) return tl::unexpected(found.error());
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"CapacityProviderArn", found->key}, {"FunctionVersions", Document::array()}};
  auto& versions = answer["FunctionVersions"];
  // Where the last page ended: behind so many.
  std::size_t at = std::strtoull(page->after.c_str(), nullptr, 10);
  const auto users = users_of(found->key, world);
  for (; at < users.size() && versions.size() < page->limit; ++at) {
    const auto& version = *users[at];
    versions.push_back({{"FunctionArn", arn_of(world, version.function_name, version.number)},
                        {"State", shown_configuration(version, world).value("State", "Active")}});
  }
  if (at < users.size()) answer["NextMarker"] = marker_after(std::to_string(at));
  return answer;
}

constexpr Operation kOperations[] = {
    {"CreateCapacityProvider", create_provider},
    {"GetCapacityProvider", get_provider},
    {"UpdateCapacityProvider", update_provider},
    {"DeleteCapacityProvider", delete_provider},
    {"ListCapacityProviders", list_providers},
    {"ListFunctionVersionsByCapacityProvider", list_versions},
};

}  // namespace

std::span<const Operation> capacity_operations() { return kOperations; }

}  // namespace emulator::control_plane
