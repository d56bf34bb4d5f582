// What Hearth calls itself.
#pragma once

#include <string_view>

namespace emulator::app {

inline constexpr std::string_view kVersion = HEARTH_VERSION;

}  // namespace emulator::app
