#include "emulator/control_plane/code_input.h"
#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/layer_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/operation.h"
#include "emulator/control_plane/version_publishing.h"
#include "emulator/functions/base64.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::control_plane {
namespace {

// Source: recorded; the model allows MaxItems up to 10,000, the service gives 50 at a time.
constexpr std::size_t kFunctionsOnAPage = 50;

// The qualifier that the caller used; empty: none.
std::string named_by(const Document& input) {
  if (input.contains("Qualifier")) return input["Qualifier"];
  const auto reference = functions::parse_function_reference(input.value("FunctionName", ""));
  return reference ? reference->qualifier.value_or("") : "";
}

std::int64_t unzipped_bytes_of_layers(const Document& configuration, const ServiceWorld& world) {
  std::int64_t sum = 0;
  for (const auto& entry : configuration.value("Layers", Document::array())) {
    const auto named = parse_layer_version_arn(entry.value("Arn", ""));
    if (!named) continue;
    if (const auto layer = find_layer_version(world, named->layer, named->version)) {
      sum += layer->unzipped_bytes;
    }
  }
  return sum;
}

tl::expected<std::int64_t, ServiceError> room_beside_layers(const Document& configuration,
                                                            const ServiceWorld& world) {
  const auto left =
      world.limits.unzipped_code_bytes - unzipped_bytes_of_layers(configuration, world);
  if (left > 0) return left;
  // Source: recorded; the text is that of one package.
  return tl::unexpected(
      invalid_parameter_value("Function code combined with layers exceeds the maximum allowed size "
                              "of " +
                              std::to_string(world.limits.unzipped_code_bytes) + " bytes."));
}

void describe_code(const AcceptedCode& code, Document& configuration) {
  configuration["CodeSize"] = code.zip_bytes;
  configuration["CodeSha256"] = code.sha256_base64;
}

// A function that this host cannot run is made all the same, as one that failed; its state says
// why.
void judge(registry::FunctionVersion& version, Document& configuration, const ServiceWorld& world) {
  configuration["State"] = is_managed(configuration) ? kNotInvocable : "Active";
  configuration.erase("StateReason");
  configuration.erase("StateReasonCode");
  version.configuration = configuration.dump();
  if (!world.unrunnable) return;
  const auto reason = world.unrunnable(version);
  if (!reason) return;
  configuration["State"] = "Failed";
  configuration["StateReason"] = *reason;
  configuration["StateReasonCode"] = "InvalidRuntime";
  version.configuration = configuration.dump();
}

// The bare name of a function that is to be made. Source of the text: recorded.
tl::expected<std::string, ServiceError> new_name(const Document& input, const ServiceWorld& world) {
  const auto reference = functions::parse_function_reference(input.value("FunctionName", ""));
  if (!reference || reference->qualifier) {
    return tl::unexpected(
        invalid_parameter_value("The function name of a new function has no qualifier; give the "
                                "bare name"));
  }
  if (auto checked = check_place(*reference, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  if (reference->name.size() > functions::kMaxFunctionNameLength) {
    return tl::unexpected(invalid_parameter_value(
        "1 validation error detected: Value '" + reference->name +
        "' at 'functionName' failed to satisfy constraint: Member must have length less than or "
        "equal to " +
        std::to_string(functions::kMaxFunctionNameLength)));
  }
  if (world.registry.find(reference->name)) {
    return tl::unexpected(function_exists(reference->name));
  }
  return reference->name;
}

// Source of the text: recorded.
tl::expected<void, ServiceError> check_package(const Document& input) {
  if (input.value("PackageType", "Zip") != "Zip") return {};
  if (input.contains("Runtime") && input.contains("Handler")) return {};
  return tl::unexpected(invalid_parameter_value(
      "Runtime and Handler are mandatory parameters for functions created with deployment "
      "packages."));
}

// A new version with the change itself, if that was asked for: both or neither.
tl::expected<std::optional<Published>, ServiceError> published_with(
    const registry::FunctionRecord& record, const Document& input, const ServiceWorld& world) {
  if (auto checked = check_publish_to(input, configuration_of(*record.latest)); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  if (!input.value("Publish", false)) return std::nullopt;
  auto published = with_new_version(record, {.to = publish_to(input)}, world);
  if (!published) return tl::unexpected(std::move(published.error()));
  return std::optional(std::move(*published));
}

Answer create_function(const Document& input, ServiceWorld& world) {
  const auto name = new_name(input, world);
  if (!name) return tl::unexpected(name.error());
  auto configuration = default_configuration(*name, world);
  if (input.contains("Architectures")) configuration["Architectures"] = input["Architectures"];
  if (auto applied = apply_configuration(input, world, configuration); !applied) {
    return tl::unexpected(std::move(applied.error()));
  }
  if (auto checked = check_package(input); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto room = room_beside_layers(configuration, world);
  if (!room) return tl::unexpected(room.error());
  const auto code = accept_code(input.at("Code"), world, *room);
  if (!code) return tl::unexpected(code.error());
  describe_code(*code, configuration);
  touch(world, configuration);

  registry::FunctionVersion latest;
  latest.function_name = *name;
  latest.code = code->source;
  judge(latest, configuration, world);
  registry::FunctionRecord record;
  record.name = *name;
  record.latest = std::make_shared<const registry::FunctionVersion>(std::move(latest));
  if (const auto signing = input.value("CodeSigningConfigArn", ""); !signing.empty()) {
    record.settings["code_signing"] = signing;
  }
  record.tags = input.value("Tags", record.tags);
  auto published = published_with(record, input, world);
  if (!published) return tl::unexpected(std::move(published.error()));
  const auto created = world.registry.create(*published ? (*published)->record : record);
  if (!created) return tl::unexpected(from_registry(created.error(), *name));
  if (!*published) return shown_as_pending(std::move(configuration), world);
  // Source of the ARN without a number: recorded.
  auto answer = configuration_of(*(*published)->version);
  answer["FunctionArn"] = arn_of(world, *name);
  return shown_as_pending(std::move(answer), world);
}

// What a $LATEST that was changed is answered with.
Answer replaced_latest(const registry::SharedFunction& base,
                       registry::FunctionVersion latest,
                       Document configuration,
                       const Document& input,
                       ServiceWorld& world) {
  touch(world, configuration);
  judge(latest, configuration, world);
  auto record = *base;
  record.latest = std::make_shared<const registry::FunctionVersion>(std::move(latest));
  auto published = published_with(record, input, world);
  if (!published) return tl::unexpected(std::move(published.error()));
  const auto changed = world.registry.replace(base, *published ? (*published)->record : record);
  if (!changed) return tl::unexpected(from_registry(changed.error(), base->name));
  if (!*published) return shown_as_updating(std::move(configuration), world);
  // What is answered is the new version, on its way. Source: recorded.
  return shown_as_pending(configuration_of(*(*published)->version), world);
}

// Updates are of $LATEST, whatever qualifier a caller may think of.
tl::expected<registry::SharedFunction, ServiceError> function_to_change(const Document& input,
                                                                        const ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  return named->record;
}

Answer update_function_code(const Document& input, ServiceWorld& world) {
  const auto base = function_to_change(input, world);
  if (!base) return tl::unexpected(base.error());
  auto configuration = configuration_of(*(*base)->latest);
  if (auto checked = check_revision(input, configuration); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto room = room_beside_layers(configuration, world);
  if (!room) return tl::unexpected(room.error());
  const auto code = accept_code(input, world, *room);
  if (!code) return tl::unexpected(code.error());
  describe_code(*code, configuration);
  if (input.contains("Architectures")) configuration["Architectures"] = input["Architectures"];
  if (input.value("DryRun", false)) return configuration;
  auto latest = *(*base)->latest;
  auto layers = std::move(latest.code.layers);
  latest.code = code->source;
  latest.code.layers = std::move(layers);
  return replaced_latest(*base, std::move(latest), std::move(configuration), input, world);
}

Answer update_function_configuration(const Document& input, ServiceWorld& world) {
  const auto base = function_to_change(input, world);
  if (!base) return tl::unexpected(base.error());
  auto configuration = configuration_of(*(*base)->latest);
  if (auto checked = check_revision(input, configuration); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  if (auto applied = apply_configuration(input, world, configuration); !applied) {
    return tl::unexpected(std::move(applied.error()));
  }
  return replaced_latest(*base, *(*base)->latest, std::move(configuration), input, world);
}

// Where a package can be fetched: from Hearth itself. A folder is where it is.
std::string code_location(const registry::CodeSource& code, const ServiceWorld& world) {
  if (code.sha256_hex.empty()) return "file://" + code.folder.string();
  return world.endpoint + "/_hearth/code/" + code.sha256_hex + ".zip";
}

Answer get_function(const Document& input, ServiceWorld& world) {
  const auto named = named_qualifier(input, world);
  if (!named) return tl::unexpected(named.error());
  auto configuration = shown_configuration(*named->version, world);
  if (!named_by(input).empty()) {
    configuration["FunctionArn"] = arn_of(world, named->record->name, named->qualifier);
  }
  Document answer;
  answer["Configuration"] = std::move(configuration);
  answer["Code"] = {{"RepositoryType", "S3"},
                    {"Location", code_location(named->version->code, world)}};
  if (!named->record->tags.empty()) answer["Tags"] = named->record->tags;
  if (named->record->reserved_concurrency) {
    answer["Concurrency"] = {
        {"ReservedConcurrentExecutions", *named->record->reserved_concurrency}};
  }
  return answer;
}

Answer get_function_configuration(const Document& input, ServiceWorld& world) {
  auto whole = get_function(input, world);
  if (!whole) return whole;
  return std::move((*whole)["Configuration"]);
}

// Functions, or with FunctionVersion=ALL every version of each. A marker names the last function,
// and then the last version.
class FunctionList {
 public:
  FunctionList(const Page& page, const ServiceWorld& world) : page_(page), world_(world) {}

  Document functions() {
    for (const auto& function : world_.registry.list(page_.after, limit() + 1)) {
      if (!has_room()) break;
      add(listed_configuration(*function->latest), function->name);
    }
    return std::move(answer_);
  }

  Document versions() {
    const auto colon = page_.after.find(':');
    const auto name = page_.after.substr(0, colon);
    if (const auto begun = world_.registry.find(name); begun && colon != std::string::npos) {
      add_versions(*begun, page_.after.substr(colon + 1));
    }
    for (const auto& function : world_.registry.list(name, limit() + 1)) {
      if (!has_room()) break;
      add_versions(*function, {});
    }
    return std::move(answer_);
  }

 private:
  std::size_t limit() const { return std::min(page_.limit, kFunctionsOnAPage); }

  // Whether a further one has room; where it has not, there is more behind the last one.
  bool has_room() {
    if (answer_["Functions"].size() < limit()) return true;
    answer_["NextMarker"] = marker_after(last_);
    return false;
  }

  void add(Document configuration, std::string key) {
    answer_["Functions"].push_back(std::move(configuration));
    last_ = std::move(key);
  }

  void add_versions(const registry::FunctionRecord& function, std::string_view after) {
    for (const auto& version : versions_after(function, after)) {
      if (!has_room()) return;
      add(listed_version(*version, world_), function.name + ":" + version->number);
    }
  }

  const Page& page_;
  const ServiceWorld& world_;
  Document answer_ = {{"Functions", Document::array()}};
  std::string last_;
};

Answer list_functions(const Document& input, ServiceWorld& world) {
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  FunctionList list(*page, world);
  return input.value("FunctionVersion", "") == "ALL" ? list.versions() : list.functions();
}

// Source of the texts: recorded.
tl::expected<void, ServiceError> check_version_can_go(const registry::FunctionRecord& record,
                                                      const std::string& qualifier) {
  if (record.aliases.contains(qualifier)) {
    return tl::unexpected(
        invalid_parameter_value("Deletion of aliases is not currently supported."));
  }
  std::string users;
  for (const auto& [name, alias] : record.aliases) {
    if (alias.version != qualifier && !alias.weights.contains(qualifier)) continue;
    users.append(users.empty() ? "" : ", ").append(name);
  }
  if (users.empty()) return {};
  return tl::unexpected(resource_conflict(
      "Unable to delete version because the following aliases reference it: [" + users + "]"));
}

Answer delete_version(const NamedFunction& named, ServiceWorld& world) {
  const auto& qualifier = *named.qualifier;
  if (auto checked = check_version_can_go(*named.record, qualifier); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  auto record = *named.record;
  const auto version = record.version(qualifier);
  // What is not there is gone already. Source: recorded.
  if (!version) return Document::object();
  if (version == record.latest_published) {
    record.latest_published = nullptr;
  } else {
    record.published.erase(std::stoll(version->number));
  }
  forget_qualifier(qualifier, record);
  const auto changed = world.registry.replace(named.record, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), named.record->name));
  return Document::object();
}

Answer delete_function(const Document& input, ServiceWorld& world) {
  // Looked at before the function is: recorded.
  if (named_by(input) == functions::kLatestVersion) {
    return tl::unexpected(invalid_parameter_value(
        "$LATEST version cannot be deleted without deleting the function."));
  }
  const auto named = named_function(input, world);
  if (!named && named.error().status == 404 && !named_by(input).empty()) {
    // The text names the function without the qualifier. Source: recorded.
    auto whole = input;
    whole.erase("Qualifier");
    const auto reference = functions::parse_function_reference(input.value("FunctionName", ""));
    if (reference && reference->qualifier) whole["FunctionName"] = reference->name;
    const auto again = named_function(whole, world);
    if (!again) return tl::unexpected(again.error());
  }
  if (!named) return tl::unexpected(named.error());
  if (named->qualifier) return delete_version(*named, world);
  const auto removed = world.registry.remove(named->record);
  if (!removed) return tl::unexpected(from_registry(removed.error(), named->record->name));
  return Document::object();
}

constexpr Operation kOperations[] = {
    {"CreateFunction", create_function},
    {"GetFunction", get_function},
    {"GetFunctionConfiguration", get_function_configuration},
    {"UpdateFunctionCode", update_function_code},
    {"UpdateFunctionConfiguration", update_function_configuration},
    {"DeleteFunction", delete_function},
    {"ListFunctions", list_functions},
};

}  // namespace

std::span<const Operation> function_operations() { return kOperations; }

}  // namespace emulator::control_plane
