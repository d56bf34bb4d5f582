// Lines at the end of files that others may read meanwhile.
#pragma once

#include <string_view>

namespace emulator::app {

// Adds all of the text to the end of the file or nothing, so that it keeps whole lines, also when
// the disk is full. Answers 0 or the errno. One thread at a time for one file.
int append_whole(int descriptor, std::string_view text);

}  // namespace emulator::app
