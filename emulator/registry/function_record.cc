#include "emulator/registry/function_record.h"

#include <charconv>

namespace emulator::registry {

SharedVersion FunctionRecord::version(std::string_view number) const {
  if (number == "$LATEST") return latest;
  std::int64_t value = 0;
  const auto* end = number.data() + number.size();
  const auto [at, error] = std::from_chars(number.data(), end, value);
  if (error != std::errc{} || at != end || number.starts_with('0')) return nullptr;
  const auto found = published.find(value);
  return found == published.end() ? nullptr : found->second;
}

std::vector<std::string> FunctionRecord::packages() const {
  std::vector<std::string> packages;
  const auto add = [&](const SharedVersion& version) {
    if (!version) return;
    const auto& code = version->code;
    if (!code.sha256_hex.empty()) packages.push_back(code.sha256_hex);
    packages.insert(packages.end(), code.layer_packages.begin(), code.layer_packages.end());
  };
  add(latest);
  for (const auto& [_, version] : published) add(version);
  return packages;
}

}  // namespace emulator::registry
