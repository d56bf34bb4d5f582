// The intrinsic functions that make a value of others: Sub, Join, Select, Split, FindInMap, If,
// Base64.
#include "emulator/functions/base64.h"
#include "emulator/template/closest_name.h"
#include "emulator/template/intrinsic_parts.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace emulator::templates {

using intrinsic::refuse;
using intrinsic::shown;

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
  return scalar_like(call, functions::base64_encoded(*source));
}

}  // namespace emulator::templates
