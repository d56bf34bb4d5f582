#include "emulator/invoke/stored_delivery.h"

#include <nlohmann/json.hpp>

namespace emulator::invoke {
namespace {

using Json = nlohmann::json;

constexpr DeliveryRole kRoles[] = {
    DeliveryRole::on_success, DeliveryRole::on_failure, DeliveryRole::dead_letter};

constexpr Condition kConditions[] = {Condition::success,
                                     Condition::retries_exhausted,
                                     Condition::event_age_exceeded,
                                     Condition::zero_reserved_concurrency,
                                     Condition::recursive_invocation,
                                     Condition::function_not_found};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string stored_delivery(const Delivery& delivery) {
  Json json = {{"target", delivery.target_arn},
               {"role", delivery_role_name(delivery.role)},
               {"function", delivery.function_name},
               {"function_arn", delivery.function_arn},
               {"request_id", delivery.request_id},
               {"condition", condition_name(delivery.condition)},
               {"made_ns", delivery.made.time_since_epoch().count()}};
  for (const auto& [name, attribute] : delivery.attributes) {
    json["attributes"][name] = {attribute.type, attribute.value};
  }
  if (!delivery.lineage.empty()) json["lineage"] = delivery.lineage;
  return dump(json) + "\n" + delivery.body;
}

tl::expected<Delivery, std::string> read_delivery(std::string_view text) {
  Delivery delivery;
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) return tl::unexpected(std::string("it has no body"));
  try {
    const auto json = Json::parse(text.substr(0, line_end));
    delivery.target_arn = json.at("target").get<std::string>();
    delivery.function_name = json.at("function").get<std::string>();
    delivery.function_arn = json.at("function_arn").get<std::string>();
    delivery.request_id = json.at("request_id").get<std::string>();
    delivery.made = WallTime(WallTime::duration(json.at("made_ns").get<std::int64_t>()));
    const auto role_name = json.at("role").get<std::string>();
    for (const auto role : kRoles) {
      if (delivery_role_name(role) == role_name) delivery.role = role;
    }
    const auto name = json.at("condition").get<std::string>();
    for (const auto condition : kConditions) {
      if (condition_name(condition) == name) delivery.condition = condition;
    }
    const auto attributes = json.value("attributes", Json::object());
    for (const auto& [attribute, parts] : attributes.items()) {
      delivery.attributes[attribute] = {parts.at(0).get<std::string>(),
                                        parts.at(1).get<std::string>()};
    }
    delivery.lineage = json.value("lineage", Lineage());
  } catch (const Json::exception& error) {
    return tl::unexpected(std::string(error.what()));
  }
  delivery.body = text.substr(line_end + 1);
  return delivery;
}

std::string stored_result(const Delivery& delivery) {
  return dump({{"delivered", delivery.state == Delivery::State::delivered},
               {"tries", delivery.tries},
               {"where", delivery.where},
               {"error", delivery.error}});
}

tl::expected<void, std::string> read_result(std::string_view text, Delivery& delivery) {
  try {
    const auto json = Json::parse(text);
    delivery.state =
        json.at("delivered").get<bool>() ? Delivery::State::delivered : Delivery::State::failed;
    delivery.tries = json.at("tries").get<int>();
    delivery.where = json.at("where").get<std::string>();
    delivery.error = json.at("error").get<std::string>();
  } catch (const Json::exception& error) {
    return tl::unexpected(std::string(error.what()));
  }
  return {};
}

}  // namespace emulator::invoke
