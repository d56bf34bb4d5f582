#include "emulator/template/intrinsics.h"

#include "emulator/template/closest_name.h"
#include "emulator/template/intrinsic_parts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace emulator::templates {

using intrinsic::circle;
using intrinsic::DepthGuard;
using intrinsic::is_condition_function;
using intrinsic::refuse;
using intrinsic::shown;

namespace {

std::string advice_for(std::string_view function) {
  if (function == "Fn::ImportValue") {
    return "Fn::ImportValue reads another stack's exports, which exist only in an account; use a "
           "parameter with a Default instead and give the value with --parameter NAME=VALUE";
  }
  if (is_condition_function(function)) {
    return shown(function) +
           " belongs into the Conditions section; name the condition there and "
           "choose with Fn::If here";
  }
  return shown(function) +
         " is not worked out by Hearth; write the value out or use a parameter with a Default";
}

}  // namespace

std::string intrinsic::circle(const std::vector<std::string>& open, const std::string& again) {
  std::string text;
  for (auto at = std::find(open.begin(), open.end(), again); at != open.end(); ++at) {
    if (text.size() > 300) return text + "...";
    text += shown(*at) + " -> ";
  }
  return text + shown(again);
}

bool is_intrinsic(const Node& node) {
  return node.is(NodeKind::map) && node.members.size() == 1 &&
         (node.members.front().key == "Ref" || node.members.front().key.starts_with("Fn::"));
}

Intrinsics::Intrinsics(const Node& root, Parameters parameters, Deployment deployment)
    : root_(root), parameters_(std::move(parameters)), deployment_(std::move(deployment)) {}

Intrinsics::Function Intrinsics::find_function(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Function>, 9> kFunctions = {{
      {"Ref", &Intrinsics::ref},
      {"Fn::Sub", &Intrinsics::sub},
      {"Fn::GetAtt", &Intrinsics::get_att},
      {"Fn::Join", &Intrinsics::join},
      {"Fn::Select", &Intrinsics::select},
      {"Fn::Split", &Intrinsics::split},
      {"Fn::FindInMap", &Intrinsics::find_in_map},
      {"Fn::If", &Intrinsics::choose},
      {"Fn::Base64", &Intrinsics::base64},
  }};
  for (const auto& [known, function] : kFunctions) {
    if (known == name) return function;
  }
  return nullptr;
}

std::set<std::string> Intrinsics::take_references() { return std::exchange(references_, {}); }

const Node* Intrinsics::section(std::string_view name) const {
  const auto* found = root_.find(name);
  return found && found->is(NodeKind::map) ? found : nullptr;
}

std::vector<std::string> Intrinsics::names_in(std::string_view section_name) const {
  std::vector<std::string> names;
  if (const auto* found = section(section_name)) {
    for (const auto& member : found->members) names.push_back(member.key);
  }
  return names;
}

tl::expected<void, TemplateError> Intrinsics::produce(std::size_t bytes, const Node& place) {
  produced_ += bytes;
  if (produced_ <= kMaxResolvedBytes) return {};
  return refuse(place, "the template's functions produce more than 32 MiB; repeat less");
}

Intrinsics::Resolved Intrinsics::resolve(const Node& node) {
  const DepthGuard guard(depth_);
  if (depth_ > kMaxResolutionDepth) {
    return refuse(node,
                  "functions and names refer to each other more than 200 deep; write some out");
  }
  if (auto counted = produce(sizeof(Node) + node.text.size(), node); !counted) {
    return tl::unexpected(std::move(counted.error()));
  }
  if (is_intrinsic(node)) return call(node);
  if (node.is(NodeKind::map)) return resolve_map(node);
  if (node.is(NodeKind::list)) return resolve_list(node);
  return node;
}

Intrinsics::Resolved Intrinsics::resolve_map(const Node& node) {
  Node result = scalar_like(node, {});
  result.kind = NodeKind::map;
  for (const auto& member : node.members) {
    auto value = resolve(member.value);
    if (!value) return value;
    if (value->is(NodeKind::absent)) continue;
    result.members.push_back({member.key, member.position, std::move(*value)});
  }
  return result;
}

Intrinsics::Resolved Intrinsics::resolve_list(const Node& node) {
  Node result = scalar_like(node, {});
  result.kind = NodeKind::list;
  for (const auto& item : node.items) {
    auto value = resolve(item);
    if (!value) return value;
    if (!value->is(NodeKind::absent)) result.items.push_back(std::move(*value));
  }
  return result;
}

Intrinsics::Resolved Intrinsics::call(const Node& node) {
  const auto& [name, position, argument] = node.members.front();
  const auto function = find_function(name);
  if (!function) return refuse(node, advice_for(name));
  auto value = (this->*function)(node, argument);
  if (!value) return value;
  // A value stands where its call stood: later complaints about it must name that place.
  value->position = node.position;
  value->step = node.step;
  return value;
}

tl::expected<const Node*, TemplateError> Intrinsics::arguments(
    const Node& call, const Node& argument, std::size_t least, std::size_t most, std::string form) {
  if (argument.is(NodeKind::list) && argument.items.size() >= least &&
      argument.items.size() <= most) {
    return &argument;
  }
  const auto given = argument.is(NodeKind::list)
                         ? "a list of " + std::to_string(argument.items.size())
                         : std::string(argument.kind_name());
  return refuse(call, "this function was given " + given + "; write it as " + std::move(form));
}

Intrinsics::Text Intrinsics::text(const Node& node, std::string_view role) {
  auto value = resolve(node);
  if (!value) return tl::unexpected(std::move(value.error()));
  if (value->is(NodeKind::scalar)) return std::move(value->text);
  return refuse(
      node, std::string(role) + " must be text, and here it is " + std::string(value->kind_name()));
}

Intrinsics::Resolved Intrinsics::ref(const Node& call, const Node& argument) {
  if (!argument.is(NodeKind::scalar)) {
    return refuse(call,
                  "Ref takes the name of a parameter or resource, written out; here it is " +
                      std::string(argument.kind_name()));
  }
  return reference(argument.text, call);
}

Intrinsics::Resolved Intrinsics::reference(const std::string& name, const Node& asker) {
  const auto value = [&](std::string text) { return scalar_like(asker, std::move(text)); };
  if (name == "AWS::Region") return value(deployment_.region);
  if (name == "AWS::AccountId") return value(deployment_.account);
  if (name == "AWS::Partition") return value(deployment_.partition());
  if (name == "AWS::StackName") return value(deployment_.stack_name);
  if (name == "AWS::StackId") return value(deployment_.stack_id());
  if (name == "AWS::URLSuffix") return value(deployment_.url_suffix());
  if (name == "AWS::NoValue" || name == "AWS::NotificationARNs") {
    Node node = value({});
    node.kind = name == "AWS::NoValue" ? NodeKind::absent : NodeKind::list;
    return node;
  }
  if (const auto found = parameters_.find(name); found != parameters_.end()) {
    const auto& parameter = found->second;
    if (!parameter.value) return refuse(asker, parameter.missing);
    std::size_t bytes = parameter.value->text.size();
    for (const auto& item : parameter.value->items) bytes += sizeof(Node) + item.text.size();
    if (auto counted = produce(bytes, asker); !counted) {
      return tl::unexpected(std::move(counted.error()));
    }
    return *parameter.value;
  }
  auto resource = identity(name, asker);
  if (!resource) return tl::unexpected(std::move(resource.error()));
  return value(reference_value(*resource, deployment_));
}

tl::expected<ResourceIdentity, TemplateError> Intrinsics::identity(const std::string& logical_id,
                                                                   const Node& asker) {
  references_.insert(logical_id);
  if (const auto known = identities_.find(logical_id); known != identities_.end()) {
    return known->second;
  }
  const auto open = std::find(open_identities_.begin(), open_identities_.end(), logical_id);
  if (open != open_identities_.end()) {
    return refuse(asker,
                  "names refer to each other in a circle (" + circle(open_identities_, logical_id) +
                      "); write one of them out");
  }
  const auto* resources = section("Resources");
  const auto* resource = resources ? resources->find(logical_id) : nullptr;
  open_identities_.push_back(logical_id);
  auto result = resource ? declared_identity(logical_id, *resource, asker)
                         : implied_identity(logical_id, asker);
  open_identities_.pop_back();
  if (result) identities_.emplace(logical_id, *result);
  return result;
}

tl::expected<ResourceIdentity, TemplateError> Intrinsics::implied_identity(
    const std::string& logical_id, const Node& asker) {
  // SAM adds these when a function has an Api or HttpApi event, and a role to each function.
  if (logical_id == "ServerlessRestApi") {
    return ResourceIdentity{logical_id, "AWS::ApiGateway::RestApi", std::nullopt};
  }
  if (logical_id == "ServerlessHttpApi") {
    return ResourceIdentity{logical_id, "AWS::ApiGatewayV2::Api", std::nullopt};
  }
  constexpr std::string_view kRole = "Role";
  const auto* resources = section("Resources");
  if (resources && logical_id.ends_with(kRole) &&
      resources->find(std::string_view(logical_id).substr(0, logical_id.size() - kRole.size()))) {
    return ResourceIdentity{logical_id, "AWS::IAM::Role", std::nullopt};
  }
  auto known = names_in("Resources");
  for (auto& name : names_in("Parameters")) known.push_back(std::move(name));
  return refuse(asker,
                "there is no parameter or resource named '" + shown(logical_id) + "'" +
                    did_you_mean(logical_id, known) + "; correct the name or declare it");
}

tl::expected<ResourceIdentity, TemplateError> Intrinsics::declared_identity(
    const std::string& logical_id, const Node& resource, const Node& asker) {
  if (const auto* guard = resource.find("Condition"); guard && guard->is(NodeKind::scalar)) {
    const auto holds = condition(guard->text, resource);
    if (!holds) return tl::unexpected(holds.error());
    if (!*holds) {
      return refuse(asker,
                    "resource " + shown(logical_id) + " does not exist, because condition " +
                        shown(guard->text) + " is false; choose with Fn::If");
    }
  }
  ResourceIdentity result{logical_id, {}, std::nullopt};
  const auto* type = resource.find("Type");
  if (type && type->is(NodeKind::scalar)) result.type = type->text;
  const auto* properties = resource.find("Properties");
  const auto property = name_property(result.type);
  const auto* name = properties && !property.empty() ? properties->find(property) : nullptr;
  if (!name) return result;
  auto value = resolve(*name);
  if (!value) return tl::unexpected(std::move(value.error()));
  if (value->is(NodeKind::absent)) return result;
  if (!value->is(NodeKind::scalar)) {
    return refuse(
        *name,
        std::string(property) + " must be text, and here it is " + std::string(value->kind_name()));
  }
  result.given_name = std::move(value->text);
  return result;
}

Intrinsics::Resolved Intrinsics::attribute(const std::string& logical_id,
                                           const std::string& name,
                                           const Node& asker) {
  auto resource = identity(logical_id, asker);
  if (!resource) return tl::unexpected(std::move(resource.error()));
  return scalar_like(asker, attribute_value(*resource, name, deployment_));
}

Intrinsics::Resolved Intrinsics::get_att(const Node& call, const Node& argument) {
  static constexpr auto kForm = "!GetAtt Resource.Attribute, or [Resource, Attribute]";
  if (argument.is(NodeKind::scalar)) {
    const auto dot = argument.text.find('.');
    if (dot == std::string::npos) {
      return refuse(call, "'" + shown(argument.text) + "' names no attribute; write " + kForm);
    }
    return attribute(argument.text.substr(0, dot), argument.text.substr(dot + 1), call);
  }
  const auto list = arguments(call, argument, 2, 2, kForm);
  if (!list) return tl::unexpected(list.error());
  const auto resource = text((*list)->items[0], "the resource of GetAtt");
  if (!resource) return tl::unexpected(resource.error());
  const auto name = text((*list)->items[1], "the attribute of GetAtt");
  if (!name) return tl::unexpected(name.error());
  return attribute(*resource, *name, call);
}

}  // namespace emulator::templates
