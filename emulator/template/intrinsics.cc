#include "emulator/template/intrinsics.h"

#include "emulator/template/closest_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace emulator::templates {
namespace {

tl::unexpected<TemplateError> refuse(const Node& node, std::string message) {
  return tl::unexpected(error_at(node, std::move(message)));
}

// Users write the same name everywhere; a sentence shows at most this much of a hostile one.
std::string shown(std::string_view name) { return std::string(name.substr(0, 100)); }

// "A → B → A"
std::string circle(const std::vector<std::string>& open, const std::string& again) {
  std::string text;
  for (auto at = std::find(open.begin(), open.end(), again); at != open.end(); ++at) {
    if (text.size() > 300) return text + "...";
    text += shown(*at) + " -> ";
  }
  return text + shown(again);
}

std::string encode_base64(std::string_view bytes) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    const std::size_t letters = std::min<std::size_t>(bytes.size() - i, 3) + 1;
    for (std::size_t j = 0; j < 4; ++j) {
      text += j < letters ? kLetters[group >> (18 - 6 * j) & 63U] : '=';
    }
  }
  return text;
}

bool is_condition_function(std::string_view name) {
  return name == "Fn::Equals" || name == "Fn::And" || name == "Fn::Or" || name == "Fn::Not" ||
         name == "Condition";
}

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

struct DepthGuard {
  explicit DepthGuard(int& depth_in) : depth(depth_in) { ++depth; }
  ~DepthGuard() { --depth; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  DepthGuard(DepthGuard&&) = delete;
  DepthGuard& operator=(DepthGuard&&) = delete;
  int& depth;
};

}  // namespace

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

Intrinsics::Text Intrinsics::sub_variable(const std::string& name,
                                          const Node& call,
                                          const Node* variables) {
  if (const auto* variable = variables ? variables->find(name) : nullptr) {
    return text(*variable, "the value of ${" + shown(name) + "}");
  }
  const auto dot = name.find('.');
  auto value = dot == std::string::npos
                   ? reference(name, call)
                   : attribute(name.substr(0, dot), name.substr(dot + 1), call);
  if (!value) return tl::unexpected(std::move(value.error()));
  if (value->is(NodeKind::scalar)) return std::move(value->text);
  return refuse(call,
                "${" + shown(name) + "} must be text, and it is " +
                    std::string(value->kind_name()) + "; use Fn::Join for a list");
}

Intrinsics::Resolved Intrinsics::sub(const Node& call, const Node& argument) {
  const Node* pattern = &argument;
  const Node* variables = nullptr;
  if (!argument.is(NodeKind::scalar)) {
    const auto list = arguments(call, argument, 2, 2, "!Sub TEXT, or !Sub [TEXT, {NAME: VALUE}]");
    if (!list) return tl::unexpected(list.error());
    pattern = &argument.items[0];
    variables = &argument.items[1];
    if (!pattern->is(NodeKind::scalar) || !variables->is(NodeKind::map)) {
      return refuse(call, "Fn::Sub takes a text and a map of names to values, in this order");
    }
  }
  std::string result;
  std::string_view rest = pattern->text;
  while (true) {
    const auto open = rest.find("${");
    result.append(rest.substr(0, open));
    if (open == std::string_view::npos) break;
    const auto close = rest.find('}', open);
    if (close == std::string_view::npos) {
      return refuse(call, "'${' without '}' in Fn::Sub; close it, or write ${!NAME} for a literal");
    }
    const auto name = rest.substr(open + 2, close - open - 2);
    rest.remove_prefix(close + 1);
    if (name.starts_with('!')) {
      result.append("${").append(name.substr(1)).append("}");
      continue;
    }
    const auto first = name.find_first_not_of(' ');
    if (first == std::string_view::npos) return refuse(call, "'${}' names nothing; name a value");
    const auto trimmed = name.substr(first, name.find_last_not_of(' ') - first + 1);
    const auto value = sub_variable(std::string(trimmed), call, variables);
    if (!value) return tl::unexpected(value.error());
    if (auto counted = produce(value->size(), call); !counted) {
      return tl::unexpected(std::move(counted.error()));
    }
    result.append(*value);
  }
  return scalar_like(call, std::move(result));
}

Intrinsics::Resolved Intrinsics::join(const Node& call, const Node& argument) {
  const auto list = arguments(call, argument, 2, 2, "!Join [DELIMITER, [A, B]]");
  if (!list) return tl::unexpected(list.error());
  const auto delimiter = text(argument.items[0], "the delimiter of Join");
  if (!delimiter) return tl::unexpected(delimiter.error());
  auto values = resolve(argument.items[1]);
  if (!values) return values;
  if (!values->is(NodeKind::list)) {
    return refuse(call,
                  "Join takes a list of texts, and here it is " + std::string(values->kind_name()) +
                      "; write !Join [DELIMITER, [A, B]]");
  }
  std::string result;
  for (std::size_t i = 0; i < values->items.size(); ++i) {
    const auto& item = values->items[i];
    if (!item.is(NodeKind::scalar)) {
      return refuse(item,
                    "Join takes texts only, and this item is " + std::string(item.kind_name()));
    }
    if (auto counted = produce(delimiter->size() + item.text.size(), call); !counted) {
      return tl::unexpected(std::move(counted.error()));
    }
    if (i > 0) result += *delimiter;
    result += item.text;
  }
  return scalar_like(call, std::move(result));
}

Intrinsics::Resolved Intrinsics::select(const Node& call, const Node& argument) {
  const auto list = arguments(call, argument, 2, 2, "!Select [INDEX, LIST]");
  if (!list) return tl::unexpected(list.error());
  const auto index_text = text(argument.items[0], "the index of Select");
  if (!index_text) return tl::unexpected(index_text.error());
  auto values = resolve(argument.items[1]);
  if (!values) return values;
  std::size_t index = 0;
  const auto* end = index_text->data() + index_text->size();
  const auto parsed = std::from_chars(index_text->data(), end, index);
  if (parsed.ec != std::errc{} || parsed.ptr != end || !values->is(NodeKind::list)) {
    return refuse(call, "Select takes a whole number and a list; write !Select [0, LIST]");
  }
  if (index >= values->items.size()) {
    return refuse(call,
                  "Select asks for item " + shown(*index_text) + " of a list of " +
                      std::to_string(values->items.size()) + "; the first item is 0");
  }
  return std::move(values->items[index]);
}

Intrinsics::Resolved Intrinsics::split(const Node& call, const Node& argument) {
  const auto list = arguments(call, argument, 2, 2, "!Split [DELIMITER, TEXT]");
  if (!list) return tl::unexpected(list.error());
  const auto delimiter = text(argument.items[0], "the delimiter of Split");
  if (!delimiter) return tl::unexpected(delimiter.error());
  const auto source = text(argument.items[1], "what Split takes apart");
  if (!source) return tl::unexpected(source.error());
  if (delimiter->empty()) return refuse(call, "the delimiter of Split is empty; give one");
  Node result = scalar_like(call, {});
  result.kind = NodeKind::list;
  std::string_view rest = *source;
  while (true) {
    const auto at = rest.find(*delimiter);
    if (auto counted = produce(sizeof(Node), call); !counted) {
      return tl::unexpected(std::move(counted.error()));
    }
    result.items.push_back(scalar_like(call, std::string(rest.substr(0, at))));
    if (at == std::string_view::npos) return result;
    rest.remove_prefix(at + delimiter->size());
  }
}

Intrinsics::Resolved Intrinsics::find_in_map(const Node& call, const Node& argument) {
  const auto list = arguments(call, argument, 3, 4, "!FindInMap [MAP, KEY, SECOND KEY]");
  if (!list) return tl::unexpected(list.error());
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < 3; ++i) {
    auto key = text(argument.items[i], "a key of FindInMap");
    if (!key) return tl::unexpected(std::move(key.error()));
    keys.push_back(std::move(*key));
  }
  const Node* at = section("Mappings");
  for (const auto& key : keys) {
    const auto* next = at && at->is(NodeKind::map) ? at->find(key) : nullptr;
    if (!next) {
      if (argument.items.size() == 4) {
        if (const auto* standard = argument.items[3].find("DefaultValue"))
          return resolve(*standard);
      }
      std::vector<std::string> known;
      if (at && at->is(NodeKind::map)) {
        for (const auto& member : at->members) known.push_back(member.key);
      }
      return refuse(call,
                    "Mappings has no " + shown(keys[0]) + "." + shown(keys[1]) + "." +
                        shown(keys[2]) + ": '" + shown(key) + "' is missing" +
                        did_you_mean(key, known) + "; add it to the mapping");
    }
    at = next;
  }
  return resolve(*at);
}

Intrinsics::Resolved Intrinsics::choose(const Node& call, const Node& argument) {
  const auto list = arguments(call, argument, 3, 3, "!If [CONDITION, THEN, ELSE]");
  if (!list) return tl::unexpected(list.error());
  if (!argument.items[0].is(NodeKind::scalar)) {
    return refuse(call, "If takes the name of a condition; write !If [CONDITION, THEN, ELSE]");
  }
  const auto holds = condition(argument.items[0].text, call);
  if (!holds) return tl::unexpected(holds.error());
  return resolve(argument.items[*holds ? 1 : 2]);
}

Intrinsics::Resolved Intrinsics::base64(const Node& call, const Node& argument) {
  const auto source = text(argument, "what Base64 encodes");
  if (!source) return tl::unexpected(source.error());
  if (auto counted = produce(source->size() * 4 / 3, call); !counted) {
    return tl::unexpected(std::move(counted.error()));
  }
  return scalar_like(call, encode_base64(*source));
}

tl::expected<bool, TemplateError> Intrinsics::condition(const std::string& name,
                                                        const Node& asker) {
  if (const auto known = conditions_.find(name); known != conditions_.end()) return known->second;
  const auto* declared = section("Conditions");
  const auto* node = declared ? declared->find(name) : nullptr;
  if (!node) {
    return refuse(asker,
                  "there is no condition named '" + shown(name) + "'" +
                      did_you_mean(name, names_in("Conditions")) +
                      "; declare it in the Conditions section");
  }
  if (std::find(open_conditions_.begin(), open_conditions_.end(), name) != open_conditions_.end()) {
    return refuse(asker,
                  "conditions refer to each other in a circle (" + circle(open_conditions_, name) +
                      "); break it");
  }
  open_conditions_.push_back(name);
  auto result = truth(*node);
  open_conditions_.pop_back();
  if (result) conditions_.emplace(name, *result);
  return result;
}

tl::expected<bool, TemplateError> Intrinsics::truth(const Node& node) {
  const DepthGuard guard(depth_);
  if (depth_ > kMaxResolutionDepth) {
    return refuse(node, "conditions refer to each other more than 200 deep; write some out");
  }
  if (node.is(NodeKind::scalar) && (node.text == "true" || node.text == "false")) {
    return node.text == "true";
  }
  const bool is_call = node.is(NodeKind::map) && node.members.size() == 1 &&
                       is_condition_function(node.members.front().key);
  if (!is_call) {
    return refuse(
        node,
        "a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition; "
        "here it is " +
            (is_intrinsic(node) ? shown(node.members.front().key) : std::string(node.kind_name())));
  }
  const auto& function = node.members.front().key;
  const auto& argument = node.members.front().value;
  if (function == "Condition") {
    if (!argument.is(NodeKind::scalar)) return refuse(node, "Condition takes a condition's name");
    return condition(argument.text, node);
  }
  if (function == "Fn::Equals") return equal(node, argument);
  if (function != "Fn::Not") return all_or_any(node, argument);
  const auto list = arguments(node, argument, 1, 1, "!Not [CONDITION]");
  if (!list) return tl::unexpected(list.error());
  auto inner = truth(argument.items[0]);
  if (!inner) return inner;
  return !*inner;
}

tl::expected<bool, TemplateError> Intrinsics::all_or_any(const Node& call, const Node& argument) {
  const bool all = call.members.front().key == "Fn::And";
  // CloudFormation takes two to ten conditions.
  const auto list = arguments(call, argument, 2, 10, "a list of 2 to 10 conditions");
  if (!list) return tl::unexpected(list.error());
  bool result = all;
  for (const auto& item : argument.items) {
    auto inner = truth(item);
    if (!inner) return inner;
    result = all ? result && *inner : result || *inner;
  }
  return result;
}

tl::expected<bool, TemplateError> Intrinsics::equal(const Node& call, const Node& argument) {
  const auto list = arguments(call, argument, 2, 2, "!Equals [A, B]");
  if (!list) return tl::unexpected(list.error());
  const auto left = text(argument.items[0], "what Equals compares");
  if (!left) return tl::unexpected(left.error());
  const auto right = text(argument.items[1], "what Equals compares");
  if (!right) return tl::unexpected(right.error());
  return *left == *right;
}

}  // namespace emulator::templates
