// Text from outside of JSON: paths, queries and headers may hold any bytes.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// The text itself if it is UTF-8; else with each byte that is not replaced by U+FFFD, as a Java
// string decodes it.
std::string utf8_text(std::string text);

// In UTF-16 code units: what the service counts as characters. The text is UTF-8.
std::size_t utf16_length(std::string_view text);

// At most that many bytes of the text, cut between two characters.
std::string_view cut_utf8(std::string_view text, std::size_t max_bytes);

}  // namespace emulator::control_plane
