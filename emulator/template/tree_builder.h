// Builds a document's tree from a parser's events, and is where every limit on a tree is kept.
// Used by the YAML and the JSON reader only.
#pragma once

#include "emulator/template/document.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace emulator::templates {

// One builder builds one tree; one thread. Each event returns an error, or nullopt to go on; after
// an error the builder is not used again.
class TreeBuilder {
 public:
  using Failure = std::optional<TemplateError>;

  // `tag` is a CloudFormation function in long form ("Fn::Sub") or empty; `anchor` is 0 for none.
  struct Opening {
    Position position;
    std::string tag;
    std::size_t anchor = 0;
  };

  Failure begin_map(Opening opening);
  Failure begin_list(Opening opening);
  Failure end();
  Failure scalar(const Opening& opening, std::string text);
  Failure null(const Opening& opening);
  Failure alias(Position position, std::size_t anchor);

  bool is_complete() const { return root_.has_value(); }
  Node take_root() { return std::move(*root_); }

 private:
  struct Frame {
    Opening opening;
    Node node;
    std::optional<std::string> key;  // of a map: read, and waiting for its value
    Position key_position;
    int height = 0;  // of the deepest child so far
  };
  struct Anchored {
    Node node;
    int height = 0;
    std::size_t nodes = 0;
    std::size_t bytes = 0;
  };

  Failure begin(Opening opening, NodeKind kind);
  Failure count(Position position, std::size_t nodes, std::size_t bytes);
  // Finishes a node: applies its tag, remembers its anchor and gives it to the open frame.
  Failure add(const Opening& opening, Node node, int height);
  Failure attach(Node node, int height, bool key_allowed);
  Failure take_key(Node node);
  static Failure merge_members(Node& map);

  std::vector<Frame> frames_;
  std::map<std::size_t, Anchored> anchors_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace emulator::templates
