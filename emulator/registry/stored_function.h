// Functions as documents of the store, and back.
//
// Pure; any thread.
#pragma once

#include "emulator/registry/function_record.h"

#include <tl/expected.hpp>

#include <string>
#include <string_view>

namespace emulator::registry {

// Everything but the versions.
std::string stored_record(const FunctionRecord& record);
tl::expected<FunctionRecord, std::string> read_record(std::string_view name, std::string_view text);

// A line about the code, then the configuration as it is: to read it back, nothing of the
// configuration has to be parsed.
std::string stored_version(const FunctionVersion& version);
tl::expected<FunctionVersion, std::string> read_version(std::string_view text);

}  // namespace emulator::registry
