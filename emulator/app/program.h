// The program: reads the command line, chooses the command, runs it.
#pragma once

#include <string>
#include <vector>

namespace emulator::app {

// `arguments` with the program's name first. Returns the exit status.
int run_program(const std::vector<std::string>& arguments);

}  // namespace emulator::app
