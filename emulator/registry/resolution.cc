#include "emulator/registry/resolution.h"

namespace emulator::registry {
namespace {

// The part of each further version in turn; what is left belongs to the alias's own.
std::string_view chosen_version(const Alias& alias, const std::function<double()>& draw) {
  if (alias.weights.empty()) return alias.version;
  double left = draw();
  for (const auto& [version, weight] : alias.weights) {
    if (left < weight) return version;
    left -= weight;
  }
  return alias.version;
}

}  // namespace

std::optional<Resolution> resolve(const FunctionRecord& function,
                                  const std::optional<std::string>& qualifier,
                                  const std::function<double()>& draw) {
  Resolution resolution;
  // Source of the second: developer guide, "$LATEST.PUBLISHED version in Lambda Managed Instances".
  resolution.qualifier =
      qualifier.value_or(function.latest_published ? "$LATEST.PUBLISHED" : "$LATEST");
  if (const auto alias = function.aliases.find(resolution.qualifier);
      alias != function.aliases.end()) {
    resolution.alias = &alias->second;
    resolution.version = function.version(chosen_version(alias->second, draw));
  } else {
    resolution.version = function.version(resolution.qualifier);
  }
  if (!resolution.version) return std::nullopt;
  return resolution;
}

}  // namespace emulator::registry
