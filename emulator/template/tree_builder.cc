#include "emulator/template/tree_builder.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace emulator::templates {
namespace {

constexpr std::string_view kMergeKey = "<<";

struct Size {
  std::size_t nodes = 0;
  std::size_t bytes = 0;
};

void measure(const Node& node, Size& size) {
  ++size.nodes;
  size.bytes += node.text.size();
  for (const auto& item : node.items) measure(item, size);
  for (const auto& member : node.members) {
    size.bytes += member.key.size();
    measure(member.value, size);
  }
}

TemplateError at(Position position, std::string message) {
  return {std::move(message), position, {}, {}};
}

TreeBuilder::Failure find_duplicate(const Node& map) {
  std::set<std::string_view> seen;
  for (const auto& member : map.members) {
    if (!seen.insert(member.key).second) {
      return at(member.position,
                "'" + member.key.substr(0, 100) +
                    "' is written twice in the same map; keep one of the two");
    }
  }
  return std::nullopt;
}

// A.B.C names attribute B.C of resource A.
Node split_attribute(Node node) {
  const auto dot = node.text.find('.');
  if (!node.is(NodeKind::scalar) || dot == std::string::npos) return node;
  Node list;
  list.kind = NodeKind::list;
  list.position = node.position;
  list.items.push_back(scalar_like(node, node.text.substr(0, dot)));
  list.items.push_back(scalar_like(node, node.text.substr(dot + 1)));
  return list;
}

}  // namespace

TreeBuilder::Failure TreeBuilder::count(Position position, std::size_t nodes, std::size_t bytes) {
  nodes_ += nodes;
  bytes_ += bytes;
  if (nodes_ > kMaxDocumentNodes) {
    return at(position,
              "the template has more than " + std::to_string(kMaxDocumentNodes) +
                  " nodes once its aliases are expanded; make it smaller");
  }
  if (bytes_ > kMaxDocumentTextBytes) {
    return at(position, "the template's aliases repeat more than 16 MiB of text; make it smaller");
  }
  return std::nullopt;
}

TreeBuilder::Failure TreeBuilder::begin(Opening opening, NodeKind kind) {
  if (frames_.size() >= static_cast<std::size_t>(kMaxDocumentDepth)) {
    return at(opening.position,
              "the template is nested more than " + std::to_string(kMaxDocumentDepth) +
                  " levels deep; make it flatter");
  }
  if (auto failure = count(opening.position, 1, 0)) return failure;
  Frame frame;
  frame.node.kind = kind;
  frame.node.position = opening.position;
  frame.opening = std::move(opening);
  frames_.push_back(std::move(frame));
  return std::nullopt;
}

TreeBuilder::Failure TreeBuilder::begin_map(Opening opening) {
  return begin(std::move(opening), NodeKind::map);
}

TreeBuilder::Failure TreeBuilder::begin_list(Opening opening) {
  return begin(std::move(opening), NodeKind::list);
}

TreeBuilder::Failure TreeBuilder::end() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  if (frame.node.is(NodeKind::map)) {
    if (auto failure = find_duplicate(frame.node)) return failure;
    if (auto failure = merge_members(frame.node)) return failure;
  }
  return add(frame.opening, std::move(frame.node), frame.height + 1);
}

TreeBuilder::Failure TreeBuilder::scalar(const Opening& opening, std::string text) {
  if (auto failure = count(opening.position, 1, text.size())) return failure;
  Node node;
  node.kind = NodeKind::scalar;
  node.text = std::move(text);
  node.position = opening.position;
  return add(opening, std::move(node), 1);
}

TreeBuilder::Failure TreeBuilder::null(const Opening& opening) {
  if (auto failure = count(opening.position, 1, 0)) return failure;
  Node node;
  node.position = opening.position;
  return add(opening, std::move(node), 1);
}

TreeBuilder::Failure TreeBuilder::alias(Position position, std::size_t anchor) {
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end()) {
    return at(position, "this alias stands inside the node it names; write the value out");
  }
  const auto& anchored = found->second;
  if (auto failure = count(position, anchored.nodes, anchored.bytes)) return failure;
  return attach(anchored.node, anchored.height, true);
}

TreeBuilder::Failure TreeBuilder::add(const Opening& opening, Node node, int height) {
  if (!opening.tag.empty()) {
    Node call;
    call.kind = NodeKind::map;
    call.position = opening.position;
    if (opening.tag == "Fn::GetAtt") node = split_attribute(std::move(node));
    call.members.push_back({opening.tag, opening.position, std::move(node)});
    node = std::move(call);
    height += 2;
  }
  if (opening.anchor != 0) {
    Size size;
    measure(node, size);
    // The remembered copy takes memory too, and anchors may stand inside each other.
    if (auto failure = count(opening.position, size.nodes, size.bytes)) return failure;
    anchors_[opening.anchor] = {node, height, size.nodes, size.bytes};
  }
  return attach(std::move(node), height, opening.tag.empty());
}

TreeBuilder::Failure TreeBuilder::attach(Node node, int height, bool key_allowed) {
  if (static_cast<int>(frames_.size()) + height > kMaxDocumentDepth) {
    return at(node.position,
              "the template is nested more than " + std::to_string(kMaxDocumentDepth) +
                  " levels deep once its aliases are expanded; make it flatter");
  }
  if (frames_.empty()) {
    root_ = std::move(node);
    return std::nullopt;
  }
  auto& frame = frames_.back();
  if (frame.node.is(NodeKind::list)) {
    frame.height = std::max(frame.height, height);
    frame.node.items.push_back(std::move(node));
    return std::nullopt;
  }
  if (!frame.key) {
    if (!node.is(NodeKind::scalar) || !key_allowed) {
      return at(node.position,
                "a key must be text, and here it is " + std::string(node.kind_name()) +
                    "; write it in quotes");
    }
    frame.key = std::move(node.text);
    frame.key_position = node.position;
    return std::nullopt;
  }
  frame.height = std::max(frame.height, height);
  frame.node.members.push_back({std::move(*frame.key), frame.key_position, std::move(node)});
  frame.key.reset();
  return std::nullopt;
}

TreeBuilder::Failure TreeBuilder::merge_members(Node& map) {
  const auto merge = std::find_if(map.members.begin(), map.members.end(), [](const Member& member) {
    return member.key == kMergeKey;
  });
  if (merge == map.members.end()) return std::nullopt;
  Node source = std::move(merge->value);
  map.members.erase(merge);
  std::vector<Node> maps;
  if (source.is(NodeKind::list)) {
    maps = std::move(source.items);
  } else {
    maps.push_back(std::move(source));
  }
  std::set<std::string> present;
  for (const auto& member : map.members) present.insert(member.key);
  for (auto& from : maps) {
    if (!from.is(NodeKind::map)) {
      return at(from.position,
                "'<<' merges maps, and this is " + std::string(from.kind_name()) +
                    "; name a map's anchor, or a list of them");
    }
    for (auto& member : from.members) {
      if (present.insert(member.key).second) map.members.push_back(std::move(member));
    }
  }
  return std::nullopt;
}

}  // namespace emulator::templates
