// Why the harness could not do what it was asked.
#pragma once

#include <cstdint>
#include <string>

namespace emulator::harness {

struct HarnessError {
  enum class Kind : std::uint8_t { input, host };  // what was given, or what the host refuses
  std::string message;                             // a sentence: what, where, how to mend
  Kind kind = Kind::input;
};

}  // namespace emulator::harness
