// Event source mappings, code-signing configurations and capacity providers as the registry keeps
// them: a JSON text of what the API answers, and of what it answers elsewhere.
//
//   {"answer": {…}, "tags": {…}}
//
// Pure but for the registry; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <string>
#include <string_view>

namespace emulator::control_plane {

struct KeptResource {
  registry::ResourceKind kind = registry::ResourceKind::event_source_mapping;
  std::string key;
  std::string text;  // as it was read
};

// By its UUID. Source of the refusal: recorded.
tl::expected<KeptResource, ServiceError> find_mapping(std::string_view uuid,
                                                      const ServiceWorld& world);

// By its ARN. Source of the refusal: recorded.
tl::expected<KeptResource, ServiceError> find_signing_config(std::string_view arn,
                                                             const ServiceWorld& world);

// By its ARN. The text of the refusal is ours.
tl::expected<KeptResource, ServiceError> find_capacity_provider(std::string_view arn,
                                                                const ServiceWorld& world);

// The members of a stored text; an empty object if it has none.
Document members_of(const std::string& text);

// In place of what was read; refused if it was changed meanwhile.
tl::expected<void, ServiceError> keep_resource(const KeptResource& resource,
                                               const Document& entry,
                                               ServiceWorld& world);

}  // namespace emulator::control_plane
