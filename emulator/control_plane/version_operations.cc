#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/operation.h"
#include "emulator/control_plane/version_publishing.h"
#include "emulator/control_plane/version_state.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::control_plane {
namespace {

using registry::Alias;

// ---- Versions.

Answer publish_version(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  if (auto checked = check_publish_to(input, configuration_of(*named->record->latest)); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  PublishTerms terms;
  terms.to = publish_to(input);
  if (input.contains("Description")) terms.description = input["Description"];
  terms.code_sha256 = input.value("CodeSha256", "");
  terms.revision_id = input.value("RevisionId", "");
  auto published = with_new_version(*named->record, terms, world);
  if (!published) return tl::unexpected(std::move(published.error()));
  if (!published->is_new) return shown_configuration(*published->version, world);
  auto answer = configuration_of(*published->version);
  const auto kept = world.registry.replace(named->record, std::move(published->record));
  if (!kept) return tl::unexpected(from_registry(kept.error(), named->record->name));
  // What it needs is on its way, however quickly it may have come meanwhile.
  if (is_made_ready(answer)) {
    return with_version_state(std::move(answer),
                              {{.state = environment::VersionStatus::State::pending}});
  }
  return answer;
}

// $LATEST first, then the oldest. Source: recorded; the place of $LATEST.PUBLISHED is INF.
Answer list_versions(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  auto versions = versions_after(*named->record, page->after);
  const bool more = versions.size() > page->limit;
  if (more) versions.resize(page->limit);
  Document answer = {{"Versions", Document::array()}};
  for (const auto& version : versions) {
    answer["Versions"].push_back(listed_version(*version, world));
  }
  if (more) answer["NextMarker"] = marker_after(versions.back()->number);
  return answer;
}

// ---- Aliases.

Document shown(const Alias& alias, std::string_view function, const ServiceWorld& world) {
  Document answer = {{"AliasArn", arn_of(world, function, alias.name)},
                     {"Name", alias.name},
                     {"FunctionVersion", alias.version},
                     {"Description", alias.description}};
  if (!alias.weights.empty()) {
    answer["RoutingConfig"] = {{"AdditionalVersionWeights", alias.weights}};
  }
  answer["RevisionId"] = alias.revision_id;
  return answer;
}

// Source of the texts: recorded.
tl::expected<void, ServiceError> check_weights(const Alias& alias,
                                               const registry::FunctionRecord& function,
                                               const ServiceWorld& world) {
  if (alias.weights.empty()) return {};
  if (alias.weights.size() > 1) {
    return tl::unexpected(
        invalid_parameter_value("Number of items in AdditionalVersionWeights cannot be greater "
                                "than 1"));
  }
  const auto& [version, weight] = *alias.weights.begin();
  if (alias.version == functions::kLatestVersion || version == functions::kLatestVersion) {
    return tl::unexpected(invalid_parameter_value_untyped(
        "$LATEST is not supported for an alias pointing to more than 1 version"));
  }
  if (version == alias.version) {
    return tl::unexpected(invalid_parameter_value("Invalid function version " + version +
                                                  ". Function version " + version +
                                                  " is already included in routing "
                                                  "configuration."));
  }
  if (!function.version(version)) {
    return tl::unexpected(function_not_found(arn_of(world, function.name, version)));
  }
  return {};
}

tl::expected<void, ServiceError> check_alias(const Alias& alias,
                                             const registry::FunctionRecord& function,
                                             const ServiceWorld& world) {
  // That an alias cannot take its provisioned concurrency to $LATEST is inferred from what is
  // recorded of $LATEST itself.
  if (alias.version == functions::kLatestVersion && function.provisioned.contains(alias.name)) {
    return tl::unexpected(invalid_parameter_value(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."));
  }
  if (!function.version(alias.version)) {
    return tl::unexpected(function_not_found(arn_of(world, function.name, alias.version)));
  }
  return check_weights(alias, function, world);
}

void take_over(const Document& input, Alias& alias) {
  if (input.contains("FunctionVersion")) alias.version = input["FunctionVersion"];
  if (input.contains("Description")) alias.description = input["Description"];
  if (const auto routing = input.find("RoutingConfig"); routing != input.end()) {
    alias.weights.clear();
    const auto weights = routing->value("AdditionalVersionWeights", Document::object());
    for (const auto& [version, weight] : weights.items()) {
      alias.weights[version] = weight.get<double>();
    }
  }
}

Answer kept(Alias alias, const registry::SharedFunction& function, ServiceWorld& world) {
  if (auto checked = check_alias(alias, *function, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  alias.revision_id = world.new_uuid();
  auto answer = shown(alias, function->name, world);
  auto record = *function;
  const auto name = alias.name;
  record.aliases[name] = std::move(alias);
  const auto changed = world.registry.replace(function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), function->name));
  return answer;
}

Answer create_alias(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  Alias alias;
  alias.name = input.at("Name");
  if (named->record->aliases.contains(alias.name)) {
    return tl::unexpected(resource_conflict("Alias already exists: " +
                                            arn_of(world, named->record->name, alias.name)));
  }
  take_over(input, alias);
  return kept(std::move(alias), named->record, world);
}

struct NamedAlias {
  registry::SharedFunction function;
  const Alias* alias;
};

// Source of the text: recorded.
tl::expected<NamedAlias, ServiceError> named_alias(const Document& input,
                                                   const ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const std::string name = input.at("Name");
  const auto found = named->record->aliases.find(name);
  if (found == named->record->aliases.end()) {
    return tl::unexpected(
        resource_not_found("Cannot find alias arn: " + arn_of(world, named->record->name, name)));
  }
  return NamedAlias{named->record, &found->second};
}

Answer update_alias(const Document& input, ServiceWorld& world) {
  const auto named = named_alias(input, world);
  if (!named) return tl::unexpected(named.error());
  if (input.contains("RevisionId") && input["RevisionId"] != named->alias->revision_id) {
    return tl::unexpected(revision_mismatch("GetFunction/GetAlias"));
  }
  auto alias = *named->alias;
  take_over(input, alias);
  return kept(std::move(alias), named->function, world);
}

Answer get_alias(const Document& input, ServiceWorld& world) {
  const auto named = named_alias(input, world);
  if (!named) return tl::unexpected(named.error());
  return shown(*named->alias, named->function->name, world);
}

// An alias that is not there is gone already. Source: recorded.
Answer delete_alias(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const std::string name = input.at("Name");
  if (!named->record->aliases.contains(name)) return Document::object();
  auto record = *named->record;
  record.aliases.erase(name);
  forget_qualifier(name, record);
  const auto changed = world.registry.replace(named->record, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), named->record->name));
  return Document::object();
}

Answer list_aliases(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  const auto wanted = input.value("FunctionVersion", "");
  Document answer = {{"Aliases", Document::array()}};
  std::string last;
  for (auto at = named->record->aliases.upper_bound(page->after);
       at != named->record->aliases.end();
       ++at) {
    const auto& alias = at->second;
    if (!wanted.empty() && alias.version != wanted && !alias.weights.contains(wanted)) continue;
    if (answer["Aliases"].size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    answer["Aliases"].push_back(shown(alias, named->record->name, world));
    last = alias.name;
  }
  return answer;
}

constexpr Operation kOperations[] = {
    {"PublishVersion", publish_version},
    {"ListVersionsByFunction", list_versions},
    {"CreateAlias", create_alias},
    {"UpdateAlias", update_alias},
    {"GetAlias", get_alias},
    {"DeleteAlias", delete_alias},
    {"ListAliases", list_aliases},
};

}  // namespace

std::span<const Operation> version_operations() { return kOperations; }

}  // namespace emulator::control_plane
