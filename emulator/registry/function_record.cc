#include "emulator/registry/function_record.h"

#include <charconv>

namespace emulator::registry {

SharedVersion FunctionRecord::version(std::string_view number) const {
  if (number == "$LATEST") return latest;
  if (number == "$LATEST.PUBLISHED") return latest_published;
  std::int64_t value = 0;
  const auto* end = number.data() + number.size();
  const auto [at, error] = std::from_chars(number.data(), end, value);
  if (error != std::errc{} || at != end || number.starts_with('0')) return nullptr;
  const auto found = published.find(value);
  return found == published.end() ? nullptr : found->second;
}

std::vector<SharedVersion> FunctionRecord::versions() const {
  std::vector<SharedVersion> versions;
  if (latest) versions.push_back(latest);
  if (latest_published) versions.push_back(latest_published);
  for (const auto& [_, version] : published) versions.push_back(version);
  return versions;
}

std::vector<std::string> FunctionRecord::packages() const {
  std::vector<std::string> packages;
  for (const auto& version : versions()) {
    const auto& code = version->code;
    if (!code.sha256_hex.empty()) packages.push_back(code.sha256_hex);
    packages.insert(packages.end(), code.layer_packages.begin(), code.layer_packages.end());
  }
  return packages;
}

}  // namespace emulator::registry
