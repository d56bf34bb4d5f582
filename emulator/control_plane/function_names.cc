#include "emulator/control_plane/function_names.h"

#include "emulator/functions/base64.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace emulator::control_plane {
namespace {

constexpr std::string_view kLatest = functions::kLatestVersion;

// Source of the text: REC for an update under way.
ServiceError changed_meanwhile(std::string_view resource) {
  auto error = resource_conflict(
      "The operation cannot be performed at this time. An update is in progress for resource: " +
      std::string(resource));
  error.overtaken = true;
  return error;
}

}  // namespace

tl::expected<void, ServiceError> check_place(const functions::FunctionReference& reference,
                                             const ServiceWorld& world) {
  if (reference.region && *reference.region != world.region) {
    return tl::unexpected(other_region(*reference.region, world.region));
  }
  if (reference.account && *reference.account != world.account) {
    return tl::unexpected(other_account(*reference.account, world.account));
  }
  return {};
}

tl::expected<NamedFunction, ServiceError> named_function(const Document& input,
                                                         const ServiceWorld& world) {
  const auto text = input.value("FunctionName", "");
  const auto reference = functions::parse_function_reference(text);
  // What the model's pattern allows and no function can be called: "a.b", "us-east-1:f".
  if (!reference) return tl::unexpected(function_not_found(arn_of(world, text)));
  if (auto checked = check_place(*reference, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  NamedFunction named;
  named.qualifier = reference->qualifier;
  if (const auto given = input.find("Qualifier"); given != input.end()) {
    if (named.qualifier && *named.qualifier != *given) {
      return tl::unexpected(invalid_parameter_value(
          "The derived qualifier from the function name does not match the specified qualifier."));
    }
    named.qualifier = given->get<std::string>();
  }
  named.record = world.registry.find(reference->name);
  if (!named.record) {
    return tl::unexpected(
        function_not_found(arn_of(world, reference->name, named.qualifier.value_or(""))));
  }
  return named;
}

tl::expected<NamedQualifier, ServiceError> named_qualifier(const Document& input,
                                                           const ServiceWorld& world) {
  auto named = named_function(input, world);
  if (!named) return tl::unexpected(std::move(named.error()));
  NamedQualifier found;
  found.record = named->record;
  found.qualifier = named->qualifier.value_or(std::string(kLatest));
  const auto alias = found.record->aliases.find(found.qualifier);
  found.version = found.record->version(
      alias == found.record->aliases.end() ? found.qualifier : alias->second.version);
  if (!found.version) {
    return tl::unexpected(function_not_found(arn_of(world, found.record->name, found.qualifier)));
  }
  return found;
}

std::vector<registry::SharedVersion> versions_after(const registry::FunctionRecord& function,
                                                    std::string_view number) {
  // Numbers sort behind both names.
  const auto rank = [](std::string_view one) -> std::int64_t {
    if (one.empty()) return -3;
    if (one == functions::kLatestVersion) return -2;
    if (one == functions::kLatestPublished) return -1;
    return std::strtoll(std::string(one).c_str(), nullptr, 10);
  };
  auto versions = function.versions();
  std::erase_if(versions,
                [&](const auto& version) { return rank(version->number) <= rank(number); });
  return versions;
}

void forget_qualifier(const std::string& qualifier, registry::FunctionRecord& record) {
  record.provisioned.erase(qualifier);
  record.event_invoke.erase(qualifier);
  record.scaling.erase(qualifier);
  std::erase_if(record.settings,
                [&](const auto& setting) { return setting.first.ends_with("/" + qualifier); });
}

std::string arn_of(const ServiceWorld& world,
                   std::string_view function,
                   std::string_view qualifier) {
  if (qualifier.empty()) return functions::function_arn(world.region, world.account, function);
  return functions::function_arn(world.region, world.account, function, qualifier);
}

std::string arn_of_kind(const ServiceWorld& world, std::string_view kind, std::string_view id) {
  constexpr std::string_view kFunction = ":function:";
  auto arn = arn_of(world, id);
  return arn.replace(arn.find(kFunction), kFunction.size(), ":" + std::string(kind) + ":");
}

std::string service_time(registry::WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char date[32];
  std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
  char text[48];
  std::snprintf(text, sizeof(text), "%s.%03d+0000", date, static_cast<int>(milliseconds));
  return text;
}

double epoch_seconds(registry::WallTime time) {
  const auto milliseconds =
      std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return static_cast<double>(milliseconds) / 1000.0;
}

ServiceError from_registry(const registry::RegistryError& error, std::string_view resource) {
  switch (error.kind) {
    case registry::RegistryError::Kind::exists:
      return resource_conflict(error.message);
    case registry::RegistryError::Kind::changed:
      return changed_meanwhile(resource);
    case registry::RegistryError::Kind::store:
      break;
  }
  return service_exception(error.message);
}

tl::expected<Page, ServiceError> page_of(const Document& input) {
  Page page;
  if (const auto items = input.find("MaxItems"); items != input.end()) {
    page.limit = items->get<std::size_t>();
  }
  const auto marker = input.value("Marker", "");
  if (marker.empty()) return page;
  auto key = functions::base64_decoded(marker);
  // Only what marker_after gives comes back as it is.
  if (!key || key->empty() || marker_after(*key) != marker) {
    return tl::unexpected(invalid_parameter_value(
        "Marker is not one that a list of this API gave; send the NextMarker of the last answer"));
  }
  page.after = std::move(*key);
  return page;
}

std::string marker_after(std::string_view key) { return functions::base64_encoded(key); }

}  // namespace emulator::control_plane
