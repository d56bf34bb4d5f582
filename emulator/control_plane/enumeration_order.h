// In which order the service lists an enumeration's values when it refuses another.
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

namespace emulator::control_plane {

// The order of a Java 7 hash set that the values were put into in the model's order. Source: REC
// for "[LATEST, AT_TIMESTAMP, TRIM_HORIZON]" and "[x86_64, arm64]", which it explains and the
// model's own order does not; INF for the others.
std::vector<std::string> in_message_order(const std::vector<std::string>& values);

}  // namespace emulator::control_plane
