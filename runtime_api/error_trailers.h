// The error that a runtime reports behind the body of a response it has begun to stream, in two
// HTTP trailers.
//
// Source: developer guide, custom runtimes, response streaming: the type is needed for an error to
// be one, its body is optional and base64-encoded. What becomes of a body that is neither is INF.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace runtime_api {

inline constexpr const char* kErrorTypeTrailer = "Lambda-Runtime-Function-Error-Type";
inline constexpr const char* kErrorBodyTrailer = "Lambda-Runtime-Function-Error-Body";

struct TrailedError {
  std::string error_type;  // filtered, see error_type.h
  std::string body;        // the runtime's bytes; of an absent or unreadable one {"errorType":…}
  bool operator==(const TrailedError&) const = default;
};

// From the values of the two trailers, empty where they are absent. nullopt: no error was reported.
// A body beyond the limit of error bodies counts as unreadable.
std::optional<TrailedError> read_error_trailers(std::string_view type, std::string_view body);

}  // namespace runtime_api
