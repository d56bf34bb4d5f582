#include "emulator/harness/json_pointer.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

using namespace emulator::harness;

namespace {

std::string at(const std::string& document, const std::string& pointer) {
  const auto parsed = JsonPointer::parse(pointer);
  REQUIRE(parsed);
  return std::string(find_value(document, parsed->tokens()).value_or("absent"));
}

}  // namespace

TEST_CASE("a pointer finds the bytes of a value as they stand", "[harness]") {
  const std::string document =
      R"( {"a" : { "b" : [ 1 , {"c~/d": "x\"}]" } , -2.50 ] } , "" : null, "\u00e9":true} )";
  CHECK(at(document, "/a/b/0") == "1");
  CHECK(at(document, "/a/b/1/c~0~1d") == R"("x\"}]")");
  CHECK(at(document, "/a/b/2") == "-2.50");
  CHECK(at(document, "/a/b/1") == R"({"c~/d": "x\"}]" })");
  CHECK(at(document, "/") == "null");
  CHECK(at(document, "/é") == "true");
  CHECK(at("[[]]", "") == "[[]]");
  for (const auto* absent : {"/a/b/3", "/a/b/01", "/a/b/-1", "/a/b/x", "/b", "/a/b/0/0"}) {
    INFO(absent);
    CHECK(at(document, absent) == "absent");
  }
}

TEST_CASE("what is no pointer is refused with a sentence", "[harness]") {
  for (const std::string text : {"a", "a/b", "/a~", "/a~2"}) {
    INFO(text);
    const auto parsed = JsonPointer::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find(text) != std::string::npos);
  }
  CHECK_FALSE(JsonPointer::parse(std::string(2 * kMaxPointerTokens, '/')));
}

TEST_CASE("a pointer's text leads back to its tokens", "[harness]") {
  const std::string text = "/a~0b/~1/0/";
  CHECK(pointer_text(JsonPointer::parse(text)->tokens()) == text);
}

TEST_CASE("bytes that are no JSON are walked without harm", "[harness]") {
  for (const std::string text : {"",
                                 "{",
                                 "{\"",
                                 "{\"a",
                                 "{\"a\"",
                                 "{\"a\":",
                                 "{\"a\":1",
                                 "[",
                                 "[1",
                                 "]",
                                 "}",
                                 "{\"a\":\"\\",
                                 "{\"a\":[}",
                                 "\xFF",
                                 "{,}",
                                 "[,]"}) {
    INFO(text);
    CHECK(find_value(text, {"a", "0"}) == std::nullopt);
    for_each_member(text, [](std::string_view, std::string_view) { return true; });
    for_each_element(text, [](std::string_view) { return true; });
    unquoted(text);
    json_kind(text);
  }
}

TEST_CASE("strings are read as the JSON library reads them", "[harness]") {
  for (const std::string raw : {R"("")",
                                R"("a\"\\\/\b\f\n\r\t")",
                                R"("\u00e9\u4e16\uD83D\uDE00")",
                                R"("Grüße 世界")",
                                R"("\u0000x")"}) {
    INFO(raw);
    CHECK(unquoted(raw) == nlohmann::json::parse(raw).get<std::string>());
  }
  CHECK(unquoted(R"("\ud800")")->size() == 3);
  CHECK_FALSE(unquoted(R"("\x")"));
  CHECK_FALSE(unquoted(R"("\u12")"));
  CHECK_FALSE(unquoted("1"));
}

TEST_CASE("any text becomes a JSON string", "[harness]") {
  for (const std::string text : {"", "a\"b\\c", "\n\t\x01", "é世界"}) {
    INFO(text);
    CHECK(nlohmann::json::parse(json_string(text)) == text);
  }
  CHECK(json_string("a\xFF\xFE"
                    "b") ==
        "\"a\xEF\xBF\xBD\xEF\xBF\xBD"
        "b\"");
}

TEST_CASE("numbers are the same by value, however long and however written", "[harness]") {
  const std::vector<std::pair<std::string, std::string>> same = {
      {"1", "1.0"},
      {"1", "10e-1"},
      {"100", "1E+2"},
      {"0", "-0.00e5"},
      {"-2.5", "-25e-1"},
      {"123456789012345678901234567890", "1.2345678901234567890123456789e29"}};
  for (const auto& [a, b] : same) {
    INFO(a << " " << b);
    CHECK(same_number(a, b));
  }
  const std::vector<std::pair<std::string, std::string>> different = {
      {"1", "-1"},
      {"1", "10"},
      {"9007199254740993", "9007199254740992"},
      {"0.1", "0.10000000000000001"},
      {"1e999999999999999999999", "1e-999999999999999999999"}};
  for (const auto& [a, b] : different) {
    INFO(a << " " << b);
    CHECK_FALSE(same_number(a, b));
  }
}
