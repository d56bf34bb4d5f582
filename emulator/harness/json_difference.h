// Where two JSON documents say different things. The order of members, white space and the way a
// number or a string is written do not matter; the order of elements does.
//
// Pure; any thread.
#pragma once

#include "emulator/harness/json_pointer.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::harness {

struct JsonDifference {
  std::string pointer;  // "" is the whole document
  std::string before;   // shortened; "nothing" for a member or element that is not there
  std::string after;
};

struct JsonDifferences {
  std::size_t count = 0;              // of all
  std::vector<JsonDifference> first;  // as many as were asked for
};

// Of a value that is told. Our choice: a line of a terminal holds two and where they are.
inline constexpr std::size_t kMaxToldValueBytes = 60;

// What an ignored pointer leads to is not looked at; * in place of a token is any one. Both are
// valid documents; of other bytes some difference may be missed, nothing worse.
JsonDifferences json_differences(std::string_view before,
                                 std::string_view after,
                                 std::span<const JsonPointer> ignored,
                                 std::size_t most_told);

// `value` cut at kMaxToldValueBytes, between two characters, with … for the rest.
std::string shortened(std::string_view value);

}  // namespace emulator::harness
