#include "emulator/control_plane/event_source.h"

#include "emulator/invoke/json_syntax.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace emulator::control_plane {
namespace {

using Checked = tl::expected<void, ServiceError>;

ServiceError refused(std::string message) { return invalid_parameter_value(std::move(message)); }

std::string_view name_of(EventSource source) {
  switch (source) {
    case EventSource::queue:
    case EventSource::fifo_queue:
      return "SQS";
    case EventSource::data_stream:
      return "Kinesis";
    case EventSource::table_stream:
      return "DynamoDB";
    case EventSource::managed_kafka:
      return "MSK";
    case EventSource::own_kafka:
      return "self-managed Kafka";
    case EventSource::broker:
      return "MQ";
    case EventSource::document_database:
      return "DocumentDB";
  }
  return {};
}

bool is_queue(EventSource source) {
  return source == EventSource::queue || source == EventSource::fifo_queue;
}

bool has_position(EventSource source) { return !is_queue(source) && source != EventSource::broker; }

std::string_view part(std::string_view arn, int number) {
  for (; number > 0; --number) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn.substr(0, arn.find(':'));
}

// A filter is an object whose leaves are lists of what may be there.
bool is_filter_pattern(const Document& pattern) {
  if (!pattern.is_object() || pattern.empty()) return false;
  return std::all_of(pattern.begin(), pattern.end(), [](const auto& value) {
    return value.is_array() ? !value.empty() : is_filter_pattern(value);
  });
}

bool is_filter(const Document& filter) {
  const auto text = filter.value("Pattern", "");
  if (invoke::find_json_fault(text)) return false;
  return is_filter_pattern(Document::parse(text, nullptr, false));
}

// Source of the number's text: ours.
Checked check_filters(const Document& members) {
  const auto filters =
      members.value("FilterCriteria", Document::object()).value("Filters", Document::array());
  if (filters.size() > kMaxFilters) {
    return tl::unexpected(refused("An event source mapping has at most " +
                                  std::to_string(kMaxFilters) + " filters; " +
                                  std::to_string(filters.size()) + " were given"));
  }
  if (std::all_of(filters.begin(), filters.end(), is_filter)) return {};
  return tl::unexpected(refused("Invalid filter pattern definition."));
}

// Source of which member goes with what: MODEL, the members' descriptions. Source of the text:
// recorded for StartingPosition of a queue; that others read the same is inferred.
Checked check_members(EventSource source, const Document& members) {
  constexpr std::array kOfStreams = {"ParallelizationFactor", "TumblingWindowInSeconds"};
  constexpr std::array kOfRecords = {
      "BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts"};
  const bool kafka = source == EventSource::managed_kafka || source == EventSource::own_kafka;
  const auto check = [&](const char* member, bool allowed) -> Checked {
    if (allowed || !members.contains(member)) return {};
    return tl::unexpected(refused(std::string(member) + " is not valid for " +
                                  std::string(name_of(source)) + " event sources."));
  };
  for (const auto* member : kOfStreams) {
    if (auto checked = check(member, is_sharded(source)); !checked) return checked;
  }
  for (const auto* member : kOfRecords) {
    if (auto checked = check(member, is_sharded(source) || kafka); !checked) return checked;
  }
  if (auto checked = check("ScalingConfig", is_queue(source)); !checked) return checked;
  if (auto checked = check("Topics", kafka); !checked) return checked;
  return check("Queues", source == EventSource::broker);
}

Checked check_batch(EventSource source, const Document& members) {
  const auto size = members.value("BatchSize", 0);
  const auto window = members.value("MaximumBatchingWindowInSeconds", 0);
  if (source == EventSource::fifo_queue && window > 0) {
    return tl::unexpected(refused("Batching window is not supported for FIFO queues"));
  }
  // Source of the text: ours.
  if (source == EventSource::fifo_queue && size > kMaxFifoBatch) {
    return tl::unexpected(refused("Batch size must be at most " + std::to_string(kMaxFifoBatch) +
                                  " for FIFO queues"));
  }
  if (source == EventSource::queue && size > kMaxFifoBatch && window == 0) {
    return tl::unexpected(
        refused("Maximum batch window in seconds must be greater than 0 if maximum batch size is "
                "greater than 10"));
  }
  return {};
}

}  // namespace

bool is_sharded(EventSource source) {
  return source == EventSource::data_stream || source == EventSource::table_stream;
}

std::optional<EventSource> event_source_of(const Document& input) {
  const auto arn = input.value("EventSourceArn", "");
  if (arn.empty()) {
    return input.contains("SelfManagedEventSource") ? std::optional(EventSource::own_kafka)
                                                    : std::nullopt;
  }
  const auto service = part(arn, 2);
  if (service == "sqs") {
    return arn.ends_with(".fifo") ? EventSource::fifo_queue : EventSource::queue;
  }
  if (service == "kinesis") return EventSource::data_stream;
  if (service == "dynamodb") return EventSource::table_stream;
  if (service == "kafka") return EventSource::managed_kafka;
  if (service == "mq") return EventSource::broker;
  if (service == "rds") return EventSource::document_database;
  return std::nullopt;
}

Document mapping_defaults(EventSource source) {
  Document defaults = {{"BatchSize", is_queue(source) ? 10 : 100}};
  if (is_queue(source) || is_sharded(source)) {
    defaults["MaximumBatchingWindowInSeconds"] = 0;
    defaults["FunctionResponseTypes"] = Document::array();
  }
  if (is_sharded(source)) {
    defaults["BisectBatchOnFunctionError"] = false;
    defaults["DestinationConfig"] = {{"OnFailure", Document::object()}};
    defaults["MaximumRecordAgeInSeconds"] = -1;
    defaults["MaximumRetryAttempts"] = -1;
    defaults["ParallelizationFactor"] = 1;
    defaults["TumblingWindowInSeconds"] = 0;
    defaults["LastProcessingResult"] = "No records processed";
  }
  return defaults;
}

Checked check_mapping(EventSource source, const Document& members) {
  if (auto checked = check_members(source, members); !checked) return checked;
  if (auto checked = check_batch(source, members); !checked) return checked;
  return check_filters(members);
}

Checked check_starting_position(EventSource source, const Document& input) {
  const auto position = input.value("StartingPosition", "");
  const bool has_timestamp = input.contains("StartingPositionTimestamp");
  if (!has_position(source)) {
    if (position.empty() && !has_timestamp) return {};
    return tl::unexpected(refused("StartingPosition is not valid for " +
                                  std::string(name_of(source)) + " event sources."));
  }
  if (position.empty()) {
    return tl::unexpected(
        refused("1 validation error detected: Value null at 'startingPosition' failed to satisfy "
                "constraint: Member must not be null."));
  }
  if (has_timestamp && position != "AT_TIMESTAMP") {
    return tl::unexpected(refused("Timestamp only valid with StartingPosition AT_TIMESTAMP"));
  }
  if (position == "AT_TIMESTAMP" && source == EventSource::table_stream) {
    return tl::unexpected(refused("Unsupported starting position for arn type: " +
                                  input.value("EventSourceArn", "")));
  }
  return {};
}

}  // namespace emulator::control_plane
