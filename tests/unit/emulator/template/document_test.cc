#include "emulator/template/document.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::templates;

namespace {

Node yaml(const std::string& text) {
  auto node = parse_document(text, DocumentFormat::yaml);
  INFO((node ? std::string() : node.error().sentence()));
  REQUIRE(node);
  return *node;
}

TemplateError broken(const std::string& text, DocumentFormat format = DocumentFormat::yaml) {
  const auto node = parse_document(text, format);
  REQUIRE_FALSE(node);
  return node.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

}  // namespace

TEST_CASE("every node knows its line, column and path", "[template]") {
  const auto root = yaml("Resources:\n  F:\n    Layers:\n      - first\n      - !Ref Second\n");
  const auto& layers = *root.find("Resources")->find("F")->find("Layers");
  CHECK(layers.items[0].position == Position{4, 9});
  CHECK(layers.items[0].path() == "Resources.F.Layers[0]");
  CHECK(layers.items[1].find("Ref")->text == "Second");
  CHECK(layers.items[1].path() == "Resources.F.Layers[1]");
  CHECK(layers.items[1].position.line == 5);
}

TEST_CASE("JSON and YAML give the same tree", "[template]") {
  const std::string text =
      "{\n \"a\": [1, -2.5e3, true, null],\n \"b\\n\": {\"c\": \"\\u00fc\\/\"}\n}";
  const auto json = parse_document(text, DocumentFormat::json);
  REQUIRE(json);
  const auto& list = *json->find("a");
  CHECK(list.items[0].text == "1");
  CHECK(list.items[1].text == "-2.5e3");
  CHECK(list.items[2].text == "true");
  CHECK(list.items[3].is(NodeKind::null));
  CHECK(list.items[1].position == Position{2, 11});
  CHECK(json->find("b\n")->find("c")->text == "\xC3\xBC/");
  CHECK(json->find("b\n")->find("c")->position == Position{3, 15});
  CHECK(yaml("a: [1, -2.5e3, true, null]").find("a")->items[1].text == "-2.5e3");
}

TEST_CASE("the format is told from the first characters", "[template]") {
  CHECK(guess_format("  \n{ \"a\": 1}") == DocumentFormat::json);
  CHECK(guess_format("{}") == DocumentFormat::json);
  CHECK(guess_format("\xEF\xBB\xBF{\"a\"") == DocumentFormat::json);
  CHECK(guess_format("{a: 1}") == DocumentFormat::yaml);
  CHECK(guess_format("a: 1") == DocumentFormat::yaml);
  CHECK(guess_format("") == DocumentFormat::yaml);
}

TEST_CASE("short tags are written out in long form", "[template]") {
  const auto root =
      yaml("a: !GetAtt R.Endpoint.Port\nb: !Sub ['${X}', {X: !Ref Y}]\nc: !Condition C");
  const auto& attribute = *root.find("a")->find("Fn::GetAtt");
  CHECK(attribute.items[0].text == "R");
  CHECK(attribute.items[1].text == "Endpoint.Port");
  CHECK(root.find("b")->find("Fn::Sub")->items[1].find("X")->find("Ref")->text == "Y");
  CHECK(root.find("c")->find("Condition")->text == "C");
  CHECK(contains(broken("a:\n  b: !Sib x").message, "did you mean 'Sub'?"));
  CHECK(broken("a:\n  b: !Sib x").position.line == 2);
  CHECK(yaml("a: !!str 12").find("a")->text == "12");
}

TEST_CASE("text that is not well formed names its line", "[template]") {
  CHECK(broken("a: 1\nb: [1, 2\nc: 3\n").position.line >= 2);
  CHECK(broken("a: 1\n  b: 2\n").position.line == 2);
  CHECK(contains(broken("a: \"open\n").message, "quoted text is not closed"));
  CHECK(contains(broken("a: 'open").message, "quoted text is not closed"));
  CHECK(broken("{\n \"a\": 1,\n \"b\" 2\n}", DocumentFormat::json).position.line == 3);
  CHECK(broken("{\"a\": 1,}", DocumentFormat::json).position == Position{1, 9});
  CHECK(broken("{\"a\": \"x\xFF\"}", DocumentFormat::json).position.line == 1);
  CHECK(contains(broken("{\"a\": 1", DocumentFormat::json).message, "not valid JSON"));
  CHECK(contains(broken("").message, "empty"));
  CHECK(contains(broken("# nothing\n").message, "empty"));
}

TEST_CASE("a key that is written twice is refused at its second place", "[template]") {
  CHECK(broken("a: 1\nb: 2\na: 3\n").position.line == 3);
  CHECK(broken("{\n\"a\": 1,\n\"a\": 2}", DocumentFormat::json).position.line == 3);
}

TEST_CASE("only text can be a key", "[template]") {
  CHECK(contains(broken("? [a]\n: b\n").message, "a key must be text"));
  CHECK(contains(broken("!Ref a: b\n").message, "a key must be text"));
}

TEST_CASE("a second document is refused", "[template]") {
  CHECK(contains(broken("a: 1\n---\nb: 2\n").message, "second YAML document"));
  CHECK(yaml("---\na: 1\n...\n").find("a")->text == "1");
}

TEST_CASE("merge keys take one map or several, earlier ones first", "[template]") {
  const auto root = yaml("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}\n");
  CHECK(root.find("c")->find("x")->text == "1");
  CHECK(root.find("c")->find("y")->text == "1");
  CHECK(root.find("c")->find("z")->text == "3");
  CHECK(contains(broken("a: &a text\nb: {<<: *a}\n").message, "merges maps"));
}

TEST_CASE("an alias has the path of the place where it is used", "[template]") {
  const auto root = yaml("a: &a [1]\nb: *a\n");
  CHECK(root.find("b")->items[0].path() == "b[0]");
  CHECK(root.find("b")->items[0].position.line == 1);
}

TEST_CASE("an alias inside what it names is refused", "[template]") {
  CHECK(contains(broken("a: &a [*a]\n").message, "inside the node it names"));
}

TEST_CASE("aliases of aliases stop at the node limit", "[template]") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before +
            repeated(", " + before, 8) + "]\n";
  }
  CHECK(contains(broken(text).message, "aliases are expanded"));
}

TEST_CASE("repeated long text stops at the text limit", "[template]") {
  const auto text =
      "a: &a " + std::string(500'000, 'x') + "\nb: [*a" + repeated(", *a", 40) + "]\n";
  CHECK(contains(broken(text).message, "16 MiB"));
}

TEST_CASE("deep nesting is refused in every notation", "[template]") {
  CHECK(contains(broken(repeated("[", 100'000)).message, "64 levels"));
  CHECK(contains(broken(repeated("{a: ", 10'000)).message, "64 levels"));
  CHECK(contains(broken(repeated("- ", 10'000)).message, "64 levels"));
  CHECK(contains(broken(repeated("? ", 10'000)).message, "64 levels"));
  CHECK(contains(broken(repeated("[", 100'000), DocumentFormat::json).message, "64 levels"));
  std::string aliases = "a0: &a0 [x]\n";
  for (int i = 1; i < 80; ++i) {
    aliases += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
               std::to_string(i - 1) + "]\n";
  }
  CHECK(contains(broken(aliases).message, "64 levels"));
}

TEST_CASE("a template beyond CloudFormation's size is refused", "[template]") {
  CHECK(contains(broken(std::string(kMaxTemplateBytes + 1, ' ')).message, "at most 1 MB"));
}
