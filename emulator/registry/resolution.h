// Which version a caller means.
//
// Pure; any thread.
#pragma once

#include "emulator/registry/function_record.h"

#include <tl/expected.hpp>

#include <functional>
#include <optional>
#include <string>

namespace emulator::registry {

struct Resolution {
  SharedVersion version;
  std::string qualifier;         // what was named: $LATEST, a version or an alias
  const Alias* alias = nullptr;  // of the record, if an alias was named
};

// Whether a qualifier is there. `draw` gives a number from 0 to below 1 and is asked only where an
// alias splits between versions. Source of the split: developer guide, "Implement Lambda canary
// deployments using a weighted alias".
std::optional<Resolution> resolve(const FunctionRecord& function,
                                  const std::optional<std::string>& qualifier,
                                  const std::function<double()>& draw);

}  // namespace emulator::registry
