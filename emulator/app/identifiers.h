// Fresh identifiers from the kernel's random source. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace emulator::app {

// UUID version 4, lower case.
std::string new_uuid();

std::string new_hex(int digits);

std::uint64_t new_seed();

}  // namespace emulator::app
