#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/operation.h"
#include "emulator/control_plane/snap_start.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::control_plane {
namespace {

using registry::FunctionRecord;

int provisioned_sum(const FunctionRecord& function) {
  int sum = 0;
  for (const auto& [_, config] : function.provisioned) sum += config.requested;
  return sum;
}

// What a function takes out of the account's pool for good.
int carved_out(const FunctionRecord& function) {
  return function.reserved_concurrency.value_or(provisioned_sum(function));
}

// All but what other functions have carved out.
int left_beside(const FunctionRecord& function, const ServiceWorld& world) {
  auto left = static_cast<int>(world.limits.concurrent_executions);
  for (const auto& other : world.registry.list("", SIZE_MAX)) {
    if (other->name != function.name) left -= carved_out(*other);
  }
  return left;
}

Answer changed(const registry::SharedFunction& base,
               FunctionRecord record,
               Document answer,
               ServiceWorld& world) {
  const auto kept = world.registry.replace(base, std::move(record));
  if (!kept) return tl::unexpected(from_registry(kept.error(), base->name));
  return answer;
}

// ---- Reserved.

// Source of the texts: recorded.
ServiceError below_minimum(std::string_view what, const ServiceWorld& world) {
  return invalid_parameter_value_untyped(
      "Specified " + std::string(what) +
      " for function decreases account's UnreservedConcurrentExecution below its minimum value "
      "of [" +
      std::to_string(world.limits.unreserved_minimum) + "].");
}

// Reserved concurrency is a function's, whatever its version. Source of the texts: recorded.
tl::expected<registry::SharedFunction, ServiceError> whole_function(const Document& input,
                                                                    const ServiceWorld& world) {
  const auto reference = functions::parse_function_reference(input.value("FunctionName", ""));
  if (reference && reference->qualifier) {
    return tl::unexpected(invalid_parameter_value(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support "
        "this operation. Please specify either a function name or an unqualified function ARN."));
  }
  auto named = named_function(input, world);
  if (!named) return tl::unexpected(std::move(named.error()));
  return std::move(named->record);
}

Answer put_reserved(const Document& input, ServiceWorld& world) {
  const std::lock_guard one_at_a_time(world.concurrency_changes);
  const auto function = whole_function(input, world);
  if (!function) return tl::unexpected(function.error());
  const int wanted = input.at("ReservedConcurrentExecutions").get<int>();
  const auto minimum = static_cast<int>(world.limits.unreserved_minimum);
  if (left_beside(**function, world) - wanted < minimum) {
    return tl::unexpected(below_minimum("ReservedConcurrentExecutions", world));
  }
  // Unverified: the text is not recorded.
  if (wanted < provisioned_sum(**function)) {
    return tl::unexpected(invalid_parameter_value(
        "ReservedConcurrentExecutions " + std::to_string(wanted) +
        " should not be lower than function's total provisioned concurrency [" +
        std::to_string(provisioned_sum(**function)) + "]."));
  }
  auto record = **function;
  record.reserved_concurrency = wanted;
  return changed(*function, std::move(record), {{"ReservedConcurrentExecutions", wanted}}, world);
}

Answer get_reserved(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  if (!named->record->reserved_concurrency) return Document::object();
  return Document{{"ReservedConcurrentExecutions", *named->record->reserved_concurrency}};
}

Answer delete_reserved(const Document& input, ServiceWorld& world) {
  const std::lock_guard one_at_a_time(world.concurrency_changes);
  const auto function = whole_function(input, world);
  if (!function) return tl::unexpected(function.error());
  auto record = **function;
  record.reserved_concurrency.reset();
  return changed(*function, std::move(record), Document::object(), world);
}

// ---- Provisioned.

Document shown(const registry::ProvisionedConcurrency& config, const ProvisionedState& state) {
  Document answer = {{"RequestedProvisionedConcurrentExecutions", config.requested},
                     {"AvailableProvisionedConcurrentExecutions", state.available},
                     {"AllocatedProvisionedConcurrentExecutions", state.allocated}};
  switch (state.status) {
    case ProvisionedState::Status::in_progress:
      answer["Status"] = "IN_PROGRESS";
      break;
    case ProvisionedState::Status::ready:
      answer["Status"] = "READY";
      break;
    case ProvisionedState::Status::failed:
      answer["Status"] = "FAILED";
      answer["StatusReason"] = state.reason;
      break;
  }
  answer["LastModified"] = service_time(config.last_modified);
  return answer;
}

ProvisionedState state_of(const ServiceWorld& world,
                          const std::string& function,
                          const std::string& qualifier) {
  return world.provisioned_state ? world.provisioned_state(function, qualifier)
                                 : ProvisionedState{};
}

// What provisioned concurrency can be of. Source of the texts: recorded.
tl::expected<NamedQualifier, ServiceError> alias_or_version(const Document& input,
                                                            const ServiceWorld& world,
                                                            std::string_view refusal_of_latest) {
  auto named = named_function(input, world);
  if (named && named->qualifier.value_or("$LATEST") == functions::kLatestVersion) {
    return tl::unexpected(invalid_parameter_value(std::string(refusal_of_latest)));
  }
  if (!named) return tl::unexpected(std::move(named.error()));
  const auto& qualifier = *named->qualifier;
  const bool is_number = qualifier.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number && !named->record->aliases.contains(qualifier)) {
    return tl::unexpected(resource_not_found("Cannot find alias arn: " +
                                             arn_of(world, named->record->name, qualifier)));
  }
  return named_qualifier(input, world);
}

constexpr std::string_view kNotOfLatest =
    "The function resource provided must be an alias or a published version.";

// A version cannot have its own where an alias of it has, and the other way round. Source of both
// texts: recorded; that two aliases of one version are refused with the first is unverified.
tl::expected<void, ServiceError> check_one_for_a_version(const NamedQualifier& named) {
  const auto& aliases = named.record->aliases;
  for (const auto& [other, _] : named.record->provisioned) {
    if (other == named.qualifier) continue;
    const auto alias = aliases.find(other);
    const auto& version = alias == aliases.end() ? other : alias->second.version;
    if (version != named.version->number) continue;
    return tl::unexpected(resource_conflict(
        aliases.contains(named.qualifier)
            ? "Alias can't be used for Provisioned Concurrency configuration on an already "
              "Provisioned version"
            : "Version is pointed by a Provisioned Concurrency alias"));
  }
  return {};
}

tl::expected<void, ServiceError> check_amount(const NamedQualifier& named,
                                              int wanted,
                                              const ServiceWorld& world) {
  const auto& record = *named.record;
  const auto own = record.provisioned.find(named.qualifier);
  const int others =
      provisioned_sum(record) - (own == record.provisioned.end() ? 0 : own->second.requested);
  if (record.reserved_concurrency) {
    if (others + wanted <= *record.reserved_concurrency) return {};
    return tl::unexpected(
        invalid_parameter_value("Requested Provisioned Concurrency should not be greater than the "
                                "reservedConcurrentExecution for function"));
  }
  const auto minimum = static_cast<int>(world.limits.unreserved_minimum);
  const int left = left_beside(record, world) - others;
  if (wanted > left) {
    return tl::unexpected(invalid_parameter_value_untyped(
        "Specified ConcurrentExecutions for function is greater than account's unreserved "
        "concurrency [" +
        std::to_string(left) + "]."));
  }
  if (left - wanted >= minimum) return {};
  return tl::unexpected(below_minimum("ConcurrentExecutions", world));
}

Answer put_provisioned(const Document& input, ServiceWorld& world) {
  const std::lock_guard one_at_a_time(world.concurrency_changes);
  const auto named = alias_or_version(
      input,
      world,
      "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
  if (!named) return tl::unexpected(named.error());
  // That an alias of $LATEST is refused in these words too is inferred.
  if (named->version->number == functions::kLatestVersion) {
    return tl::unexpected(invalid_parameter_value(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."));
  }
  if (isolates_tenants(configuration_of(*named->version))) {
    return tl::unexpected(not_with_tenants("Provisioned concurrency"));
  }
  if (uses_snap_start(configuration_of(*named->version))) {
    return tl::unexpected(not_with_snap_start("Provisioned concurrency"));
  }
  if (is_managed(configuration_of(*named->version))) {
    return tl::unexpected(not_on_managed_instances("Provisioned concurrency"));
  }
  const int wanted = input.at("ProvisionedConcurrentExecutions").get<int>();
  if (auto checked = check_one_for_a_version(*named); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  if (auto checked = check_amount(*named, wanted, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const registry::ProvisionedConcurrency config{wanted, world.clock.wall_now()};
  auto record = *named->record;
  record.provisioned[named->qualifier] = config;
  return changed(named->record, std::move(record), shown(config, {}), world);
}

ServiceError no_provisioned() {
  auto error = resource_not_found("No Provisioned Concurrency Config found for this function");
  error.exception = "ProvisionedConcurrencyConfigNotFoundException";
  error.key = MessageKey::lower_case;
  return error;
}

Answer get_provisioned(const Document& input, ServiceWorld& world) {
  const auto named = alias_or_version(input, world, kNotOfLatest);
  if (!named) return tl::unexpected(named.error());
  const auto found = named->record->provisioned.find(named->qualifier);
  if (found == named->record->provisioned.end()) return tl::unexpected(no_provisioned());
  return shown(found->second, state_of(world, named->record->name, named->qualifier));
}

Answer delete_provisioned(const Document& input, ServiceWorld& world) {
  const std::lock_guard one_at_a_time(world.concurrency_changes);
  const auto named = alias_or_version(input, world, kNotOfLatest);
  if (!named) return tl::unexpected(named.error());
  auto record = *named->record;
  record.provisioned.erase(named->qualifier);
  return changed(named->record, std::move(record), Document::object(), world);
}

Answer list_provisioned(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) return tl::unexpected(named.error());
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"ProvisionedConcurrencyConfigs", Document::array()}};
  auto& configs = answer["ProvisionedConcurrencyConfigs"];
  std::string last;
  const auto& all = named->record->provisioned;
  for (auto at = all.upper_bound(page->after); at != all.end(); ++at) {
    if (configs.size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    auto one = shown(at->second, state_of(world, named->record->name, at->first));
    one["FunctionArn"] = arn_of(world, named->record->name, at->first);
    configs.push_back(std::move(one));
    last = at->first;
  }
  return answer;
}

constexpr Operation kOperations[] = {
    {"PutFunctionConcurrency", put_reserved},
    {"GetFunctionConcurrency", get_reserved},
    {"DeleteFunctionConcurrency", delete_reserved},
    {"PutProvisionedConcurrencyConfig", put_provisioned},
    {"GetProvisionedConcurrencyConfig", get_provisioned},
    {"DeleteProvisionedConcurrencyConfig", delete_provisioned},
    {"ListProvisionedConcurrencyConfigs", list_provisioned},
};

}  // namespace

std::span<const Operation> concurrency_operations() { return kOperations; }

}  // namespace emulator::control_plane
