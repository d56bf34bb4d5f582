// Fresh identifiers from the kernel's random source. Any thread.
#pragma once

#include "emulator/time/clock.h"

#include <cstdint>
#include <string>

namespace emulator::app {

// UUID version 4, lower case.
std::string new_uuid();

std::string new_hex(int digits);

std::uint64_t new_seed();

// An X-Ray header as the service makes one for a call that brings none:
// Root=1-<time>-<24 hex>;Parent=<16 hex>;Sampled=0
std::string new_trace_id(const time::Clock& clock);

}  // namespace emulator::app
