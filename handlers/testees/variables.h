// The figures that a test hands to a testee, as environment variables.
//
// Threads: none but the first may be running when these are called.
#pragma once

#include <string>

namespace testees {

std::string variable(const char* name, std::string otherwise = {});
long number(const char* name, long otherwise);

// "ENOSPC"; empty for 0.
std::string error_name(int error_number);

}  // namespace testees
