// The error types that a runtime may name, and how a foreign one is made safe.
//
// Any thread.
#pragma once

#include <string>
#include <string_view>

namespace runtime_api {

// Keeps a type that contains (Runtime|Function).Name with Name = [A-Z][a-zA-Z]+; anything else
// becomes Function.Unknown if it begins with "Function.", else Runtime.Unknown.
// Source: the emulator that AWS publishes, and its tests.
std::string safe_error_type(std::string_view from_runtime);

}  // namespace runtime_api
