// What a JVM is told about the environment it runs in.
//
// Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

// Options for a function with that much memory. A heap that fits: a JVM left alone takes a quarter
// of the host's memory for its own. One compiler and one collector, which start soonest. Source of
// -XX:TieredStopAtLevel=1: developer guide, customizing Java start-up. Source of the rest: our
// choice.
//
// Options of the customer's JAVA_TOOL_OPTIONS are read by the JVM before these, which would win: so
// where the customer chose, ours is left out.
std::vector<std::string> java_options(std::int64_t memory_mb, std::string_view customer_options);

// The largest heap, in MB: what is left when the JVM has what it needs outside, which is 64 MB or
// 15 of a hundred, whichever is more; at least 16. Our choice: a warm JVM with a client and no more
// than that takes about 60 MB besides its heap.
std::int64_t java_heap_mb(std::int64_t memory_mb);

}  // namespace emulator::runtimes
