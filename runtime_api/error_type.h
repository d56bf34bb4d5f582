// The error types that a runtime or an extension may name, and how a foreign one is made safe.
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

// Keeps a type that contains Extension.Name; anything else becomes `otherwise`. Source: the same.
std::string safe_extension_error_type(std::string_view from_extension, std::string_view otherwise);

}  // namespace runtime_api
