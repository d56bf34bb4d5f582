// Whether bytes are one JSON document, without building it. Every event of a synchronous or
// asynchronous invoke passes here, and may be 6 MB: the bytes are looked at once, in place.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::invoke {

// Arrays and objects inside each other. Source: none; ours, equal to the default of the parser that
// the service's messages come from (Jackson, maximum nesting depth).
inline constexpr std::size_t kMaxJsonDepth = 1000;

// The first place where the bytes stop being JSON (RFC 8259, UTF-8, one value with white space
// around it, an initial byte order mark allowed).
struct JsonFault {
  std::size_t offset = 0;
  std::string what;  // "unexpected character 'D' (code 68)", "unexpected end of input" …
};

// `max_depth` differs where a document is looked at inside another one.
std::optional<JsonFault> find_json_fault(std::string_view bytes,
                                         std::size_t max_depth = kMaxJsonDepth);

// "unexpected character 'D' (code 68) at line: 1, column: 3"
std::string describe(const JsonFault& fault, std::string_view bytes);

}  // namespace emulator::invoke
