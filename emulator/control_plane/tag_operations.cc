#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/kept_resources.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

#include <map>

namespace emulator::control_plane {
namespace {

// Source: AWS Lambda developer guide, tags.
constexpr std::size_t kMaxTags = 50;

using Tags = std::map<std::string, std::string>;
using Change = std::function<void(Tags&)>;

tl::expected<void, ServiceError> check(const Tags& tags) {
  if (tags.size() <= kMaxTags) return {};
  // Source: recorded.
  return tl::unexpected(invalid_parameter_value("Number of tags exceeds resource tag limit."));
}

// What a tagged ARN is of: "function", "event-source-mapping" …
std::string_view kind_of(std::string_view arn) {
  for (int part = 0; part < 5; ++part)
    arn.remove_prefix(std::min(arn.find(':'), arn.size() - 1) + 1);
  return arn.substr(0, arn.find(':'));
}

// ---- Functions.

// Source of the text: recorded.
tl::expected<registry::SharedFunction, ServiceError> tagged_function(const std::string& arn,
                                                                     const ServiceWorld& world) {
  const auto named = named_function({{"FunctionName", arn}}, world);
  if (!named) return tl::unexpected(named.error());
  if (named->qualifier) {
    return tl::unexpected(
        invalid_parameter_value("Tags on function aliases and versions are not supported. Please "
                                "specify a function ARN."));
  }
  return named->record;
}

tl::expected<void, ServiceError> change_function(const std::string& arn,
                                                 ServiceWorld& world,
                                                 const Change& change) {
  const auto function = tagged_function(arn, world);
  if (!function) return tl::unexpected(function.error());
  auto record = **function;
  change(record.tags);
  if (auto checked = check(record.tags); !checked) return checked;
  const auto changed = world.registry.replace(*function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), arn));
  return {};
}

// ---- Resources that are kept as texts.

tl::expected<KeptResource, ServiceError> tagged_resource(const std::string& arn,
                                                         std::string_view kind,
                                                         const ServiceWorld& world) {
  if (kind == "event-source-mapping") {
    return find_mapping(arn.substr(arn.rfind(':') + 1), world);
  }
  if (kind == "code-signing-config") return find_signing_config(arn, world);
  if (kind == "capacity-provider") return find_capacity_provider(arn, world);
  return tl::unexpected(resource_not_found("The resource you requested does not exist."));
}

Tags tags_of(const KeptResource& resource) {
  return members_of(resource.text).value("tags", Tags{});
}

tl::expected<void, ServiceError> change_resource(const std::string& arn,
                                                 ServiceWorld& world,
                                                 const Change& change) {
  auto resource = tagged_resource(arn, kind_of(arn), world);
  if (!resource) return tl::unexpected(std::move(resource.error()));
  auto tags = tags_of(*resource);
  change(tags);
  if (auto checked = check(tags); !checked) return checked;
  auto entry = members_of(resource->text);
  entry["tags"] = tags;
  return keep_resource(*resource, entry, world);
}

// ---- Operations.

Answer changed(const Document& input, ServiceWorld& world, const Change& change) {
  const auto arn = input.value("Resource", "");
  auto done = kind_of(arn) == "function" ? change_function(arn, world, change)
                                         : change_resource(arn, world, change);
  if (!done) return tl::unexpected(std::move(done.error()));
  return Document::object();
}

Answer tag_resource(const Document& input, ServiceWorld& world) {
  return changed(input, world, [&](Tags& tags) {
    for (const auto& [key, value] : input.at("Tags").items()) tags[key] = value.get<std::string>();
  });
}

Answer untag_resource(const Document& input, ServiceWorld& world) {
  return changed(input, world, [&](Tags& tags) {
    for (const auto& key : input.at("TagKeys")) tags.erase(key.get<std::string>());
  });
}

Answer list_tags(const Document& input, ServiceWorld& world) {
  const auto arn = input.value("Resource", "");
  if (kind_of(arn) == "function") {
    const auto function = tagged_function(arn, world);
    if (!function) return tl::unexpected(function.error());
    return Document{{"Tags", (*function)->tags}};
  }
  const auto resource = tagged_resource(arn, kind_of(arn), world);
  if (!resource) return tl::unexpected(resource.error());
  return Document{{"Tags", tags_of(*resource)}};
}

constexpr Operation kOperations[] = {
    {"TagResource", tag_resource},
    {"UntagResource", untag_resource},
    {"ListTags", list_tags},
};

}  // namespace

std::span<const Operation> tag_operations() { return kOperations; }

}  // namespace emulator::control_plane
