#include "tests/repository/source_tree.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace repository;

namespace {

Findings unparsable_json(const SourceTree& tree, std::string_view folder) {
  Findings findings;
  for (auto it = tree.lower_bound(std::string(folder)); it != tree.end(); ++it) {
    if (!it->first.starts_with(folder)) break;
    if (!it->first.ends_with(".json")) continue;
    try {
      [[maybe_unused]] const auto event = nlohmann::json::parse(it->second);
    } catch (const nlohmann::json::exception& error) {
      findings.push_back(it->first + ": " + error.what());
    }
  }
  return findings;
}

}  // namespace

TEST_CASE("a fixture that is no JSON is noticed", "[fixtures]") {
  const SourceTree tree{{"fixtures/events/a.json", "{\"a\": 1}"},
                        {"fixtures/events/b.json", "{\"a\": 1,}"},
                        {"fixtures/other.json", "{"}};
  CHECK(unparsable_json(tree, "fixtures/events/").size() == 1);
}

TEST_CASE("every fixture is JSON", "[fixtures]") {
  const Findings findings = unparsable_json(checkout(), "fixtures/events/");
  INFO(listed(findings));
  CHECK(findings.empty());
}
