#include "emulator/invoke/json_syntax.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <string>

using namespace emulator::invoke;

TEST_CASE("JSON documents are accepted as the JSON library accepts them", "[invoke]") {
  const std::string documents[] = {"{}",
                                   "[]",
                                   "null",
                                   "true",
                                   "false",
                                   "0",
                                   "-0",
                                   "-1.5e+10",
                                   "1E2",
                                   "\"\"",
                                   "\"\\u00e9\\n\\\"\\/\"",
                                   " \t\r\n{ } \n",
                                   R"({"a":[1,2,{"b":null}],"c":{"d":[]}})",
                                   "[[],{},[[]]]",
                                   "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                                   "\xEF\xBB\xBF{}",
                                   "\"\x7F\"",
                                   R"({"a":1,"a":2})",
                                   R"("\ud800x")"};
  for (const auto& document : documents) {
    INFO(document);
    CHECK_FALSE(find_json_fault(document));
  }
}

TEST_CASE("what is not JSON is refused where the JSON library refuses it", "[invoke]") {
  const std::string documents[] = {"",
                                   " ",
                                   "{",
                                   "}",
                                   "[",
                                   "]",
                                   "[1",
                                   "[1,",
                                   "[1,]",
                                   "[,1]",
                                   "{,}",
                                   "{\"a\"}",
                                   "{\"a\":}",
                                   "{\"a\":1,}",
                                   "{a:1}",
                                   "{'a':1}",
                                   "{1:1}",
                                   "{\"a\":1 \"b\":2}",
                                   "[1 2]",
                                   "[1}",
                                   "{\"a\":1]",
                                   "tru",
                                   "trueX",
                                   "nul",
                                   "True",
                                   "NaN",
                                   "Infinity",
                                   "-",
                                   "+1",
                                   "01",
                                   "1.",
                                   ".5",
                                   "1e",
                                   "1e+",
                                   "0x10",
                                   "1 2",
                                   "{}{}",
                                   "\"",
                                   "\"a",
                                   "\"\\",
                                   "\"\\x\"",
                                   "\"\\u12\"",
                                   "\"\\u12G4\"",
                                   "\"a\nb\"",
                                   "\"\t\"",
                                   std::string("\"\0\"", 3),
                                   "\"\x80\"",
                                   "\"\xC0\x80\"",
                                   "\"\xC3\"",
                                   "\"\xE0\x80\x80\"",
                                   "\"\xED\xA0\x80\"",
                                   "\"\xF4\x90\x80\x80\"",
                                   "\"\xF8\x88\x80\x80\x80\"",
                                   "\"\xFF\"",
                                   "// c\n{}",
                                   "\xEF\xBB{}",
                                   "test data"};
  for (const auto& document : documents) {
    INFO(document);
    CHECK_FALSE(nlohmann::json::accept(document));
    CHECK(find_json_fault(document));
  }
}

TEST_CASE("a NUL behind the document is not its end", "[invoke]") {
  CHECK(find_json_fault(std::string("{}\0", 3)));
}

TEST_CASE("a fault is told by its character, line and column", "[invoke]") {
  const auto told = [](const std::string& text) {
    const auto fault = find_json_fault(text);
    return fault ? describe(*fault, text) : std::string("none");
  };
  CHECK(told("test data") == "unexpected character 'e' (code 101) at line: 1, column: 2");
  CHECK(told("{\n  \"a\": D}") == "unexpected character 'D' (code 68) at line: 2, column: 8");
  CHECK(told("{\"a\":1") == "unexpected end of input at line: 1, column: 7");
  CHECK(told("\"\x01\"") == "unexpected byte (code 1) at line: 1, column: 2");
}

TEST_CASE("nesting has a limit, so that depth costs no memory", "[invoke]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK_FALSE(find_json_fault(nested(kMaxJsonDepth)));
  const auto fault = find_json_fault(nested(kMaxJsonDepth + 1));
  REQUIRE(fault);
  CHECK(fault->what.find("nested deeper than 1000") != std::string::npos);
}
