// Makes a published version of $LATEST.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <vector>

namespace emulator::control_plane {

struct PublishTerms {
  std::optional<std::string> description{};  // absent: $LATEST's
  std::string code_sha256{};                 // that $LATEST must still have; empty: any
  std::string revision_id{};
};

// A function with a new version of its $LATEST.
struct Published {
  registry::FunctionRecord record;         // the version is its last published one
  std::vector<functions::CodeHold> holds;  // of copied code, until the registry names it
};

// Unchanged if nothing has changed since the newest version was published. The code of a folder is
// copied, for a published version never changes. Source: developer guide, "Manage Lambda function
// versions"; texts recorded. Any thread.
tl::expected<Published, ServiceError> with_new_version(registry::FunctionRecord record,
                                                       const PublishTerms& terms,
                                                       const ServiceWorld& world);

// Of the version that was published last, which must be there still.
Document newest_configuration(const registry::FunctionRecord& record);

}  // namespace emulator::control_plane
