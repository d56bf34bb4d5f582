// Conditions of a template: which are true, with And, Or, Not and Equals.
#include "emulator/template/closest_name.h"
#include "emulator/template/intrinsic_parts.h"

#include <algorithm>
#include <utility>

namespace emulator::templates {

using intrinsic::circle;
using intrinsic::DepthGuard;
using intrinsic::is_condition_function;
using intrinsic::refuse;
using intrinsic::shown;

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
