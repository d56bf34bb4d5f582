#include "tests/repository/documents.h"

#include <catch2/catch_test_macros.hpp>

using namespace repository;

TEST_CASE("a link to a missing file or heading is noticed", "[documents]") {
  const auto findings = [](const std::string& link) {
    return link_target_findings({{"docs/guide.md", "see [that](" + link + ")\n"},
                                 {"docs/other.md", "# One: a `Heading`, say\n"},
                                 {"README.md", ""}})
        .size();
  };
  CHECK(findings("other.md") == 0);
  CHECK(findings("../README.md") == 0);
  CHECK(findings("other.md#one-a-heading-say") == 0);
  CHECK(findings("https://example.com/missing.md") == 0);
  CHECK(findings("missing.md") == 1);
  CHECK(findings("other.md#another") == 1);
  CHECK(findings("#nowhere") == 1);
}

TEST_CASE("a path in a document must name a file, a folder or a unit", "[documents]") {
  const auto findings = [](const std::string& path) {
    return path_findings({{"docs/guide.md", "as `" + path + "` does\n"},
                          {"emulator/time/clock.h", ""},
                          {"emulator/time/timer_queue.cc", ""},
                          {"fixtures/events/sqs/message.json", ""}})
        .size();
  };
  CHECK(findings("emulator/time/clock.h") == 0);
  CHECK(findings("emulator/time") == 0);
  CHECK(findings("emulator/time/") == 0);
  CHECK(findings("emulator/time/timer_queue") == 0);
  CHECK(findings("emulator/time/{clock.h,timer_queue.cc}") == 0);
  CHECK(findings("fixtures/events/*/*.json") == 0);
  CHECK(findings("application/json") == 0);
  CHECK(findings("emulator/<folder>/x.h") == 0);
  CHECK(findings("emulator/time/watch.h") == 1);
  CHECK(findings("emulator/time/{clock.h,watch.h}") == 1);
  CHECK(findings("fixtures/events/*/*.yaml") == 1);
}

TEST_CASE("what stands in a fenced block of a document is no link and no path", "[documents]") {
  const SourceTree tree{{"docs/guide.md", "```\n`docs/missing` [x](missing.md)\n```\n"}};
  CHECK(link_target_findings(tree).empty());
  CHECK(path_findings(tree).empty());
}

TEST_CASE("promises are read from the table, with the tests that hold them", "[documents]") {
  const auto promises = parse_promises(
      "| promise | source | test |\n|---|---|---|\n"
      "| a \\| b | AWS | \"one\", \"two\" |\n| c | AWS | unverified |\n| d | AWS | surely |\n\n"
      "| another | table |\n");
  REQUIRE(promises);
  REQUIRE(promises->size() == 3);
  CHECK(promises->at(0).text == "a | b");
  CHECK(promises->at(0).tests == std::vector<std::string>{"one", "two"});
  CHECK(promises->at(1).tests.empty());
  CHECK(promises->at(1).well_formed);
  CHECK_FALSE(promises->at(2).well_formed);
  CHECK(promise_findings(*promises, {"one"}).size() == 2);
  CHECK(promise_findings(*promises, {"one", "two"}).size() == 1);
  CHECK_FALSE(parse_promises("no table here\n"));
}

TEST_CASE("the names of tests are found, those written in two pieces too", "[documents]") {
  const SourceTree tree{
      {"tests/unit/a_test.cc", "TEST_CASE(\"one \"\n  \"piece \\\"more\\\"\", \"[tag]\") {}\n"},
      {"tests/end_to_end/a_test.py", "  def test_two_words(self):\n"},
      {"emulator/time/clock.cc", "TEST_CASE(\"not here\")"}};
  CHECK(test_names(tree) == std::set<std::string>{"one piece \"more\"", "test_two_words"});
}

TEST_CASE("every link in the documents leads somewhere", "[documents]") {
  const Findings findings = link_target_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("every path that a document names exists", "[documents]") {
  const Findings findings = path_findings(checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("every promise in docs/fidelity.md names a test that exists, or says unverified",
          "[documents]") {
  const auto document = checkout().find("docs/fidelity.md");
  if (document == checkout().end()) SKIP("SKIPPED: there is no docs/fidelity.md");
  const auto promises = parse_promises(document->second);
  if (!promises) SKIP("SKIPPED: docs/fidelity.md has no table of promises");
  const Findings findings = promise_findings(*promises, test_names(checkout()));
  INFO(listed(findings));
  CHECK(findings.empty());
}
