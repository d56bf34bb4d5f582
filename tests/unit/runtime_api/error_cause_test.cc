#include "runtime_api/error_cause.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace runtime_api;

TEST_CASE("an error cause tells the exceptions, and what is none tells nothing") {
  const auto found = read_error_cause(
      R"({"working_directory":"/var/task","exceptions":[
           {"type":"KeyError","message":"'a'","stack":[{"path":"app.py","line":3}]},
           7, {"type":5}],"paths":["app.py"]})",
      "Function.Unknown");
  CHECK(found == std::vector<CausingException>{{"KeyError", "'a'"}, {"", ""}});
  CHECK(read_error_cause(R"({"message":"no disk"})", "Function.Disk") ==
        std::vector<CausingException>{{"Function.Disk", "no disk"}});
  for (const std::string text : {"", "cause", "[]", "{}", R"({"exceptions":{}})", "{\"a\":"}) {
    INFO(text);
    CHECK(read_error_cause(text, "Function.Unknown").empty());
  }
}

TEST_CASE("of an error cause so many exceptions are kept, and of a text whole characters") {
  std::string many = R"({"exceptions":[)";
  for (int i = 0; i < 20; ++i) many += R"({"type":"E","message":"m"},)";
  many.back() = ']';
  CHECK(read_error_cause(many + "}", "x").size() == kMaxCausingExceptions);

  std::string umlauts = "a";
  while (umlauts.size() < 2 * kMaxCauseText) umlauts += "ä";
  const auto cut = read_error_cause(R"({"message":")" + umlauts + R"("})", "x");
  REQUIRE(cut.size() == 1);
  CHECK(cut.front().message == umlauts.substr(0, kMaxCauseText - 1));
}
