#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/operation.h"
#include "emulator/control_plane/policy_document.h"

#include <nlohmann/json.hpp>

#include <algorithm>

// A policy is kept and given back; that nobody is refused by it is the local machine's nature.
namespace emulator::control_plane {
namespace {

// Whose policy is meant: a function's, or that of one of its versions or aliases.
struct PolicyPlace {
  registry::SharedFunction function;
  std::string setting;  // key in the record's settings
  std::string arn;
  Document policy;       // with its statements; none: an empty one
  std::string revision;  // empty: there is no policy
};

std::string setting_of(const std::string& qualifier) {
  return qualifier.empty() ? "policy" : "policy/" + qualifier;
}

bool is_number(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Source of the texts: recorded.
tl::expected<void, ServiceError> check_qualifier(const registry::FunctionRecord& function,
                                                 const std::string& qualifier,
                                                 const ServiceWorld& world) {
  if (qualifier.empty() || function.aliases.contains(qualifier) || function.version(qualifier)) {
    return {};
  }
  const auto arn = arn_of(world, function.name, qualifier);
  return tl::unexpected(is_number(qualifier) ? function_not_found(arn)
                                             : resource_not_found("Cannot find alias arn: " + arn));
}

tl::expected<PolicyPlace, ServiceError> place_of(const Document& input, const ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto qualifier = named->qualifier.value_or("");
  if (qualifier == functions::kLatestVersion) {
    return tl::unexpected(
        invalid_parameter_value("We currently do not support adding policies for $LATEST."));
  }
  if (auto checked = check_qualifier(*named->record, qualifier, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  PolicyPlace place;
  place.function = named->record;
  place.setting = setting_of(qualifier);
  place.arn = arn_of(world, named->record->name, qualifier);
  place.policy = empty_policy();
  const auto kept = named->record->settings.find(place.setting);
  if (kept == named->record->settings.end()) return place;
  auto json = Document::parse(kept->second, nullptr, false);
  if (!json.is_object() || !json.contains("policy")) return place;
  place.policy = std::move(json["policy"]);
  place.revision = json.value("revision", "");
  return place;
}

tl::expected<void, ServiceError> check_revision(const Document& input, const PolicyPlace& place) {
  if (!input.contains("RevisionId") || input["RevisionId"] == place.revision) return {};
  return tl::unexpected(revision_mismatch("GetPolicy"));
}

// The new revision.
tl::expected<std::string, ServiceError> keep(const PolicyPlace& place,
                                             const Document& policy,
                                             ServiceWorld& world) {
  if (auto checked = check_policy_size(policy); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  auto revision = world.new_uuid();
  auto record = *place.function;
  record.settings[place.setting] = Document{{"revision", revision}, {"policy", policy}}.dump();
  const auto changed = world.registry.replace(place.function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), place.arn));
  return revision;
}

tl::expected<void, ServiceError> forget(const PolicyPlace& place, ServiceWorld& world) {
  auto record = *place.function;
  record.settings.erase(place.setting);
  const auto changed = world.registry.replace(place.function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), place.arn));
  return {};
}

auto find_statement(Document& policy, const std::string& sid) {
  auto& statements = policy["Statement"];
  return std::find_if(statements.begin(), statements.end(), [&](const auto& statement) {
    const auto found = statement.find("Sid");
    return found != statement.end() && *found == sid;
  });
}

// Source of the text: recorded.
Answer add_permission(const Document& input, ServiceWorld& world) {
  auto place = place_of(input, world);
  if (!place) return tl::unexpected(std::move(place.error()));
  if (auto checked = check_revision(input, *place); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto sid = input.value("StatementId", "");
  if (find_statement(place->policy, sid) != place->policy["Statement"].end()) {
    return tl::unexpected(
        resource_conflict("The statement id (" + sid +
                          ") provided already exists. Please provide a new statement id, or remove "
                          "the existing statement."));
  }
  const auto statement = statement_of(input, place->arn);
  if (!statement) return tl::unexpected(statement.error());
  auto policy = place->policy;
  policy["Statement"].push_back(*statement);
  if (const auto kept = keep(*place, policy, world); !kept) return tl::unexpected(kept.error());
  return Document{{"Statement", statement->dump()}};
}

// Source of the texts: recorded.
Answer remove_permission(const Document& input, ServiceWorld& world) {
  auto place = place_of(input, world);
  if (!place) return tl::unexpected(std::move(place.error()));
  if (place->revision.empty()) {
    return tl::unexpected(resource_not_found("No policy is associated with the given resource."));
  }
  const auto sid = input.value("StatementId", "");
  auto policy = place->policy;
  const auto statement = find_statement(policy, sid);
  if (statement == policy["Statement"].end()) {
    return tl::unexpected(
        resource_not_found("Statement " + sid + " is not found in resource policy."));
  }
  if (auto checked = check_revision(input, *place); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  policy["Statement"].erase(statement);
  if (policy["Statement"].empty()) {
    if (auto gone = forget(*place, world); !gone) return tl::unexpected(std::move(gone.error()));
    return Document::object();
  }
  if (const auto kept = keep(*place, policy, world); !kept) return tl::unexpected(kept.error());
  return Document::object();
}

ServiceError no_policy() {
  return resource_not_found("The resource you requested does not exist.");
}

Answer get_policy(const Document& input, ServiceWorld& world) {
  const auto place = place_of(input, world);
  if (!place) return tl::unexpected(place.error());
  if (place->revision.empty()) return tl::unexpected(no_policy());
  return Document{{"Policy", place->policy.dump()}, {"RevisionId", place->revision}};
}

// ---- The same policies as a whole, by the ARN of what they are about. Source: MODEL; texts as
// above, unverified for these operations.

tl::expected<PolicyPlace, ServiceError> place_of_resource(const Document& input,
                                                          const ServiceWorld& world) {
  const auto arn = input.value("ResourceArn", "");
  // A runtime of the account's own, which there is none of.
  if (arn.find(":function:") == std::string::npos) return tl::unexpected(no_policy());
  return place_of({{"FunctionName", arn}}, world);
}

Answer put_resource_policy(const Document& input, ServiceWorld& world) {
  const auto place = place_of_resource(input, world);
  if (!place) return tl::unexpected(place.error());
  if (auto checked = check_revision(input, *place); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto policy = policy_from(input.value("Policy", ""));
  if (!policy) return tl::unexpected(policy.error());
  const auto revision = keep(*place, *policy, world);
  if (!revision) return tl::unexpected(revision.error());
  return Document{{"Policy", policy->dump()}, {"RevisionId", *revision}};
}

Answer get_resource_policy(const Document& input, ServiceWorld& world) {
  const auto place = place_of_resource(input, world);
  if (!place) return tl::unexpected(place.error());
  if (place->revision.empty()) return tl::unexpected(no_policy());
  return Document{{"Policy", place->policy.dump()}, {"RevisionId", place->revision}};
}

Answer delete_resource_policy(const Document& input, ServiceWorld& world) {
  const auto place = place_of_resource(input, world);
  if (!place) return tl::unexpected(place.error());
  if (place->revision.empty()) return tl::unexpected(no_policy());
  if (auto checked = check_revision(input, *place); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  if (auto gone = forget(*place, world); !gone) return tl::unexpected(std::move(gone.error()));
  return Document::object();
}

constexpr Operation kOperations[] = {
    {"AddPermission", add_permission},
    {"RemovePermission", remove_permission},
    {"GetPolicy", get_policy},
    {"PutResourcePolicy", put_resource_policy},
    {"GetResourcePolicy", get_resource_policy},
    {"DeleteResourcePolicy", delete_resource_policy},
};

}  // namespace

std::span<const Operation> policy_operations() { return kOperations; }

}  // namespace emulator::control_plane
