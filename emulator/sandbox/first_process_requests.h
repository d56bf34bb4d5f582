// What a sandbox's first process is asked for on its line besides signals, whose numbers are
// smaller: one byte each. Included by that program too, which has no C library.
//
// Constants; any thread.
#pragma once

namespace emulator::sandbox {

// Answered with the same byte, an errno or 0, and the descriptor of an IPv4 socket of its network,
// not blocking, closed on exec.
inline constexpr unsigned char kMakeStreamSocket = 0x81;
inline constexpr unsigned char kMakeDatagramSocket = 0x82;

}  // namespace emulator::sandbox
