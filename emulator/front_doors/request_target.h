// The target of a request line: path and query, and their percent-encoding.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emulator::front_doors {

// Views into the target that was parsed.
struct RequestTarget {
  std::string_view path;   // still encoded
  std::string_view query;  // still encoded, without the '?'
};

// Splits at the first '?'. A target in absolute form ("http://host/path") loses its origin.
RequestTarget split_target(std::string_view target);

// nullopt when a '%' is not followed by two hexadecimal digits. '+' stays '+'.
std::optional<std::string> percent_decoded(std::string_view text);

// The first value of a query parameter, decoded ('+' is a blank there). nullopt when the parameter
// is absent or its encoding is broken; a parameter without '=' has an empty value.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

// The path with "//", "." and ".." segments resolved, a leading '/' and the given trailing one.
std::string cleaned_path(std::string_view decoded_path);

}  // namespace emulator::front_doors
