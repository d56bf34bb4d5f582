#include "emulator/template/document.h"

#include "emulator/template/json_reader.h"
#include "emulator/template/yaml_reader.h"

#include <algorithm>

namespace emulator::templates {
namespace {

constexpr std::size_t kMaxPathLength = 400;

void assign_paths(Node& node, const std::shared_ptr<const PathStep>& step) {
  node.step = step;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    std::string name = "[";
    name.append(std::to_string(i)).append("]");
    assign_paths(node.items[i], std::make_shared<PathStep>(PathStep{step, std::move(name)}));
  }
  for (auto& member : node.members) {
    assign_paths(member.value, std::make_shared<PathStep>(PathStep{step, member.key}));
  }
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const auto& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string Node::path() const {
  std::vector<const PathStep*> steps;
  for (const auto* at = step.get(); at; at = at->parent.get()) steps.push_back(at);
  std::string joined;
  for (auto at = steps.rbegin(); at != steps.rend(); ++at) {
    if (!joined.empty() && !(*at)->name.starts_with('[')) joined += '.';
    joined += (*at)->name.substr(0, kMaxPathLength);
    if (joined.size() > kMaxPathLength) return joined.substr(0, kMaxPathLength) + "...";
  }
  return joined;
}

std::string_view Node::kind_name() const {
  switch (kind) {
    case NodeKind::absent:
      return "AWS::NoValue";
    case NodeKind::null:
      return "nothing";
    case NodeKind::scalar:
      return "text";
    case NodeKind::list:
      return "a list";
    case NodeKind::map:
      return "a map";
  }
  return "nothing";
}

Node scalar_like(const Node& place, std::string text) {
  Node node;
  node.kind = NodeKind::scalar;
  node.text = std::move(text);
  node.position = place.position;
  node.step = place.step;
  return node;
}

TemplateError error_at(const Node& node, std::string message) {
  return {std::move(message), node.position, node.path(), {}};
}

DocumentFormat guess_format(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto brace = std::find_if_not(text.begin(), text.end(), is_blank);
  if (brace == text.end() || *brace != '{') return DocumentFormat::yaml;
  const auto next = std::find_if_not(brace + 1, text.end(), is_blank);
  return next == text.end() || *next == '"' || *next == '}' ? DocumentFormat::json
                                                            : DocumentFormat::yaml;
}

tl::expected<Node, TemplateError> parse_document(std::string_view text, DocumentFormat format) {
  if (text.size() > kMaxTemplateBytes) {
    return tl::unexpected(TemplateError{
        "the template has " + std::to_string(text.size()) +
            " bytes; CloudFormation takes at most 1 MB, so split it into several templates",
        {},
        {},
        {}});
  }
  auto root = format == DocumentFormat::json ? read_json(text) : read_yaml(text);
  if (root) assign_paths(*root, nullptr);
  return root;
}

}  // namespace emulator::templates
