// "Did you mean …": the name a user most likely wanted to write.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::templates {

// The candidate with the fewest letters changed, added, dropped or swapped, case aside; nullopt
// when more than a third of the letters differ, because a far-fetched guess misleads.
std::optional<std::string> closest_name(std::string_view wanted,
                                        const std::vector<std::string>& candidates);

// " (did you mean 'x'?)", or nothing.
std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& candidates);

}  // namespace emulator::templates
