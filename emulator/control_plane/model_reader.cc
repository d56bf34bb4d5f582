#include "emulator/control_plane/model_reader.h"

#include "emulator/control_plane/enumeration_order.h"
#include "emulator/control_plane/text_pattern.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::control_plane {

ModelShape::~ModelShape() = default;

namespace {

using Json = nlohmann::ordered_json;

ShapeType type_from(const std::string& name) {
  static const std::map<std::string, ShapeType> kTypes = {{"structure", ShapeType::structure},
                                                          {"list", ShapeType::list},
                                                          {"map", ShapeType::map},
                                                          {"string", ShapeType::string},
                                                          {"integer", ShapeType::integer},
                                                          {"long", ShapeType::long_integer},
                                                          {"double", ShapeType::floating},
                                                          {"boolean", ShapeType::boolean},
                                                          {"timestamp", ShapeType::timestamp},
                                                          {"blob", ShapeType::blob}};
  return kTypes.at(name);
}

MemberLocation location_from(const std::string& name) {
  static const std::map<std::string, MemberLocation> kLocations = {
      {"", MemberLocation::body},
      {"uri", MemberLocation::path},
      {"querystring", MemberLocation::query},
      {"header", MemberLocation::header},
      {"statusCode", MemberLocation::status_code}};
  return kLocations.at(name);
}

void read_members(const Json& json, ServiceModel& model, ModelShape& shape) {
  const auto required = json.value("required", std::vector<std::string>{});
  const auto payload = json.value("payload", "");
  for (const auto& [name, facts] : json.at("members").items()) {
    ModelMember member;
    member.name = name;
    member.wire_name = facts.value("locationName", name);
    member.location =
        name == payload ? MemberLocation::payload : location_from(facts.value("location", ""));
    member.shape = &model.shapes[facts.at("shape").get<std::string>()];
    member.required = std::find(required.begin(), required.end(), name) != required.end();
    shape.members.push_back(std::move(member));
  }
}

void read_shape(const Json& json, ServiceModel& model, ModelShape& shape) {
  shape.type = type_from(json.at("type"));
  shape.sensitive = json.value("sensitive", false);
  if (json.contains("min")) shape.min = json["min"].get<double>();
  if (json.contains("max")) shape.max = json["max"].get<double>();
  if (json.contains("enum")) {
    shape.values = in_message_order(json["enum"].get<std::vector<std::string>>());
  }
  if (json.contains("pattern")) {
    shape.pattern = std::make_unique<const TextPattern>(json["pattern"].get<std::string>());
  }
  for (const auto* part : {"member", "value"}) {
    if (json.contains(part)) shape.element = &model.shapes[json[part].get<std::string>()];
  }
  if (json.contains("key")) shape.key = &model.shapes[json["key"].get<std::string>()];
  if (json.contains("members")) read_members(json, model, shape);
}

ModelOperation operation_from(const std::string& name,
                              const Json& json,
                              ServiceModel& model,
                              const Json& errors) {
  ModelOperation operation;
  operation.name = name;
  operation.method = json.at("method");
  operation.path = json.at("path");
  operation.status = json.at("status");
  for (const auto& error : json.at("errors")) {
    operation.errors.push_back({error, errors.at(error.get<std::string>()).at("status")});
  }
  if (json.contains("input")) operation.input = &model.shapes[json["input"].get<std::string>()];
  if (json.contains("output")) operation.output = &model.shapes[json["output"].get<std::string>()];
  return operation;
}

}  // namespace

ServiceModel read_model(std::string_view text) {
  const auto json = Json::parse(text);
  ServiceModel model;
  for (const auto& [name, facts] : json.at("shapes").items()) {
    auto& shape = model.shapes[name];
    shape.name = name;
    read_shape(facts, model, shape);
  }
  for (const auto& [name, facts] : json.at("operations").items()) {
    model.operations.push_back(operation_from(name, facts, model, json.at("errors")));
  }
  return model;
}

}  // namespace emulator::control_plane
