// hearth rie: a drop-in for aws-lambda-rie.
#pragma once

#include <string>
#include <vector>

namespace emulator::app {

// `arguments` without the program's name and without "rie". Returns the exit status.
int run_rie(const std::vector<std::string>& arguments);

}  // namespace emulator::app
