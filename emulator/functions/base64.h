// Base64 with the standard alphabet and padding (RFC 4648, section 4).
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emulator::functions {

std::string base64_encoded(std::string_view bytes);

// nullopt for a character outside the alphabet, missing or misplaced padding. Line ends inside the
// text are skipped, as Go's decoder and Java's MIME decoder do.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace emulator::functions
