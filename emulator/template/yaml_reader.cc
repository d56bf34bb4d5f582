// yaml-cpp is used through its event interface only. YAML::Load builds a graph without limits on
// depth, size or expanded aliases; the events let TreeBuilder stop a hostile file where it stands.
#include "emulator/template/yaml_reader.h"

#include "emulator/template/closest_name.h"
#include "emulator/template/tree_builder.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/node/node.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace emulator::templates {
namespace {

// CloudFormation's short tags. Ref and Condition have no prefix in long form.
constexpr std::array<std::string_view, 19> kShortTags = {"Ref",
                                                         "Condition",
                                                         "Sub",
                                                         "GetAtt",
                                                         "Join",
                                                         "Select",
                                                         "Split",
                                                         "If",
                                                         "Equals",
                                                         "And",
                                                         "Or",
                                                         "Not",
                                                         "ImportValue",
                                                         "Base64",
                                                         "GetAZs",
                                                         "Cidr",
                                                         "Transform",
                                                         "Length",
                                                         "FindInMap"};
constexpr std::string_view kToJsonString = "ToJsonString";

Position place(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Ends the parse from inside an event: the event interface knows no other way out.
struct Stopped {
  TemplateError error;
};

std::string long_form(const std::string& tag, Position position) {
  if (tag.size() < 2 || tag.front() != '!') return {};  // "?" and "!": no tag was written
  const auto name = tag.substr(1);
  std::vector<std::string> known(kShortTags.begin(), kShortTags.end());
  known.emplace_back(kToJsonString);
  for (const auto& short_tag : known) {
    if (name == short_tag) return name == "Ref" || name == "Condition" ? name : "Fn::" + name;
  }
  throw Stopped{TemplateError{"tag " + tag.substr(0, 60) + " is not one of CloudFormation's" +
                                  did_you_mean(name, known) +
                                  "; use a function such as !Ref or !Sub",
                              position,
                              {},
                              {}}};
}

class Events : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      throw Stopped{TemplateError{
          "a second YAML document begins here; a template is one document, so remove the '---'",
          place(mark),
          {},
          {}}};
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(builder_.null({place(mark), {}, anchor}));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(builder_.alias(place(mark), anchor));
  }
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    check(builder_.scalar(opening(mark, tag, anchor), value));
  }
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check(builder_.begin_list(opening(mark, tag, anchor)));
  }
  void OnSequenceEnd() override { check(builder_.end()); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check(builder_.begin_map(opening(mark, tag, anchor)));
  }
  void OnMapEnd() override { check(builder_.end()); }

  std::optional<Node> take_root() {
    if (!builder_.is_complete()) return std::nullopt;
    return builder_.take_root();
  }

 private:
  static TreeBuilder::Opening opening(const YAML::Mark& mark,
                                      const std::string& tag,
                                      YAML::anchor_t anchor) {
    return {place(mark), long_form(tag, place(mark)), anchor};
  }
  static void check(TreeBuilder::Failure failure) {
    if (failure) throw Stopped{std::move(*failure)};
  }

  TreeBuilder builder_;
  int documents_ = 0;
};

}  // namespace

tl::expected<Node, TemplateError> read_yaml(std::string_view text) {
  Events events;
  try {
    // yaml-cpp accepts a quoted text that is still open at the end of the file when a line break
    // comes last; a document end marker inside a quote is an error to it.
    std::istringstream stream{std::string(text) + "\n...\n"};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(events)) {
    }
  } catch (const Stopped& stopped) {
    return tl::unexpected(stopped.error);
  } catch (const YAML::Exception& e) {
    const bool open_quote = e.msg == YAML::ErrorMsg::DOC_IN_SCALAR;
    return tl::unexpected(TemplateError{
        "not valid YAML: " + (open_quote ? "a quoted text is not closed before this line" : e.msg),
        place(e.mark),
        {},
        {}});
  } catch (const std::exception& e) {
    return tl::unexpected(TemplateError{std::string("not valid YAML: ") + e.what(), {}, {}, {}});
  }
  auto root = events.take_root();
  if (!root || root->is(NodeKind::null)) {
    return tl::unexpected(TemplateError{
        "the template is empty; it needs a Resources section with at least one function",
        {},
        {},
        {}});
  }
  return std::move(*root);
}

}  // namespace emulator::templates
