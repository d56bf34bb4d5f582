#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/operation.h"

#include <nlohmann/json.hpp>

// How asynchronous invocations are retried and where their ends go. Source of members and texts:
// recorded, unless said otherwise.
namespace emulator::control_plane {
namespace {

using registry::EventInvokeConfig;

struct ConfigPlace {
  registry::SharedFunction function;
  std::string qualifier;
  std::string arn;
};

ServiceError no_function() { return resource_not_found("The function doesn't exist."); }

tl::expected<ConfigPlace, ServiceError> place_of(const Document& input, const ServiceWorld& world) {
  const auto named = named_qualifier(input, world);
  if (!named) {
    return tl::unexpected(named.error().status == 404 ? no_function() : named.error());
  }
  return ConfigPlace{
      named->record, named->qualifier, arn_of(world, named->record->name, named->qualifier)};
}

// ---- Destinations.

enum class End { success, failure };

std::string_view service_of(std::string_view arn) {
  const auto partition = arn.find(':');
  const auto service = arn.find(':', std::min(partition, arn.size() - 1) + 1);
  if (service == std::string_view::npos) return {};
  return arn.substr(service + 1, arn.find(':', service + 1) - service - 1);
}

// Source of the kinds: developer guide, destinations: standard queues and topics, event buses,
// functions; buckets for failures only.
bool is_possible(std::string_view arn, End end) {
  const auto service = service_of(arn);
  if (service == "lambda" || service == "events") return true;
  if (service == "sqs" || service == "sns") return !arn.ends_with(".fifo");
  return service == "s3" && end == End::failure;
}

tl::expected<void, ServiceError> check_function_target(const std::string& arn,
                                                       const ConfigPlace& place,
                                                       const ServiceWorld& world) {
  const auto reference = functions::parse_function_reference(arn);
  if (!reference || !world.registry.find(reference->name)) {
    return tl::unexpected(invalid_parameter_value("The destination ARN " + arn + " is invalid."));
  }
  if (reference->name == place.function->name) {
    return tl::unexpected(
        invalid_parameter_value("You can't specify the function as a destination for itself."));
  }
  return {};
}

std::string shown(std::string_view kind, const std::string& arn) {
  return arn.empty() ? "null" : std::string(kind) + "(destination=" + arn + ")";
}

tl::expected<void, ServiceError> check_destinations(const EventInvokeConfig& config,
                                                    const ConfigPlace& place,
                                                    const ServiceWorld& world) {
  bool possible = true;
  for (const auto& [arn, end] :
       {std::pair(config.on_failure, End::failure), std::pair(config.on_success, End::success)}) {
    if (arn.empty()) continue;
    possible = possible && is_possible(arn, end);
    if (service_of(arn) != "lambda") continue;
    if (auto checked = check_function_target(arn, place, world); !checked) return checked;
  }
  if (possible) return {};
  return tl::unexpected(invalid_parameter_value(
      "The provided destination config DestinationConfig(onSuccess=" +
      shown("OnSuccess", config.on_success) +
      ", onFailure=" + shown("OnFailure", config.on_failure) + ") is invalid."));
}

// ---- Configurations.

void take_over(const Document& input, EventInvokeConfig& config) {
  if (input.contains("MaximumRetryAttempts")) {
    config.maximum_retry_attempts = input["MaximumRetryAttempts"].get<int>();
  }
  if (input.contains("MaximumEventAgeInSeconds")) {
    config.maximum_event_age_seconds = input["MaximumEventAgeInSeconds"].get<int>();
  }
  if (const auto given = input.find("DestinationConfig"); given != input.end()) {
    config.on_success = given->value("OnSuccess", Document::object()).value("Destination", "");
    config.on_failure = given->value("OnFailure", Document::object()).value("Destination", "");
  }
}

Document destination_of(const std::string& arn) {
  return arn.empty() ? Document::object() : Document{{"Destination", arn}};
}

Document answer_of(const EventInvokeConfig& config, const std::string& arn) {
  Document answer = {{"LastModified", epoch_seconds(config.last_modified)}, {"FunctionArn", arn}};
  if (config.maximum_retry_attempts) {
    answer["MaximumRetryAttempts"] = *config.maximum_retry_attempts;
  }
  if (config.maximum_event_age_seconds) {
    answer["MaximumEventAgeInSeconds"] = *config.maximum_event_age_seconds;
  }
  answer["DestinationConfig"] = {{"OnSuccess", destination_of(config.on_success)},
                                 {"OnFailure", destination_of(config.on_failure)}};
  return answer;
}

tl::expected<void, ServiceError> check_given(const Document& input) {
  if (input.contains("MaximumRetryAttempts") || input.contains("MaximumEventAgeInSeconds") ||
      input.contains("DestinationConfig")) {
    return {};
  }
  return tl::unexpected(invalid_parameter_value(
      "You must specify at least one of error handling or destination setting."));
}

Answer keep(const Document& input,
            EventInvokeConfig config,
            const ConfigPlace& place,
            ServiceWorld& world) {
  take_over(input, config);
  if (auto checked = check_destinations(config, place, world); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  config.last_modified = world.clock.wall_now();
  auto record = *place.function;
  record.event_invoke[place.qualifier] = config;
  const auto changed = world.registry.replace(place.function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), place.arn));
  return answer_of(config, place.arn);
}

tl::expected<EventInvokeConfig, ServiceError> config_at(const ConfigPlace& place) {
  const auto found = place.function->event_invoke.find(place.qualifier);
  if (found != place.function->event_invoke.end()) return found->second;
  return tl::unexpected(
      resource_not_found("The function " + place.arn + " doesn't have an EventInvokeConfig"));
}

Answer put_config(const Document& input, ServiceWorld& world) {
  if (auto checked = check_given(input); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto place = place_of(input, world);
  if (!place) return tl::unexpected(place.error());
  return keep(input, {}, *place, world);
}

Answer update_config(const Document& input, ServiceWorld& world) {
  if (auto checked = check_given(input); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  const auto place = place_of(input, world);
  if (!place) return tl::unexpected(place.error());
  auto config = config_at(*place);
  if (!config) return tl::unexpected(std::move(config.error()));
  return keep(input, std::move(*config), *place, world);
}

Answer get_config(const Document& input, ServiceWorld& world) {
  const auto place = place_of(input, world);
  if (!place) return tl::unexpected(place.error());
  const auto config = config_at(*place);
  if (!config) return tl::unexpected(config.error());
  return answer_of(*config, place->arn);
}

Answer delete_config(const Document& input, ServiceWorld& world) {
  const auto place = place_of(input, world);
  if (!place) return tl::unexpected(place.error());
  if (const auto config = config_at(*place); !config) return tl::unexpected(config.error());
  auto record = *place->function;
  record.event_invoke.erase(place->qualifier);
  const auto changed = world.registry.replace(place->function, std::move(record));
  if (!changed) return tl::unexpected(from_registry(changed.error(), place->arn));
  return Document::object();
}

Answer list_configs(const Document& input, ServiceWorld& world) {
  const auto named = named_function(input, world);
  if (!named) {
    return tl::unexpected(named.error().status == 404 ? no_function() : named.error());
  }
  const auto page = page_of(input);
  if (!page) return tl::unexpected(page.error());
  Document answer = {{"FunctionEventInvokeConfigs", Document::array()}};
  auto& configs = answer["FunctionEventInvokeConfigs"];
  const auto& kept = named->record->event_invoke;
  std::string last;
  for (auto at = kept.upper_bound(page->after); at != kept.end(); ++at) {
    if (configs.size() == page->limit) {
      answer["NextMarker"] = marker_after(last);
      break;
    }
    configs.push_back(answer_of(at->second, arn_of(world, named->record->name, at->first)));
    last = at->first;
  }
  return answer;
}

constexpr Operation kOperations[] = {
    {"PutFunctionEventInvokeConfig", put_config},
    {"UpdateFunctionEventInvokeConfig", update_config},
    {"GetFunctionEventInvokeConfig", get_config},
    {"DeleteFunctionEventInvokeConfig", delete_config},
    {"ListFunctionEventInvokeConfigs", list_configs},
};

}  // namespace

std::span<const Operation> event_invoke_operations() { return kOperations; }

}  // namespace emulator::control_plane
