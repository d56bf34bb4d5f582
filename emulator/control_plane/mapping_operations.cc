#include "emulator/control_plane/event_source.h"
#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/kept_resources.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

#include <array>

// Event source mappings: what they are and the states they go through. Hearth takes them on at
// once, so a state that speaks of a change is only in the answer to the request for it.
// Source of members, states and texts: recorded, unless said otherwise.
namespace emulator::control_plane {
namespace {

using registry::ResourceKind;

// Where the caller says nothing. Source: MODEL.
constexpr std::size_t kMappingsOnAPage = 100;

// Members that are kept as they are given, by both Create and Update.
constexpr std::array kPlainMembers = {"BatchSize",
                                      "FilterCriteria",
                                      "KMSKeyArn",
                                      "MetricsConfig",
                                      "LoggingConfig",
                                      "ScalingConfig",
                                      "MaximumBatchingWindowInSeconds",
                                      "ParallelizationFactor",
                                      "DestinationConfig",
                                      "MaximumRecordAgeInSeconds",
                                      "BisectBatchOnFunctionError",
                                      "MaximumRetryAttempts",
                                      "TumblingWindowInSeconds",
                                      "SourceAccessConfigurations",
                                      "FunctionResponseTypes",
                                      "AmazonManagedKafkaEventSourceConfig",
                                      "SelfManagedKafkaEventSourceConfig",
                                      "DocumentDBEventSourceConfig",
                                      "ProvisionedPollerConfig"};

// Those of Create alone.
constexpr std::array kFixedMembers = {"EventSourceArn",
                                      "StartingPosition",
                                      "StartingPositionTimestamp",
                                      "Topics",
                                      "Queues",
                                      "SelfManagedEventSource"};

template <typename Names>
void take_over(const Document& input, const Names& names, Document& mapping) {
  for (const auto* name : names) {
    if (const auto given = input.find(name); given != input.end()) mapping[name] = *given;
  }
}

// No filters and no settings are shown as none.
void drop_empty(Document& mapping) {
  const auto filters = mapping.find("FilterCriteria");
  if (filters != mapping.end() && filters->value("Filters", Document::array()).empty()) {
    mapping.erase("FilterCriteria");
  }
  if (mapping.contains("ScalingConfig") && mapping["ScalingConfig"].empty()) {
    mapping.erase("ScalingConfig");
  }
}

tl::expected<std::string, ServiceError> function_arn_in(const Document& input,
                                                        const ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) {
    return tl::unexpected(named.error().status == 404
                              ? invalid_parameter_value("Function does not exist")
                              : named.error());
  }
  const auto qualifier = named->qualifier.value_or("");
  if (!qualifier.empty() && !named->record->aliases.contains(qualifier) &&
      !named->record->version(qualifier)) {
    return tl::unexpected(invalid_parameter_value("Function does not exist"));
  }
  // What is read from a source names no tenant.
  if (isolates_tenants(configuration_of(*named->record->latest))) {
    return tl::unexpected(not_with_tenants("An event source mapping"));
  }
  return arn_of(world, named->record->name, qualifier);
}

std::string steady_state(const Document& input) {
  return input.value("Enabled", true) ? "Enabled" : "Disabled";
}

std::string source_name(EventSource source) {
  if (source == EventSource::data_stream) return "Kinesis";
  if (source == EventSource::table_stream) return "DynamoDB";
  return source == EventSource::queue || source == EventSource::fifo_queue ? "SQS" : "the";
}

std::string name_in(const std::string& function_arn) {
  const auto reference = functions::parse_function_reference(function_arn);
  return reference ? reference->name : function_arn;
}

// One source feeds one function once. Source of the text: recorded for SQS.
tl::expected<void, ServiceError> check_unique(EventSource source,
                                              const Document& mapping,
                                              const ServiceWorld& world) {
  const auto arn = mapping.value("EventSourceArn", "");
  if (arn.empty()) return {};
  for (const auto& [uuid, text] : world.registry.resources(ResourceKind::event_source_mapping)) {
    const auto other = members_of(text).value("answer", Document::object());
    if (other.value("EventSourceArn", "") != arn ||
        other.value("FunctionArn", "") != mapping.value("FunctionArn", "") ||
        other.value("Topics", Document()) != mapping.value("Topics", Document()) ||
        other.value("Queues", Document()) != mapping.value("Queues", Document())) {
      continue;
    }
    return tl::unexpected(resource_conflict(
        "An event source mapping with " + source_name(source) + " arn (\" " + arn +
        " \") and function (\" " + name_in(mapping.value("FunctionArn", "")) +
        " \") already exists. Please update or delete the existing mapping with UUID " + uuid));
  }
  return {};
}

Document with_state(Document mapping, const char* state) {
  mapping["State"] = state;
  return mapping;
}

// What is known of a mapping before its identity: everything the caller said, and the defaults.
tl::expected<Document, ServiceError> new_mapping(EventSource source,
                                                 const Document& input,
                                                 const ServiceWorld& world) {
  if (auto checked = check_starting_position(source, input); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto function = function_arn_in(input, world);
  if (!function) return tl::unexpected(function.error());
  auto mapping = mapping_defaults(source);
  take_over(input, kFixedMembers, mapping);
  take_over(input, kPlainMembers, mapping);
  mapping["FunctionArn"] = *function;
  if (auto checked = check_mapping(source, mapping); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  if (auto checked = check_unique(source, mapping, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  drop_empty(mapping);
  return mapping;
}

Answer create_mapping(const Document& input, ServiceWorld& world) {
  const auto source = event_source_of(input);
  if (!source) return tl::unexpected(invalid_parameter_value("Unrecognized event source."));
  const std::lock_guard one_at_a_time(world.mapping_changes);
  auto mapping = new_mapping(*source, input, world);
  if (!mapping) return mapping;
  const auto uuid = world.new_uuid();
  (*mapping)["UUID"] = uuid;
  (*mapping)["EventSourceMappingArn"] = arn_of_kind(world, "event-source-mapping", uuid);
  (*mapping)["LastModified"] = epoch_seconds(world.clock.wall_now());
  (*mapping)["State"] = steady_state(input);
  (*mapping)["StateTransitionReason"] = is_sharded(*source) ? "User action" : "USER_INITIATED";
  const Document entry = {{"answer", *mapping}, {"tags", input.value("Tags", Document::object())}};
  const auto kept = world.registry.put_resource(
      ResourceKind::event_source_mapping, uuid, std::nullopt, entry.dump());
  if (!kept) return tl::unexpected(from_registry(kept.error(), uuid));
  return with_state(std::move(*mapping), "Creating");
}

Document shown(const KeptResource& kept) {
  return members_of(kept.text).value("answer", Document::object());
}

Answer get_mapping(const Document& input, ServiceWorld& world) {
  const auto found = find_mapping(input.value("UUID", ""), world);
  if (!found) return tl::unexpected(found.error());
  return shown(*found);
}

const char* state_of_update(const Document& input, const Document& before) {
  if (!input.contains("Enabled") || steady_state(input) == before.value("State", "")) {
    return "Updating";
  }
  return input["Enabled"].get<bool>() ? "Enabling" : "Disabling";
}

Answer update_mapping(const Document& input, ServiceWorld& world) {
  const auto found = find_mapping(input.value("UUID", ""), world);
  if (!found) return tl::unexpected(found.error());
  auto entry = members_of(found->text);
  const auto before = entry.value("answer", Document::object());
  auto mapping = before;
  take_over(input, kPlainMembers, mapping);
  if (input.contains("FunctionName")) {
    const auto function = function_arn_in(input, world);
    if (!function) return tl::unexpected(function.error());
    mapping["FunctionArn"] = *function;
  }
  const auto source = event_source_of(mapping).value_or(EventSource::own_kafka);
  if (auto checked = check_mapping(source, mapping); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  drop_empty(mapping);
  mapping["LastModified"] = epoch_seconds(world.clock.wall_now());
  if (input.contains("Enabled")) mapping["State"] = steady_state(input);
  entry["answer"] = mapping;
  if (auto kept = keep_resource(*found, entry, world); !kept) {
    return tl::unexpected(std::move(kept.error()));
  }
  return with_state(std::move(mapping), state_of_update(input, before));
}

Answer delete_mapping(const Document& input, ServiceWorld& world) {
  const auto found = find_mapping(input.value("UUID", ""), world);
  if (!found) return tl::unexpected(found.error());
  const auto removed =
      world.registry.remove_resource(ResourceKind::event_source_mapping, found->key);
  if (!removed) return tl::unexpected(from_registry(removed.error(), found->key));
  return with_state(shown(*found), "Deleting");
}

Answer list_mappings(const Document& input, ServiceWorld& world) {
  auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  if (!input.contains("MaxItems")) page->limit = kMappingsOnAPage;
  std::string function;
  if (input.contains("FunctionName")) {
    const auto named = named_function(input, world);
    if (!named) return tl::unexpected(named.error());
    function = arn_of(world, named->record->name, named->qualifier.value_or(""));
  }
  const auto source = input.value("EventSourceArn", "");
  Document answer = {{"EventSourceMappings", Document::array()}};
  std::string last;
  for (const auto& [uuid, text] :
       world.registry.resources(ResourceKind::event_source_mapping, page->after)) {
    auto mapping = members_of(text).value("answer", Document::object());
    if (!source.empty() && mapping.value("EventSourceArn", "") != source) continue;
    if (!function.empty() && mapping.value("FunctionArn", "") != function) continue;
    if (answer["EventSourceMappings"].size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    answer["EventSourceMappings"].push_back(std::move(mapping));
    last = uuid;
  }
  return answer;
}

constexpr Operation kOperations[] = {
    {"CreateEventSourceMapping", create_mapping},
    {"GetEventSourceMapping", get_mapping},
    {"UpdateEventSourceMapping", update_mapping},
    {"DeleteEventSourceMapping", delete_mapping},
    {"ListEventSourceMappings", list_mappings},
};

}  // namespace

std::span<const Operation> mapping_operations() { return kOperations; }

}  // namespace emulator::control_plane
