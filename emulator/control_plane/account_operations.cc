#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

namespace emulator::control_plane {
namespace {

constexpr const char* kRecursion = "recursion";
constexpr std::string_view kRuntime = "runtime/";

// ---- Settings of the account.

std::int64_t code_size(const registry::SharedVersion& version) {
  const auto configuration = Document::parse(version->configuration, nullptr, false);
  return configuration.is_object() ? configuration.value("CodeSize", std::int64_t{0}) : 0;
}

// All versions of all functions, and all layers. Source: developer guide, quotas.
std::int64_t total_code_size(const ServiceWorld& world) {
  std::int64_t total = 0;
  for (const auto& function : world.registry.list("", SIZE_MAX)) {
    for (const auto& version : function->versions()) total += code_size(version);
  }
  for (const auto& [_, text] : world.registry.resources(registry::ResourceKind::layer_version)) {
    const auto layer = Document::parse(text, nullptr, false);
    if (layer.is_object()) total += layer.value("zip_bytes", std::int64_t{0});
  }
  return total;
}

// What functions have not taken out of the account's concurrency for themselves.
std::int64_t unreserved(const ServiceWorld& world) {
  auto left = static_cast<std::int64_t>(world.limits.concurrent_executions);
  for (const auto& function : world.registry.list("", SIZE_MAX)) {
    if (function->reserved_concurrency) {
      left -= *function->reserved_concurrency;
      continue;
    }
    for (const auto& [_, provisioned] : function->provisioned) left -= provisioned.requested;
  }
  return std::max<std::int64_t>(left, 0);
}

Answer get_account_settings(const Document&, ServiceWorld& world) {
  return Document{
      {"AccountLimit",
       {{"TotalCodeSize", world.limits.total_code_bytes},
        {"CodeSizeUnzipped", world.limits.unzipped_code_bytes},
        {"CodeSizeZipped", world.limits.zipped_code_bytes},
        {"ConcurrentExecutions", world.limits.concurrent_executions},
        {"UnreservedConcurrentExecutions", unreserved(world)}}},
      {"AccountUsage",
       {{"TotalCodeSize", total_code_size(world)}, {"FunctionCount", world.registry.size()}}}};
}

// ---- What is kept with a function and given back.

tl::expected<void, ServiceError> keep_setting(const registry::SharedFunction& function,
                                              const std::string& setting,
                                              std::string value,
                                              ServiceWorld& world) {
  auto record = *function;
  record.settings[setting] = std::move(value);
  const auto changed = world.registry.replace(function, std::move(record));
  if (!changed) {
    return tl::unexpected(from_registry(changed.error(), arn_of(world, function->name)));
  }
  return {};
}

// Source of the default: developer guide, recursive loop detection.
Answer get_recursion(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto kept = named->record->settings.find(kRecursion);
  const auto answer = kept == named->record->settings.end()
                          ? Document()
                          : Document::parse(kept->second, nullptr, false);
  return answer.is_object() ? answer : Document{{"RecursiveLoop", "Terminate"}};
}

Answer put_recursion(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const Document answer = {{"RecursiveLoop", input.at("RecursiveLoop")}};
  if (auto kept = keep_setting(named->record, kRecursion, answer.dump(), world); !kept) {
    return tl::unexpected(std::move(kept.error()));
  }
  return answer;
}

std::string shown_arn(const NamedQualifier& named, const ServiceWorld& world) {
  return arn_of(world,
                named.record->name,
                named.qualifier == functions::kLatestVersion ? "" : named.qualifier);
}

Answer get_runtime_management(const Document& input, ServiceWorld& world) {
  const auto named = named_qualifier(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto kept = named->record->settings.find(std::string(kRuntime) + named->qualifier);
  auto answer = kept == named->record->settings.end()
                    ? Document()
                    : Document::parse(kept->second, nullptr, false);
  if (!answer.is_object()) answer = {{"UpdateRuntimeOn", "Auto"}};
  answer["FunctionArn"] = shown_arn(*named, world);
  return answer;
}

// Which versions of a runtime there are is the host's business here: the choice is kept and given
// back. Source of what goes together: MODEL; the refusals' texts are ours.
Answer put_runtime_management(const Document& input, ServiceWorld& world) {
  const auto named = named_qualifier(input, world);
  if (!named) return tl::unexpected(named.error());
  const bool manual = input.at("UpdateRuntimeOn") == "Manual";
  if (manual != input.contains("RuntimeVersionArn")) {
    return tl::unexpected(invalid_parameter_value(
        manual ? "RuntimeVersionArn is required when UpdateRuntimeOn is Manual"
               : "RuntimeVersionArn is only allowed when UpdateRuntimeOn is Manual"));
  }
  Document answer = {{"UpdateRuntimeOn", input["UpdateRuntimeOn"]}};
  if (manual) answer["RuntimeVersionArn"] = input["RuntimeVersionArn"];
  auto kept =
      keep_setting(named->record, std::string(kRuntime) + named->qualifier, answer.dump(), world);
  if (!kept) return tl::unexpected(std::move(kept.error()));
  answer["FunctionArn"] = shown_arn(*named, world);
  return answer;
}

constexpr Operation kOperations[] = {
    {"GetAccountSettings", get_account_settings},
    {"GetFunctionRecursionConfig", get_recursion},
    {"PutFunctionRecursionConfig", put_recursion},
    {"GetRuntimeManagementConfig", get_runtime_management},
    {"PutRuntimeManagementConfig", put_runtime_management},
};

}  // namespace

std::span<const Operation> account_operations() { return kOperations; }

}  // namespace emulator::control_plane
