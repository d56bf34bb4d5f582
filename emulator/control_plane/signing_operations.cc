#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/kept_resources.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

#include <algorithm>

// Code-signing configurations: kept and given back. No code is refused for its signature, because
// the profiles that signed it are AWS's.
namespace emulator::control_plane {
namespace {

using registry::ResourceKind;

constexpr const char* kSetting = "code_signing";

// Characters behind "csc-". Source: MODEL, CodeSigningConfigArn.
constexpr std::size_t kIdLength = 17;

// Lower-case letters and digits, as the end of a UUID has.
std::string new_id(const ServiceWorld& world) {
  std::string id;
  while (id.size() < kIdLength) {
    for (const char c : world.new_uuid()) {
      if (c != '-') id.push_back(c);
    }
  }
  return "csc-" + id.substr(id.size() - kIdLength);
}

void take_over(const Document& input, Document& config) {
  for (const auto* member : {"Description", "AllowedPublishers", "CodeSigningPolicies"}) {
    if (const auto given = input.find(member); given != input.end()) config[member] = *given;
  }
}

Answer shown(const Document& entry) {
  return Document{{"CodeSigningConfig", entry.value("answer", Document::object())}};
}

// Source of members and of the default policy: recorded.
Answer create_config(const Document& input, ServiceWorld& world) {
  const auto id = new_id(world);
  const auto arn = arn_of_kind(world, "code-signing-config", id);
  Document config = {{"CodeSigningConfigId", id},
                     {"CodeSigningConfigArn", arn},
                     {"Description", ""},
                     {"AllowedPublishers", Document::object()},
                     {"CodeSigningPolicies", {{"UntrustedArtifactOnDeployment", "Warn"}}},
                     {"LastModified", service_time(world.clock.wall_now())}};
  take_over(input, config);
  const Document entry = {{"answer", config}, {"tags", input.value("Tags", Document::object())}};
  const auto kept = world.registry.put_resource(
      ResourceKind::code_signing_config, arn, std::nullopt, entry.dump());
  if (!kept) return tl::unexpected(from_registry(kept.error(), arn));
  return shown(entry);
}

std::string arn_in(const Document& input) { return input.value("CodeSigningConfigArn", ""); }

Answer get_config(const Document& input, ServiceWorld& world) {
  const auto found = find_signing_config(arn_in(input), world);
  if (!found) return tl::unexpected(found.error());
  return shown(members_of(found->text));
}

Answer update_config(const Document& input, ServiceWorld& world) {
  const auto found = find_signing_config(arn_in(input), world);
  if (!found) return tl::unexpected(found.error());
  auto entry = members_of(found->text);
  take_over(input, entry["answer"]);
  entry["answer"]["LastModified"] = service_time(world.clock.wall_now());
  if (auto kept = keep_resource(*found, entry, world); !kept) {
    return tl::unexpected(std::move(kept.error()));
  }
  return shown(entry);
}

std::vector<std::string> users_of(const std::string& arn, const ServiceWorld& world) {
  std::vector<std::string> users;
  for (const auto& function : world.registry.list("", SIZE_MAX)) {
    const auto setting = function->settings.find(kSetting);
    if (setting != function->settings.end() && setting->second == arn) {
      users.push_back(function->name);
    }
  }
  return users;
}

// Source: MODEL for the refusal of one that is in use; its text is ours.
Answer delete_config(const Document& input, ServiceWorld& world) {
  const auto arn = arn_in(input);
  if (const auto found = find_signing_config(arn, world); !found) {
    return tl::unexpected(found.error());
  }
  if (const auto users = users_of(arn, world); !users.empty()) {
    return tl::unexpected(
        resource_conflict("The code signing configuration is used by function " + users.front() +
                          (users.size() > 1 ? " and others" : "") + "; take it from them first"));
  }
  const auto removed = world.registry.remove_resource(ResourceKind::code_signing_config, arn);
  if (!removed) return tl::unexpected(from_registry(removed.error(), arn));
  return Document::object();
}

Answer list_configs(const Document& input, ServiceWorld& world) {
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  auto configs =
      world.registry.resources(ResourceKind::code_signing_config, page->after, page->limit + 1);
  Document answer = {{"CodeSigningConfigs", Document::array()}};
  if (configs.size() > page->limit) {
    configs.pop_back();
    answer["NextMarker"] = marker_after(configs.back().first);
  }
  for (const auto& [_, text] : configs) {
    answer["CodeSigningConfigs"].push_back(members_of(text).value("answer", Document::object()));
  }
  return answer;
}

Answer list_functions(const Document& input, ServiceWorld& world) {
  const auto arn = arn_in(input);
  if (const auto found = find_signing_config(arn, world); !found) {
    return tl::unexpected(found.error());
  }
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"FunctionArns", Document::array()}};
  std::string last;
  for (const auto& name : users_of(arn, world)) {
    if (name <= page->after) continue;
    if (answer["FunctionArns"].size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    answer["FunctionArns"].push_back(arn_of(world, name));
    last = name;
  }
  return answer;
}

// ---- Of a function. Source of the refusal and of the empty answer: recorded.

Answer put_of_function(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto arn = arn_in(input);
  if (!world.registry.resource(ResourceKind::code_signing_config, arn)) {
    auto error = resource_not_found(
        "The code signing configuration cannot be found. Check that the provided code signing "
        "configuration is not deleted: " +
        arn + ".");
    error.exception = "CodeSigningConfigNotFoundException";
    return tl::unexpected(std::move(error));
  }
  auto record = *named->record;
  record.settings[kSetting] = arn;
  const auto changed = world.registry.replace(named->record, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), named->record->name));
  return Document{{"CodeSigningConfigArn", arn}, {"FunctionName", named->record->name}};
}

Answer get_of_function(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto setting = named->record->settings.find(kSetting);
  if (setting == named->record->settings.end()) return Document::object();
  return Document{{"CodeSigningConfigArn", setting->second}, {"FunctionName", named->record->name}};
}

Answer delete_of_function(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  auto record = *named->record;
  record.settings.erase(kSetting);
  const auto changed = world.registry.replace(named->record, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), named->record->name));
  return Document::object();
}

constexpr Operation kOperations[] = {
    {"CreateCodeSigningConfig", create_config},
    {"GetCodeSigningConfig", get_config},
    {"UpdateCodeSigningConfig", update_config},
    {"DeleteCodeSigningConfig", delete_config},
    {"ListCodeSigningConfigs", list_configs},
    {"ListFunctionsByCodeSigningConfig", list_functions},
    {"PutFunctionCodeSigningConfig", put_of_function},
    {"GetFunctionCodeSigningConfig", get_of_function},
    {"DeleteFunctionCodeSigningConfig", delete_of_function},
};

}  // namespace

std::span<const Operation> signing_operations() { return kOperations; }

}  // namespace emulator::control_plane
