#include "emulator/harness/comparison.h"

#include "emulator/harness/json_difference.h"
#include "tests/unit/emulator/harness/text_source.h"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace emulator::harness;

namespace {

std::vector<JsonPointer> pointers(const std::vector<std::string>& texts) {
  std::vector<JsonPointer> parsed;
  for (const auto& text : texts) parsed.push_back(JsonPointer::parse(text).value());
  return parsed;
}

std::vector<std::string> told_differences(const std::string& before,
                                          const std::string& after,
                                          const std::vector<std::string>& ignored = {}) {
  const auto parsed = pointers(ignored);
  std::vector<std::string> told;
  for (const auto& [pointer, was, is] : json_differences(before, after, parsed, 100).first) {
    told.push_back(pointer + ": " + was + " -> " + is);
  }
  return told;
}

using Told = std::vector<std::string>;

ReplayResult result(std::uint64_t position,
                    const std::string& response,
                    const std::string& outcome = "responded") {
  ReplayResult made;
  made.position = position;
  made.file = "f";
  made.line = position;
  made.input_sha256 = "hash" + std::to_string(position);
  made.outcome = outcome;
  if (outcome != "responded") made.error_type = "E";
  made.response = response_of(response);
  return made;
}

std::string saved_lines(const std::vector<ReplayResult>& results) {
  std::string lines;
  for (const auto& one : results) append_saved_line(lines, one);
  return lines;
}

struct Compared {
  ComparisonCounts counts;
  Told told;
};

Compared compare(const std::string& saved,
                 const std::vector<ReplayResult>& run,
                 const std::vector<std::string>& ignored = {}) {
  Compared compared;
  Comparison comparison(
      "saved", tests::text_source(saved, 7), pointers(ignored), [&](std::string_view sentence) {
        compared.told.emplace_back(sentence);
      });
  for (const auto& one : run) REQUIRE(comparison.take(one));
  REQUIRE(comparison.finish());
  compared.counts = comparison.counts();
  return compared;
}

}  // namespace

TEST_CASE("order of members, white space and notation make no difference", "[harness]") {
  CHECK(told_differences(R"({"a":1,"b":[1.0,"é"]})", R"( { "b" : [ 1 , "\u00e9" ], "a":10e-1 } )")
            .empty());
  CHECK(told_differences("{}", " { } ").empty());
}

TEST_CASE("each difference is told where it is, with both values", "[harness]") {
  CHECK(told_differences(R"({"a":1,"b":{"c":[1,2]},"d":true})",
                         R"({"a":"1","b":{"c":[1,3,4]},"e":null})") == Told{"/a: 1 -> \"1\"",
                                                                            "/b/c/1: 2 -> 3",
                                                                            "/b/c/2: nothing -> 4",
                                                                            "/d: true -> nothing",
                                                                            "/e: nothing -> null"});
  CHECK(told_differences("1", "[1]") == Told{": 1 -> [1]"});
  CHECK(told_differences("[1,2]", "[2,1]").size() == 2);
}

TEST_CASE("what an ignored pointer leads to makes no difference", "[harness]") {
  const std::string before = R"({"id":1,"items":[{"at":1,"n":1},{"at":2,"n":2}],"only":1})";
  const std::string after = R"({"id":2,"items":[{"at":5,"n":1},{"at":6,"n":3}]})";
  CHECK(told_differences(before, after, {"/id", "/items/*/at", "/only"}) ==
        Told{"/items/1/n: 2 -> 3"});
  CHECK(told_differences(before, after, {""}).empty());
  CHECK(told_differences(before, after, {"/items", "/only", "/id"}).empty());
}

TEST_CASE("long values are told shortened, between two characters", "[harness]") {
  const auto told = shortened("\"" + std::string(kMaxToldValueBytes - 2, 'x') + "éé\"");
  CHECK(told == "\"" + std::string(kMaxToldValueBytes - 2, 'x') + "…");
}

TEST_CASE("a run like the saved one has no difference", "[harness]") {
  const std::vector<ReplayResult> run = {
      result(1, R"({"a":1})"), result(3, "text"), result(4, "\xFF"), result(5, "", "throttled")};
  const auto compared = compare(saved_lines(run), run);
  CHECK(compared.counts.holds());
  CHECK(compared.counts.same == 4);
  CHECK(compared.told.empty());
}

TEST_CASE("a file of results serves as a saved one", "[harness]") {
  std::string lines;
  append_result_line(lines, result(1, "{}"));
  CHECK(compare(lines, {result(1, "{ }")}).counts.same == 1);
}

TEST_CASE("other responses, outcomes and inputs are differences", "[harness]") {
  auto other_input = result(3, "3");
  other_input.input_sha256 = "other";
  const auto compared = compare(
      saved_lines({result(1, R"({"a":1})"), result(2, "2"), result(3, "3"), result(4, "t")}),
      {result(1, R"({"a":2})"), result(2, "2", "timed_out"), other_input, result(4, "u")});
  CHECK(compared.counts.different == 4);
  CHECK_FALSE(compared.counts.holds());
  CHECK(
      compared.told ==
      Told{"event 1 (f:1): /a was 1, is 2",
           "event 2 (f:2): outcome was responded, is timed_out E",
           "event 3 (f:3) is another event than the one that was saved; its result is not compared",
           "event 4 (f:4): response was \"t\", is \"u\""});
}

TEST_CASE("missing and new events are differences, told by position", "[harness]") {
  const auto compared =
      compare(saved_lines({result(1, "1"), result(2, "2"), result(5, "5"), result(6, "6")}),
              {result(2, "2"), result(3, "3"), result(5, "5")});
  CHECK(compared.counts.same == 2);
  CHECK(compared.counts.missing == 2);
  CHECK(compared.counts.added == 1);
  CHECK(compared.told.size() == 3);
}

TEST_CASE("what names the request in an error is not compared", "[harness]") {
  const auto before = {result(1, R"({"errorMessage":"RequestId: 1 Error"})", "timed_out"),
                       result(2, R"({"errorType":"E","requestId":"1"})", "function_error")};
  const auto after = {result(1, R"({"errorMessage":"RequestId: 2 Error"})", "timed_out"),
                      result(2, R"({"errorType":"E","requestId":"2"})", "function_error")};
  CHECK(compare(saved_lines(before), after).counts.holds());
}

TEST_CASE("many differences are all counted and some told", "[harness]") {
  std::vector<ReplayResult> before;
  std::vector<ReplayResult> after;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    before.push_back(result(i, "1"));
    after.push_back(result(i, "2"));
  }
  const auto compared = compare(saved_lines(before), after);
  CHECK(compared.counts.different == 200);
  CHECK(compared.told.size() == kMaxDifferencesTold + 1);
}

TEST_CASE("a saved file that is none is refused with its line", "[harness]") {
  Comparison comparison("saved", tests::text_source("\n{\"a\":1}\n"), {}, [](std::string_view) {});
  const auto taken = comparison.take(result(1, "1"));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.starts_with("saved:2: no result of a replay"));
}
