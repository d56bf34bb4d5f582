#pragma once
#include "tests/repository/source_tree.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace repository {

// The floors written in docs/architecture.md. Rooms outside (programs, tests, documents) have
// floor 0 and may be included by nobody.
struct FloorPlan {
  std::map<std::string, int> floor_of_room;

  // The room a file lies in, if the plan has it: "emulator/time/clock.h" lies in "time".
  std::optional<std::string> room_of(std::string_view path) const;
};

// Reads the first fenced block that has a line beginning "floor 1". Words in parentheses are
// remarks. Empty when there is no such block.
FloorPlan parse_floor_plan(std::string_view document);

struct Include {
  size_t line;
  std::string target;
  bool quoted;  // "…" rather than <…>
};
std::vector<Include> includes_of(std::string_view text);

// Each include of ours points to the same room or a lower floor; rooms of one floor do not know one
// another; handlers know only handlers; a path resolves from the root.
Findings floor_findings(const FloorPlan& plan, const SourceTree& tree);

// Folders of code that the plan does not mention, and rooms of the plan that have no folder.
Findings unplanned_folders(const FloorPlan& plan, const SourceTree& tree);

// What each room's CMakeLists.txt links agrees with what its files include: nothing missing,
// nothing superfluous, and PUBLIC exactly when a header needs it.
Findings link_findings(const FloorPlan& plan, const SourceTree& tree);

}  // namespace repository
