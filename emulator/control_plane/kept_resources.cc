#include "emulator/control_plane/kept_resources.h"

#include "emulator/control_plane/function_names.h"

#include <nlohmann/json.hpp>

namespace emulator::control_plane {
namespace {

using registry::ResourceKind;

tl::expected<KeptResource, ServiceError> find_kept(ResourceKind kind,
                                                   std::string_view key,
                                                   const ServiceWorld& world,
                                                   const std::string& refusal) {
  auto text = world.registry.resource(kind, key);
  if (!text) return tl::unexpected(resource_not_found(refusal));
  return KeptResource{kind, std::string(key), std::move(*text)};
}

}  // namespace

tl::expected<KeptResource, ServiceError> find_mapping(std::string_view uuid,
                                                      const ServiceWorld& world) {
  return find_kept(ResourceKind::event_source_mapping,
                   uuid,
                   world,
                   "The resource you requested does not exist.");
}

tl::expected<KeptResource, ServiceError> find_signing_config(std::string_view arn,
                                                             const ServiceWorld& world) {
  return find_kept(
      ResourceKind::code_signing_config,
      arn,
      world,
      "The Lambda code signing configuration " + std::string(arn) + " can not be found.");
}

tl::expected<KeptResource, ServiceError> find_capacity_provider(std::string_view arn,
                                                                const ServiceWorld& world) {
  return find_kept(ResourceKind::capacity_provider,
                   arn,
                   world,
                   "Capacity provider not found: " + std::string(arn));
}

Document members_of(const std::string& text) {
  auto members = Document::parse(text, nullptr, false);
  return members.is_object() ? members : Document::object();
}

tl::expected<void, ServiceError> keep_resource(const KeptResource& resource,
                                               const Document& entry,
                                               ServiceWorld& world) {
  const auto kept =
      world.registry.put_resource(resource.kind, resource.key, resource.text, entry.dump());
  if (!kept) return tl::unexpected(from_registry(kept.error(), resource.key));
  return {};
}

}  // namespace emulator::control_plane
