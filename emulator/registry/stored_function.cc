#include "emulator/registry/stored_function.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace emulator::registry {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t as_number(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

WallTime as_time(std::int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

Json as_json(const Alias& alias) {
  Json json = {{"version", alias.version},
               {"description", alias.description},
               {"revision_id", alias.revision_id}};
  if (!alias.weights.empty()) json["weights"] = alias.weights;
  return json;
}

Alias alias_from(const std::string& name, const Json& json) {
  Alias alias;
  alias.name = name;
  alias.version = json.at("version");
  alias.description = json.at("description");
  alias.revision_id = json.at("revision_id");
  alias.weights = json.value("weights", std::map<std::string, double>{});
  return alias;
}

Json as_json(const EventInvokeConfig& config) {
  Json json = {{"last_modified_ms", as_number(config.last_modified)}};
  if (config.maximum_retry_attempts) json["retries"] = *config.maximum_retry_attempts;
  if (config.maximum_event_age_seconds) json["age_seconds"] = *config.maximum_event_age_seconds;
  if (!config.on_success.empty()) json["on_success"] = config.on_success;
  if (!config.on_failure.empty()) json["on_failure"] = config.on_failure;
  return json;
}

EventInvokeConfig event_invoke_from(const Json& json) {
  EventInvokeConfig config;
  config.last_modified = as_time(json.at("last_modified_ms"));
  if (json.contains("retries")) config.maximum_retry_attempts = json["retries"].get<int>();
  if (json.contains("age_seconds")) {
    config.maximum_event_age_seconds = json["age_seconds"].get<int>();
  }
  config.on_success = json.value("on_success", "");
  config.on_failure = json.value("on_failure", "");
  return config;
}

FunctionRecord record_from(std::string_view name, const Json& json) {
  FunctionRecord record;
  record.name = name;
  record.last_published = json.at("last_published");
  if (json.contains("reserved")) record.reserved_concurrency = json["reserved"].get<int>();
  const auto aliases = json.value("aliases", Json::object());
  for (const auto& [alias, value] : aliases.items()) {
    record.aliases.emplace(alias, alias_from(alias, value));
  }
  record.tags = json.value("tags", std::map<std::string, std::string>{});
  const auto provisioned = json.value("provisioned", Json::object());
  for (const auto& [qualifier, value] : provisioned.items()) {
    record.provisioned[qualifier] = {value.at("requested").get<int>(),
                                     as_time(value.at("last_modified_ms"))};
  }
  const auto event_invoke = json.value("event_invoke", Json::object());
  for (const auto& [qualifier, value] : event_invoke.items()) {
    record.event_invoke.emplace(qualifier, event_invoke_from(value));
  }
  const auto scaling = json.value("scaling", Json::object());
  for (const auto& [number, value] : scaling.items()) {
    record.scaling[number] = {value.at("least").get<int>(), value.at("most").get<int>()};
  }
  record.settings = json.value("settings", std::map<std::string, std::string>{});
  return record;
}

// $LATEST, $LATEST.PUBLISHED, or digits that count from 1.
bool is_version_number(std::string_view text) {
  if (text == "$LATEST" || text == "$LATEST.PUBLISHED") return true;
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && at == end && number > 0;
}

FunctionVersion version_from(std::string_view text) {
  const auto line = text.find('\n');
  const auto json = Json::parse(text.substr(0, line));
  FunctionVersion version;
  version.function_name = json.at("function");
  version.number = json.at("number");
  if (!is_version_number(version.number)) {
    throw Json::other_error::create(500, "'" + version.number + "' is no version", &json);
  }
  version.code.sha256_hex = json.value("package", "");
  version.code.folder = json.value("folder", "");
  version.code.command = json.value("command", std::vector<std::string>{});
  version.code.layer_packages = json.value("layer_packages", std::vector<std::string>{});
  for (const auto& layer : json.value("layers", std::vector<std::string>{})) {
    version.code.layers.emplace_back(layer);
  }
  if (line != std::string_view::npos) version.configuration = text.substr(line + 1);
  return version;
}

// Whatever the parser or a member of another type throws becomes a sentence.
template <typename Value, typename Read>
tl::expected<Value, std::string> guarded(Read read) {
  try {
    return read();
  } catch (const nlohmann::json::exception& broken) {
    return tl::unexpected(std::string(broken.what()));
  }
}

}  // namespace

std::string stored_record(const FunctionRecord& record) {
  Json json = {{"last_published", record.last_published}};
  if (record.reserved_concurrency) json["reserved"] = *record.reserved_concurrency;
  for (const auto& [name, alias] : record.aliases) json["aliases"][name] = as_json(alias);
  if (!record.tags.empty()) json["tags"] = record.tags;
  for (const auto& [qualifier, config] : record.provisioned) {
    json["provisioned"][qualifier] = {{"requested", config.requested},
                                      {"last_modified_ms", as_number(config.last_modified)}};
  }
  for (const auto& [qualifier, config] : record.event_invoke) {
    json["event_invoke"][qualifier] = as_json(config);
  }
  for (const auto& [number, config] : record.scaling) {
    json["scaling"][number] = {{"least", config.least}, {"most", config.most}};
  }
  if (!record.settings.empty()) json["settings"] = record.settings;
  return json.dump();
}

tl::expected<FunctionRecord, std::string> read_record(std::string_view name,
                                                      std::string_view text) {
  return guarded<FunctionRecord>([&] { return record_from(name, Json::parse(text)); });
}

std::string stored_version(const FunctionVersion& version) {
  Json json = {{"function", version.function_name}, {"number", version.number}};
  if (!version.code.sha256_hex.empty()) json["package"] = version.code.sha256_hex;
  if (!version.code.folder.empty()) json["folder"] = version.code.folder.string();
  if (!version.code.command.empty()) json["command"] = version.code.command;
  if (!version.code.layer_packages.empty()) json["layer_packages"] = version.code.layer_packages;
  for (const auto& layer : version.code.layers) json["layers"].push_back(layer.string());
  return json.dump() + "\n" + version.configuration;
}

tl::expected<FunctionVersion, std::string> read_version(std::string_view text) {
  return guarded<FunctionVersion>([&] { return version_from(text); });
}

}  // namespace emulator::registry
