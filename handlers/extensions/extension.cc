#include "handlers/extensions/extension.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace extensions {
namespace {

constexpr std::string_view kBase = "/2020-01-01/extension/";

std::string header(std::string_view name, std::string_view value) {
  std::string line(name);
  return line.append(": ").append(value).append("\r\n");
}

std::string text_in(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Extension::Extension(runtime_client::Address address, std::string name)
    : connection_(std::make_unique<runtime_client::Connection>(address)), name_(std::move(name)) {}

std::optional<Extension> Extension::at(std::string_view runtime_api, std::string name) {
  const auto address = runtime_client::parse_address(runtime_api);
  if (!address) return std::nullopt;
  return Extension(*address, std::move(name));
}

bool Extension::register_for(const std::vector<std::string>& events) {
  const auto body = nlohmann::json({{"events", events}}).dump();
  const auto path = std::string(kBase) + "register";
  const auto headers = header("Lambda-Extension-Name", name_);
  if (connection_->exchange({"POST", path, headers, body}) != 200) return false;
  identifier_ = connection_->header("Lambda-Extension-Identifier");
  return true;
}

bool Extension::subscribe(std::uint16_t port) {
  const nlohmann::json body = {
      {"schemaVersion", "2022-12-13"},
      {"types", {"platform", "function"}},
      {"buffering", {{"maxItems", 1000}, {"maxBytes", 262144}, {"timeoutMs", 25}}},
      {"destination", {{"protocol", "TCP"}, {"port", port}}}};
  const auto text = body.dump();
  const auto headers = header("Lambda-Extension-Identifier", identifier_) +
                       header("Content-Type", "application/json");
  return connection_->exchange({"PUT", "/2022-07-01/telemetry", headers, text}) == 200;
}

std::optional<Event> Extension::next() {
  const auto path = std::string(kBase) + "event/next";
  const auto headers = header("Lambda-Extension-Identifier", identifier_);
  if (connection_->exchange({"GET", path, headers, {}}) != 200) return std::nullopt;
  const auto json = nlohmann::json::parse(connection_->body(), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return Event{.type = text_in(json, "eventType"),
               .request_id = text_in(json, "requestId"),
               .shutdown_reason = text_in(json, "shutdownReason"),
               .deadline_ms = json.value("deadlineMs", 0LL)};
}

bool Extension::report(std::string_view phase, std::string_view error_type) {
  const auto path = std::string(kBase).append(phase).append("/error");
  const auto headers = header("Lambda-Extension-Identifier", identifier_) +
                       header("Lambda-Extension-Function-Error-Type", error_type);
  return connection_->exchange({"POST", path, headers, "{}"}) == 202;
}

}  // namespace extensions
