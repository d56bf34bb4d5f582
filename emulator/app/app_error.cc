#include "emulator/app/app_error.h"

#include <iostream>

namespace emulator::app {

int fail(const AppError& error) {
  std::cerr << "hearth: " << error.message << "\n";
  return error.exit_status;
}

}  // namespace emulator::app
