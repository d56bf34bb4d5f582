#include "emulator/template/globals.h"

#include "emulator/template/intrinsics.h"

#include <algorithm>

namespace emulator::templates {

Node merge_globals(const Node& shared, const Node& own) {
  if (shared.kind != own.kind || is_intrinsic(shared) || is_intrinsic(own)) return own;
  Node merged = own;
  if (own.is(NodeKind::list)) {
    merged.items = shared.items;
    merged.items.insert(merged.items.end(), own.items.begin(), own.items.end());
  }
  if (!own.is(NodeKind::map)) return merged;
  for (const auto& member : shared.members) {
    const auto mine = std::find_if(merged.members.begin(),
                                   merged.members.end(),
                                   [&](const Member& other) { return other.key == member.key; });
    if (mine == merged.members.end()) {
      merged.members.push_back(member);
    } else {
      mine->value = merge_globals(member.value, mine->value);
    }
  }
  return merged;
}

}  // namespace emulator::templates
