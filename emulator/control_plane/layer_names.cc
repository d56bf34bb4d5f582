#include "emulator/control_plane/layer_names.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>

namespace emulator::control_plane {
namespace {

constexpr std::string_view kMarker = ":layer:";

}  // namespace

std::optional<LayerVersionName> parse_layer_version_arn(std::string_view arn) {
  const auto at = arn.find(kMarker);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = arn.substr(at + kMarker.size());
  const auto colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  LayerVersionName name;
  // arn:PARTITION:lambda:REGION:ACCOUNT
  const auto owner = arn.substr(0, at);
  const auto account = owner.rfind(':');
  if (account == std::string_view::npos) return std::nullopt;
  name.account = owner.substr(account + 1);
  name.region = owner.substr(0, account);
  name.region.erase(0, name.region.rfind(':') + 1);
  name.layer = rest.substr(0, colon);
  const auto number = rest.substr(colon + 1);
  const auto* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, name.version);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return name;
}

std::optional<std::string> parse_layer_name(std::string_view text) {
  const auto at = text.find(kMarker);
  if (at != std::string_view::npos) text.remove_prefix(at + kMarker.size());
  if (text.empty() || text.find(':') != std::string_view::npos) return std::nullopt;
  return std::string(text);
}

std::string layer_arn(const ServiceWorld& world, std::string_view layer) {
  auto arn = functions::function_arn(world.region, world.account, layer);
  return arn.replace(arn.find(":function:"), std::string_view(":function:").size(), kMarker);
}

std::string layer_key(std::string_view layer, std::int64_t version) {
  char number[24];
  std::snprintf(number, sizeof(number), "#%019lld", static_cast<long long>(version));
  return std::string(layer) + number;
}

std::unique_ptr<LayerVersion> find_layer_version(const ServiceWorld& world,
                                                 std::string_view layer,
                                                 std::int64_t version) {
  const auto text =
      world.registry.resource(registry::ResourceKind::layer_version, layer_key(layer, version));
  if (!text) return nullptr;
  const auto json = Document::parse(*text, nullptr, false);
  if (!json.is_object()) return nullptr;
  auto found = std::make_unique<LayerVersion>();
  found->package = json.value("package", "");
  found->zip_bytes = json.value("zip_bytes", std::int64_t{0});
  found->unzipped_bytes = json.value("unzipped_bytes", std::int64_t{0});
  found->deleted = json.value("deleted", false);
  return found;
}

}  // namespace emulator::control_plane
