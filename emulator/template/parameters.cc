#include "emulator/template/parameters.h"

#include "emulator/template/closest_name.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::templates {
namespace {

using Failure = std::optional<TemplateError>;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

bool is_list_type(std::string_view type) {
  return type == "CommaDelimitedList" || type.starts_with("List<");
}

bool is_stored_type(std::string_view type) {
  return type.starts_with("AWS::SSM::Parameter::Value<");
}

bool is_known_type(std::string_view type) {
  return type == "String" || type == "Number" || type == "CommaDelimitedList" ||
         type == "List<Number>" || type == "List<String>" || type.starts_with("AWS::") ||
         type.starts_with("List<AWS::");
}

std::vector<Node> split_list(const Node& place, std::string_view text) {
  std::vector<Node> items;
  while (true) {
    const auto comma = text.find(',');
    items.push_back(scalar_like(place, trimmed(text.substr(0, comma))));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

// One declaration, checked against one value.
class Declaration {
 public:
  Declaration(const std::string& name, const Node& node) : name_(name), node_(node) {
    const auto* type = node.find("Type");
    if (type && type->is(NodeKind::scalar)) type_ = type->text;
  }

  Failure check_type() const {
    if (type_.empty()) {
      return error_at(node_, "parameter " + name_ + " has no Type; write for example Type: String");
    }
    if (is_known_type(type_)) return std::nullopt;
    return error_at(
        node_,
        "parameter " + name_ + " has the unknown Type " + type_.substr(0, 80) +
            did_you_mean(type_, {"String", "Number", "CommaDelimitedList", "List<Number>"}));
  }

  tl::expected<Node, TemplateError> value(const std::string& text) const {
    if (!is_list_type(type_) && !is_list_type(stored_type())) {
      if (auto failure = check(text)) return tl::unexpected(std::move(*failure));
      return scalar_like(node_, text);
    }
    Node list = scalar_like(node_, {});
    list.kind = NodeKind::list;
    if (!text.empty()) list.items = split_list(node_, text);
    for (const auto& item : list.items) {
      if (auto failure = check(item.text)) return tl::unexpected(std::move(*failure));
    }
    return list;
  }

  std::string_view type() const { return type_; }

 private:
  // The type between the brackets of AWS::SSM::Parameter::Value<...>.
  std::string_view stored_type() const {
    if (!is_stored_type(type_)) return {};
    std::string_view inner = type_;
    inner.remove_prefix(inner.find('<') + 1);
    return inner.substr(0, inner.rfind('>'));
  }

  TemplateError refuse(const std::string& value, const std::string& rule) const {
    return error_at(node_,
                    "parameter " + name_ + " cannot be '" + value.substr(0, 100) + "': " + rule +
                        "; give another with --parameter " + name_ + "=VALUE");
  }

  Failure check(const std::string& value) const {
    if ((type_ == "Number" || type_ == "List<Number>") && !number(value)) {
      return refuse(value, "its Type is " + type_);
    }
    if (auto failure = check_allowed(value)) return failure;
    if (auto failure = check_bounds(value, "Length", static_cast<double>(value.size()))) {
      return failure;
    }
    if (const auto as_number = number(value)) return check_bounds(value, "Value", *as_number);
    return std::nullopt;
  }

  Failure check_allowed(const std::string& value) const {
    const auto* allowed = node_.find("AllowedValues");
    if (!allowed || !allowed->is(NodeKind::list)) return std::nullopt;
    std::string choices;
    for (const auto& item : allowed->items) {
      if (item.text == value) return std::nullopt;
      if (choices.size() < 300) choices += (choices.empty() ? "" : ", ") + item.text.substr(0, 100);
    }
    return refuse(value, "its AllowedValues are " + choices);
  }

  Failure check_bounds(const std::string& value, const std::string& of, double measured) const {
    const auto limit = [&](const std::string& key) -> std::optional<double> {
      const auto* node = node_.find(key);
      return node ? number(node->text) : std::nullopt;
    };
    const auto least = limit("Min" + of);
    const auto most = limit("Max" + of);
    if (least && measured < *least) {
      return refuse(value, "Min" + of + " is " + node_.find("Min" + of)->text);
    }
    if (most && measured > *most) {
      return refuse(value, "Max" + of + " is " + node_.find("Max" + of)->text);
    }
    return std::nullopt;
  }

  const std::string& name_;
  const Node& node_;
  std::string type_;
};

tl::expected<Parameter, TemplateError> read_parameter(const std::string& name,
                                                      const Node& node,
                                                      const ParameterOverrides& overrides) {
  if (!node.is(NodeKind::map)) {
    return tl::unexpected(
        error_at(node, "parameter " + name + " must be a map with a Type and a Default"));
  }
  const Declaration declaration(name, node);
  if (auto failure = declaration.check_type()) return tl::unexpected(std::move(*failure));
  Parameter parameter;
  std::optional<std::string> text;
  const auto* standard = node.find("Default");
  if (standard && standard->is(NodeKind::scalar)) text = standard->text;
  parameter.missing =
      "parameter " + name + " has no Default; give it with --parameter " + name + "=VALUE";
  if (is_stored_type(declaration.type())) {
    text.reset();
    parameter.missing = "the value of parameter " + name +
                        " is kept in Systems Manager; give it with --parameter " + name + "=VALUE";
  }
  if (const auto given = overrides.find(name); given != overrides.end()) text = given->second;
  if (!text) return parameter;
  auto value = declaration.value(*text);
  if (!value) return tl::unexpected(std::move(value.error()));
  parameter.value = std::move(*value);
  return parameter;
}

}  // namespace

tl::expected<Parameters, TemplateError> read_parameters(const Node& root,
                                                        const ParameterOverrides& overrides) {
  Parameters parameters;
  std::vector<std::string> names;
  const auto* section = root.find("Parameters");
  if (section && section->is(NodeKind::map)) {
    for (const auto& member : section->members) {
      auto parameter = read_parameter(member.key, member.value, overrides);
      if (!parameter) return tl::unexpected(std::move(parameter.error()));
      parameters.emplace(member.key, std::move(*parameter));
      names.push_back(member.key);
    }
  }
  for (const auto& [name, value] : overrides) {
    if (!parameters.contains(name)) {
      std::string message = "the template has no parameter named " + name;
      message.append(did_you_mean(name, names)).append("; remove --parameter ").append(name);
      return tl::unexpected(TemplateError{std::move(message), {}, {}, {}});
    }
  }
  return parameters;
}

}  // namespace emulator::templates
