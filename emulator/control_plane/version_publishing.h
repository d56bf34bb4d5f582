// Makes a published version of $LATEST.
#pragma once

#include "emulator/control_plane/operation.h"

#include <optional>
#include <string>

namespace emulator::control_plane {

struct PublishTerms {
  std::optional<std::string> description{};  // absent: $LATEST's
  std::string code_sha256{};                 // that $LATEST must still have; empty: any
  std::string revision_id{};
};

// The new version's configuration; that of the newest version if nothing has changed since it was
// published. The code of a folder is copied, for a published version never changes.
// Source: developer guide, "Manage Lambda function versions"; texts recorded. Any thread.
Answer publish(const registry::SharedFunction& function,
               const PublishTerms& terms,
               ServiceWorld& world);

}  // namespace emulator::control_plane
