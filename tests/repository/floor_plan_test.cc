#include "tests/repository/floor_plan.h"

#include <catch2/catch_test_macros.hpp>

using namespace repository;

namespace {

constexpr std::string_view kTwoFloors = R"(# A plan
```
floor 2     upper     neighbour
floor 1   lower
outside   handlers (they know only the wire)    tests
```
)";

FloorPlan two_floors() { return parse_floor_plan(kTwoFloors); }

// A tree in which emulator/upper may include emulator/lower, plus one file.
SourceTree tree_with(const std::string& path, const std::string& text) {
  SourceTree tree{{"emulator/lower/thing.h", ""},
                  {"emulator/upper/thing.h", ""},
                  {"emulator/neighbour/thing.h", ""},
                  {"handlers/wire.h", ""},
                  {"tests/fake.h", ""}};
  tree[path] = text;
  return tree;
}

Findings findings_for(const std::string& path, const std::string& text) {
  return floor_findings(two_floors(), tree_with(path, text));
}

FloorPlan plan_of_the_house() { return parse_floor_plan(checkout().at("docs/architecture.md")); }

}  // namespace

TEST_CASE("a floor plan is read from its fenced block, remarks left out", "[floors]") {
  CHECK(two_floors().floor_of_room ==
        std::map<std::string, int>{
            {"upper", 2}, {"neighbour", 2}, {"lower", 1}, {"handlers", 0}, {"tests", 0}});
  CHECK(parse_floor_plan("floor 1 not in a block\n```\nls\n```\n").floor_of_room.empty());
}

TEST_CASE("an include of a lower floor is allowed, of an upper one or a neighbour refused",
          "[floors]") {
  CHECK(findings_for("emulator/upper/a.cc", "#include \"emulator/lower/thing.h\"\n").empty());
  CHECK(findings_for("emulator/lower/a.cc", "#include \"emulator/upper/thing.h\"\n") ==
        Findings{"emulator/lower/a.cc:1: upper is above lower"});
  CHECK(findings_for("emulator/upper/a.cc", "\n#include \"emulator/neighbour/thing.h\"\n") ==
        Findings{"emulator/upper/a.cc:2: neighbour is on the same floor as upper"});
}

TEST_CASE("handlers include only handlers, and nobody includes them but tests", "[floors]") {
  CHECK(findings_for("handlers/a.cc", "#include \"handlers/wire.h\"\n").empty());
  CHECK(findings_for("handlers/a.cc", "#include \"emulator/lower/thing.h\"\n").size() == 1);
  CHECK(findings_for("emulator/upper/a.cc", "#include \"handlers/wire.h\"\n").size() == 1);
  CHECK(findings_for("emulator/upper/a.cc", "#include \"tests/fake.h\"\n").size() == 1);
  CHECK(findings_for("tests/a.cc", "#include \"emulator/upper/thing.h\"\n").empty());
}

TEST_CASE("an include must resolve from the root, unless the build writes the header", "[floors]") {
  CHECK(findings_for("emulator/upper/a.cc", "#include \"thing.h\"\n").size() == 1);
  CHECK(findings_for("emulator/upper/a.cc", "#include <emulator/upper/thing.h>\n").size() == 1);
  CHECK(findings_for("emulator/upper/a.cc", "#include \"embedded_events.h\"\n").empty());
}

TEST_CASE("a folder that the plan forgot and a room without a folder are both noticed",
          "[floors]") {
  CHECK(unplanned_folders(two_floors(), tree_with("emulator/lower/a.h", "")).empty());
  CHECK(unplanned_folders(two_floors(), tree_with("emulator/attic/a.h", "")).size() == 1);
  SourceTree without_upper = tree_with("emulator/lower/a.h", "");
  without_upper.erase("emulator/upper/thing.h");
  CHECK(unplanned_folders(two_floors(), without_upper) ==
        Findings{"upper: in the floor plan, but no such folder"});
}

TEST_CASE("what CMake links must agree with what is included", "[floors]") {
  const auto findings =
      [](const std::string& header, const std::string& source, std::string links) {
        SourceTree tree = tree_with("emulator/upper/a.h", header);
        tree["emulator/upper/a.cc"] = source;
        tree["emulator/upper/CMakeLists.txt"] = "hearth_library(upper SOURCES a.cc " + links + ")";
        return link_findings(two_floors(), tree).size();
      };
  const std::string lower = "#include \"emulator/lower/thing.h\"\n";
  CHECK(findings(lower, "", "PUBLIC hearth::lower") == 0);
  CHECK(findings("", lower, "PRIVATE hearth::lower") == 0);
  CHECK(findings(lower, "", "PRIVATE hearth::lower") == 1);
  CHECK(findings("", lower, "PUBLIC hearth::lower") == 1);
  CHECK(findings("", lower, "") == 1);
  CHECK(findings("", "", "PRIVATE hearth::lower") == 1);
  CHECK(findings("", "", "PUBLIC hearth::lower") == 1);
  CHECK(findings("", "", "# PUBLIC hearth::lower\n") == 0);
}

TEST_CASE("a folder may make several libraries, which are all its room", "[floors]") {
  SourceTree tree = tree_with("emulator/upper/a.cc", "#include \"emulator/lower/thing.h\"\n");
  tree["emulator/lower/CMakeLists.txt"] = "hearth_library(lower_reader SOURCES a.cc)";
  tree["emulator/upper/CMakeLists.txt"] =
      "hearth_library(part SOURCES b.cc)\n"
      "hearth_library(upper SOURCES a.cc PRIVATE hearth::part hearth::lower_reader)";
  CHECK(link_findings(two_floors(), tree).empty());
}

TEST_CASE("includes point down the floor plan of docs/architecture.md", "[floors]") {
  const Findings findings = floor_findings(plan_of_the_house(), checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("the floor plan names every folder of code, and no other", "[floors]") {
  const Findings findings = unplanned_folders(plan_of_the_house(), checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}

TEST_CASE("CMake links what is included, PUBLIC where a header needs it", "[floors]") {
  const Findings findings = link_findings(plan_of_the_house(), checkout());
  INFO(listed(findings));
  CHECK(findings.empty());
}
