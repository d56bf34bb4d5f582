#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

#include <algorithm>

// Function URLs: their configuration. Source of members and texts: recorded.
namespace emulator::control_plane {
namespace {

constexpr std::string_view kSetting = "url";

// Characters of the part of a URL that names the function. Source: recorded.
constexpr std::size_t kUrlIdLength = 32;

std::string setting_of(const std::string& qualifier) {
  return qualifier.empty() ? std::string(kSetting) : std::string(kSetting) + "/" + qualifier;
}

// "2026-01-13T08:09:10.123Z"
std::string iso_time(registry::WallTime time) {
  auto text = service_time(time);
  return text.replace(text.find('+'), std::string::npos, "Z");
}

// Lower-case letters and digits, as a UUID has.
std::string url_of(const ServiceWorld& world) {
  std::string id;
  while (id.size() < kUrlIdLength) {
    for (const char c : world.new_uuid()) {
      if (c != '-') id.push_back(c);
    }
  }
  id.resize(kUrlIdLength);
  return "https://" + id + ".lambda-url." + world.region + ".on.aws/";
}

// A function's own URL, or that of an alias.
struct UrlPlace {
  registry::SharedFunction function;
  std::string qualifier;
  std::string arn;
  std::string setting;
  Document config;  // as kept; empty: there is none
};

ServiceError no_function() { return resource_not_found("Function does not exist"); }

ServiceError no_config() {
  return resource_not_found("The resource you requested does not exist.");
}

tl::expected<UrlPlace, ServiceError> place_of(const Document& input, const ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) {
    return tl::unexpected(named.error().status == 404 ? no_function() : named.error());
  }
  UrlPlace place;
  place.function = named->record;
  place.qualifier = named->qualifier.value_or("");
  if (!place.qualifier.empty() && !place.function->aliases.contains(place.qualifier)) {
    return tl::unexpected(no_function());
  }
  place.arn = arn_of(world, place.function->name, place.qualifier);
  place.setting = setting_of(place.qualifier);
  place.config = Document::object();
  const auto kept = place.function->settings.find(place.setting);
  if (kept == place.function->settings.end()) return place;
  auto config = Document::parse(kept->second, nullptr, false);
  if (config.is_object()) place.config = std::move(config);
  return place;
}

// One that has a configuration.
tl::expected<UrlPlace, ServiceError> existing_place(const Document& input,
                                                    const ServiceWorld& world) {
  auto place = place_of(input, world);
  if (place && place->config.empty()) return tl::unexpected(no_config());
  return place;
}

Answer keep(const UrlPlace& place, Document config, ServiceWorld& world) {
  auto record = *place.function;
  record.settings[place.setting] = config.dump();
  const auto changed = world.registry.replace(place.function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), place.arn));
  return config;
}

// An empty Cors takes away what there was.
void take_over(const Document& input, Document& config) {
  for (const auto* member : {"AuthType", "InvokeMode", "Cors"}) {
    if (const auto given = input.find(member); given != input.end()) config[member] = *given;
  }
  if (config.contains("Cors") && config["Cors"].empty()) config.erase("Cors");
}

Answer create_url(const Document& input, ServiceWorld& world) {
  const auto place = place_of(input, world);
  if (!place) return tl::unexpected(place.error());
  if (!place->config.empty()) {
    return tl::unexpected(
        resource_conflict("Failed to create function url config for [functionArn = " + place->arn +
                          "]. Error message:  FunctionUrlConfig exists for this Lambda function"));
  }
  if (isolates_tenants(configuration_of(*place->function->latest))) {
    return tl::unexpected(not_with_tenants("A function URL"));
  }
  const auto now = iso_time(world.clock.wall_now());
  Document config = {{"FunctionUrl", url_of(world)},
                     {"FunctionArn", place->arn},
                     {"AuthType", ""},
                     {"CreationTime", now},
                     {"LastModifiedTime", now},
                     {"InvokeMode", "BUFFERED"}};
  take_over(input, config);
  auto kept = keep(*place, std::move(config), world);
  if (kept) kept->erase("LastModifiedTime");
  return kept;
}

Answer get_url(const Document& input, ServiceWorld& world) {
  const auto place = existing_place(input, world);
  if (!place) return tl::unexpected(place.error());
  return place->config;
}

Answer update_url(const Document& input, ServiceWorld& world) {
  const auto place = existing_place(input, world);
  if (!place) return tl::unexpected(place.error());
  auto config = place->config;
  take_over(input, config);
  config["LastModifiedTime"] = iso_time(world.clock.wall_now());
  return keep(*place, std::move(config), world);
}

Answer delete_url(const Document& input, ServiceWorld& world) {
  const auto place = existing_place(input, world);
  if (!place) return tl::unexpected(place.error());
  auto record = *place->function;
  record.settings.erase(place->setting);
  const auto changed = world.registry.replace(place->function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), place->arn));
  return Document::object();
}

Answer list_urls(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) {
    return tl::unexpected(named.error().status == 404 ? no_function() : named.error());
  }
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"FunctionUrlConfigs", Document::array()}};
  const auto& settings = named->record->settings;
  std::string last;
  for (auto at = settings.upper_bound(page->after); at != settings.end(); ++at) {
    if (at->first != kSetting && !at->first.starts_with(std::string(kSetting) + "/")) continue;
    if (answer["FunctionUrlConfigs"].size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    auto config = Document::parse(at->second, nullptr, false);
    if (config.is_object()) answer["FunctionUrlConfigs"].push_back(std::move(config));
    last = at->first;
  }
  return answer;
}

constexpr Operation kOperations[] = {
    {"CreateFunctionUrlConfig", create_url},
    {"GetFunctionUrlConfig", get_url},
    {"UpdateFunctionUrlConfig", update_url},
    {"DeleteFunctionUrlConfig", delete_url},
    {"ListFunctionUrlConfigs", list_urls},
};

}  // namespace

std::span<const Operation> url_operations() { return kOperations; }

}  // namespace emulator::control_plane
