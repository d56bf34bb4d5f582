// Makes a published version of $LATEST: the next number, or $LATEST.PUBLISHED.
#pragma once

#include "emulator/control_plane/operation.h"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <vector>

namespace emulator::control_plane {

struct PublishTerms {
  enum class To { next_number, latest_published };
  To to = To::next_number;
  std::optional<std::string> description{};  // absent: $LATEST's
  std::string code_sha256{};                 // that $LATEST must still have; empty: any
  std::string revision_id{};
};

// A function with a new version of its $LATEST.
struct Published {
  registry::FunctionRecord record;
  registry::SharedVersion version;         // of the record
  std::vector<functions::CodeHold> holds;  // of copied code, until the registry names it
  bool is_new = true;
};

// Where the member PublishTo says.
PublishTerms::To publish_to(const Document& input);

// Unchanged if nothing has changed since the newest version was published. The code of a folder is
// copied, for a published version never changes. Source: developer guide, "Manage Lambda function
// versions"; texts recorded. Any thread.
tl::expected<Published, ServiceError> with_new_version(registry::FunctionRecord record,
                                                       const PublishTerms& terms,
                                                       const ServiceWorld& world);

// $LATEST.PUBLISHED of a function that is described and not made through the API: its code stays
// where it is, and what is changed there is run. Our choice.
registry::SharedVersion published_in_place(const registry::FunctionVersion& latest,
                                           const ServiceWorld& world);

}  // namespace emulator::control_plane
