// A template's text as a tree: the same tree for YAML and for JSON, with the place and the path
// of every node, and with CloudFormation's short tags (!Ref, !Sub …) written out in long form.
//
// Values only; any thread. A node may be copied; copies keep its place and path.
#pragma once

#include "emulator/template/template_error.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::templates {

// CloudFormation takes a template body of at most 1 MB from S3. Source: CloudFormation quotas.
inline constexpr std::size_t kMaxTemplateBytes = std::size_t{1024} * 1024;
// Our choices against hostile files; real templates stay far below each.
inline constexpr int kMaxDocumentDepth = 64;
inline constexpr std::size_t kMaxDocumentNodes = 200'000;  // after aliases are expanded
inline constexpr std::size_t kMaxDocumentTextBytes =
    std::size_t{16} * 1024 * 1024;  // after aliases are expanded

// absent: what AWS::NoValue leaves behind, as if the node had not been written.
// scalar: text, number or boolean. CloudFormation turns each into text where text is wanted, so
// only the text, as written, is kept.
enum class NodeKind { absent, null, scalar, list, map };

struct Member;

// One step of a path. Shared because copies of a node, which outlive neither the document nor
// each other in any fixed order, all keep it; a whole path per node would be quadratic in size.
struct PathStep {
  std::shared_ptr<const PathStep> parent;
  std::string name;  // "Resources", "[2]"
};

struct Node {
  NodeKind kind = NodeKind::null;
  std::string text;             // of a scalar
  std::vector<Node> items;      // of a list
  std::vector<Member> members;  // of a map, in file order, each key once
  Position position;
  std::shared_ptr<const PathStep> step;

  bool is(NodeKind wanted) const { return kind == wanted; }
  // The member's value, or null. Borrowed from this node.
  const Node* find(std::string_view key) const;
  // "Resources.F.Properties.Layers[0]"; cut when it is too long to read.
  std::string path() const;
  // "text", "a list" …, for sentences.
  std::string_view kind_name() const;
};

struct Member {
  std::string key;
  Position position;
  Node value;
};

Node scalar_like(const Node& place, std::string text);

// An error at a node's place.
TemplateError error_at(const Node& node, std::string message);

enum class DocumentFormat { yaml, json };

// JSON when the text begins with `{` and a quote; else YAML.
DocumentFormat guess_format(std::string_view text);

// The tree of a whole template. Fails, naming the line, on text that is not well formed, on a key
// that is written twice, on an unknown tag, on more than one document and beyond every limit above.
// YAML anchors, aliases and merge keys (<<) are expanded, as SAM's tools do.
tl::expected<Node, TemplateError> parse_document(std::string_view text, DocumentFormat format);

}  // namespace emulator::templates
