#include "emulator/control_plane/code_input.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/layer_names.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

namespace emulator::control_plane {
namespace {

using registry::ResourceKind;

// A layer's entry in the registry: what the machine needs, the policy, and what the API answers.
Document entry_of(const std::string& text) {
  auto entry = Document::parse(text, nullptr, false);
  return entry.is_object() ? entry : Document::object();
}

Document with_content(const Document& entry, const ServiceWorld& world) {
  auto answer = entry.value("answer", Document::object());
  answer["Content"] = {
      {"Location", world.endpoint + "/_hearth/code/" + entry.value("package", "") + ".zip"},
      {"CodeSha256", entry.value("sha256", "")},
      {"CodeSize", entry.value("zip_bytes", 0)}};
  return answer;
}

tl::expected<std::string, ServiceError> named_layer(const Document& input,
                                                    const ServiceWorld& world) {
  const auto text = input.value("LayerName", "");
  // An ARN with a number behind it has region and account in the same places.
  if (const auto owned = parse_layer_version_arn(text + ":1")) {
    if (owned->region != world.region) {
      return tl::unexpected(other_region(owned->region, world.region));
    }
    if (owned->account != world.account) {
      return tl::unexpected(other_account(owned->account, world.account));
    }
  }
  auto name = parse_layer_name(text);
  if (name) return std::move(*name);
  return tl::unexpected(invalid_parameter_value("LayerName is a name or an ARN without a version"));
}

// Numbers are never given twice, not even after the newest version was deleted.
tl::expected<std::int64_t, ServiceError> take_number(const std::string& layer,
                                                     ServiceWorld& world) {
  while (true) {
    const auto before = world.registry.resource(ResourceKind::layer_counter, layer);
    const auto number = (before ? std::strtoll(before->c_str(), nullptr, 10) : 0) + 1;
    const auto taken = world.registry.put_resource(
        ResourceKind::layer_counter, layer, before, std::to_string(number));
    if (taken) return number;
    // Somebody else took it: each try that fails is one that another won.
    if (taken.error().kind == registry::RegistryError::Kind::store) {
      return tl::unexpected(from_registry(taken.error(), layer));
    }
  }
}

Answer publish_layer_version(const Document& input, ServiceWorld& world) {
  const auto layer = named_layer(input, world);
  if (!layer) return tl::unexpected(layer.error());
  const auto content = accept_code(input.at("Content"), world, world.limits.unzipped_code_bytes);
  if (!content) return tl::unexpected(content.error());
  if (content->source.sha256_hex.empty()) {
    return tl::unexpected(invalid_parameter_value(
        "A layer's version never changes, so its content is a package and not a folder; send it as "
        "ZipFile"));
  }
  const auto number = take_number(*layer, world);
  if (!number) return tl::unexpected(number.error());
  Document answer = {{"LayerArn", layer_arn(world, *layer)},
                     {"LayerVersionArn", layer_arn(world, *layer) + ":" + std::to_string(*number)},
                     {"Description", input.value("Description", "")},
                     {"CreatedDate", service_time(world.clock.wall_now())},
                     {"Version", *number}};
  for (const auto* member : {"CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"}) {
    if (input.contains(member)) answer[member] = input[member];
  }
  const Document entry = {{"package", content->source.sha256_hex},
                          {"sha256", content->sha256_base64},
                          {"zip_bytes", content->zip_bytes},
                          {"unzipped_bytes", content->unzipped_bytes},
                          {"answer", answer}};
  const auto kept = world.registry.put_resource(
      ResourceKind::layer_version, layer_key(*layer, *number), std::nullopt, entry.dump());
  if (!kept) return tl::unexpected(from_registry(kept.error(), *layer));
  return with_content(entry, world);
}

// What is answered where a layer version is not there, given its ARN. Source of both: recorded.
using MissingLayer = std::function<ServiceError(const std::string& arn)>;

ServiceError no_such_layer(const std::string& /*arn*/) {
  return resource_not_found("The resource you requested does not exist.");
}

ServiceError no_layer_of_a_policy(const std::string& arn) {
  return resource_not_found("Layer version " + arn + " does not exist.");
}

struct NamedVersion {
  std::string layer;
  std::int64_t number = 0;
  std::string text;
  Document entry;
};

// `missing`: what is answered where there is no such version.
tl::expected<NamedVersion, ServiceError> named_version(
    const Document& input, const ServiceWorld& world, const MissingLayer& missing = no_such_layer) {
  const auto layer = named_layer(input, world);
  if (!layer) return tl::unexpected(layer.error());
  NamedVersion named;
  named.layer = *layer;
  named.number = input.at("VersionNumber").get<std::int64_t>();
  // Source: recorded.
  if (named.number < 1) {
    return tl::unexpected(invalid_parameter_value("Layer Version Cannot be less than 1"));
  }
  auto text =
      world.registry.resource(ResourceKind::layer_version, layer_key(named.layer, named.number));
  if (!text || entry_of(*text).value("deleted", false)) {
    return tl::unexpected(
        missing(layer_arn(world, named.layer) + ":" + std::to_string(named.number)));
  }
  named.text = std::move(*text);
  named.entry = entry_of(named.text);
  return named;
}

Answer get_layer_version(const Document& input, ServiceWorld& world) {
  const auto named = named_version(input, world);
  if (!named) return tl::unexpected(named.error());
  return with_content(named->entry, world);
}

Answer get_layer_version_by_arn(const Document& input, ServiceWorld& world) {
  const auto arn = input.value("Arn", "");
  const auto name = parse_layer_version_arn(arn);
  if (!name) return tl::unexpected(no_such_layer(arn));
  return get_layer_version(
      {{"LayerName", arn.substr(0, arn.rfind(':'))}, {"VersionNumber", name->version}}, world);
}

// It is only marked, for functions that have it go on. Source: developer guide.
Answer delete_layer_version(const Document& input, ServiceWorld& world) {
  const auto named = named_version(input, world);
  // What is not there is gone already. Source: recorded.
  if (!named && named.error().status == 404) return Document::object();
  if (!named) return tl::unexpected(named.error());
  auto entry = named->entry;
  entry["deleted"] = true;
  const auto kept = world.registry.put_resource(ResourceKind::layer_version,
                                                layer_key(named->layer, named->number),
                                                named->text,
                                                entry.dump());
  if (!kept) return tl::unexpected(from_registry(kept.error(), named->layer));
  return Document::object();
}

bool is_compatible(const Document& answer, const Document& input) {
  const auto has = [&](const char* wanted, const char* list) {
    if (!input.contains(wanted)) return true;
    for (const auto& one : answer.value(list, Document::array())) {
      if (one == input[wanted]) return true;
    }
    return false;
  };
  return has("CompatibleRuntime", "CompatibleRuntimes") &&
         has("CompatibleArchitecture", "CompatibleArchitectures");
}

// The newest first. Source: recorded.
std::vector<Document> versions_of(const std::string& layer,
                                  const Document& input,
                                  const ServiceWorld& world) {
  std::vector<Document> versions;
  const auto stored = world.registry.resources(ResourceKind::layer_version, layer + "#", SIZE_MAX);
  for (const auto& [key, text] : stored) {
    if (!key.starts_with(layer + "#")) break;
    const auto entry = entry_of(text);
    auto answer = entry.value("answer", Document::object());
    if (entry.value("deleted", false) || !is_compatible(answer, input)) continue;
    answer.erase("LayerArn");
    versions.insert(versions.begin(), std::move(answer));
  }
  return versions;
}

Answer list_layer_versions(const Document& input, ServiceWorld& world) {
  const auto layer = named_layer(input, world);
  if (!layer) return tl::unexpected(layer.error());
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"LayerVersions", Document::array()}};
  const auto after = page->after.empty() ? 0 : std::strtoll(page->after.c_str(), nullptr, 10);
  for (auto& version : versions_of(*layer, input, world)) {
    const auto number = version.value("Version", std::int64_t{0});
    if (after != 0 && number >= after) continue;
    if (answer["LayerVersions"].size() == page->limit) {
      answer["NextMarker"] = marker_after(
          std::to_string(answer["LayerVersions"].back().value("Version", std::int64_t{0})));
      break;
    }
    answer["LayerVersions"].push_back(std::move(version));
  }
  return answer;
}

Answer list_layers(const Document& input, ServiceWorld& world) {
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"Layers", Document::array()}};
  std::string last = page->after;
  while (true) {
    // The first version of the next layer: '$' is what follows '#'.
    const auto next = world.registry.resources(
        ResourceKind::layer_version, last.empty() ? std::string() : last + "$", 1);
    if (next.empty()) break;
    const auto layer = next.front().first.substr(0, next.front().first.rfind('#'));
    const auto versions = versions_of(layer, input, world);
    if (!versions.empty()) {
      if (answer["Layers"].size() == page->limit) {
        answer["NextMarker"] = marker_after(last);
        break;
      }
      answer["Layers"].push_back({{"LayerName", layer},
                                  {"LayerArn", layer_arn(world, layer)},
                                  {"LatestMatchingVersion", versions.front()}});
    }
    last = layer;
  }
  return answer;
}

// ---- Who else may use a layer: kept and given back; there is nobody else on this machine.

tl::expected<void, ServiceError> keep_policy(const NamedVersion& named,
                                             Document policy,
                                             ServiceWorld& world) {
  auto entry = named.entry;
  entry["policy"] = std::move(policy);
  entry["policy_revision"] = world.new_uuid();
  const auto kept = world.registry.put_resource(
      ResourceKind::layer_version, layer_key(named.layer, named.number), named.text, entry.dump());
  if (!kept) return tl::unexpected(from_registry(kept.error(), named.layer));
  return {};
}

// A version whose policy the caller may change: it has seen the newest, if it says which it has
// seen.
tl::expected<NamedVersion, ServiceError> policy_to_change(const Document& input,
                                                          const ServiceWorld& world) {
  auto named = named_version(input, world, no_layer_of_a_policy);
  if (!named) return named;
  const auto seen = input.find("RevisionId");
  if (seen == input.end() || *seen == named->entry.value("policy_revision", "")) return named;
  return tl::unexpected(revision_mismatch("GetLayerPolicy"));
}

std::string principal_of(const std::string& principal) {
  return principal == "*" || principal.starts_with("arn:") ? principal
                                                           : "arn:aws:iam::" + principal + ":root";
}

Answer add_layer_version_permission(const Document& input, ServiceWorld& world) {
  const auto named = policy_to_change(input, world);
  if (!named) return tl::unexpected(named.error());
  auto policy = named->entry.value("policy", Document::array());
  const auto sid = input.value("StatementId", "");
  for (const auto& statement : policy) {
    if (statement.value("Sid", "") != sid) continue;
    return tl::unexpected(
        resource_conflict("The statement id (" + sid +
                          ") provided already exists. Please provide a new statement id, "
                          "or remove the existing statement."));
  }
  const auto principal = principal_of(input.value("Principal", ""));
  Document statement = {
      {"Sid", sid},
      {"Effect", "Allow"},
      {"Principal", principal == "*" ? Document("*") : Document{{"AWS", principal}}},
      {"Action", input.value("Action", "")},
      {"Resource", layer_arn(world, named->layer) + ":" + std::to_string(named->number)}};
  if (input.contains("OrganizationId")) {
    statement["Condition"] = {{"StringEquals", {{"aws:PrincipalOrgID", input["OrganizationId"]}}}};
  }
  policy.push_back(statement);
  if (auto kept = keep_policy(*named, std::move(policy), world); !kept) {
    return tl::unexpected(std::move(kept.error()));
  }
  const auto now = named_version(input, world, no_layer_of_a_policy);
  return Document{{"Statement", statement.dump()},
                  {"RevisionId", now ? now->entry.value("policy_revision", "") : ""}};
}

Answer remove_layer_version_permission(const Document& input, ServiceWorld& world) {
  const auto named = policy_to_change(input, world);
  if (!named) return tl::unexpected(named.error());
  auto policy = named->entry.value("policy", Document::array());
  const auto sid = input.value("StatementId", "");
  for (auto at = policy.begin(); at != policy.end(); ++at) {
    if (at->value("Sid", "") != sid) continue;
    policy.erase(at);
    if (auto kept = keep_policy(*named, std::move(policy), world); !kept) {
      return tl::unexpected(std::move(kept.error()));
    }
    return Document::object();
  }
  return tl::unexpected(
      resource_not_found("Statement " + sid + " is not found in resource policy."));
}

Answer get_layer_version_policy(const Document& input, ServiceWorld& world) {
  const auto named = named_version(input, world, no_layer_of_a_policy);
  if (!named) return tl::unexpected(named.error());
  const auto policy = named->entry.value("policy", Document::array());
  if (policy.empty()) {
    return tl::unexpected(resource_not_found("No policy is associated with the given resource."));
  }
  const Document whole = {{"Version", "2012-10-17"}, {"Id", "default"}, {"Statement", policy}};
  return Document{{"Policy", whole.dump()},
                  {"RevisionId", named->entry.value("policy_revision", "")}};
}

constexpr Operation kOperations[] = {
    {"PublishLayerVersion", publish_layer_version},
    {"GetLayerVersion", get_layer_version},
    {"GetLayerVersionByArn", get_layer_version_by_arn},
    {"DeleteLayerVersion", delete_layer_version},
    {"ListLayerVersions", list_layer_versions},
    {"ListLayers", list_layers},
    {"AddLayerVersionPermission", add_layer_version_permission},
    {"RemoveLayerVersionPermission", remove_layer_version_permission},
    {"GetLayerVersionPolicy", get_layer_version_policy},
};

}  // namespace

std::span<const Operation> layer_operations() { return kOperations; }

}  // namespace emulator::control_plane
