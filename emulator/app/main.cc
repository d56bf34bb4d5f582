#include "emulator/app/app_error.h"
#include "emulator/app/program.h"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  try {
    return emulator::app::run_program({argv, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hearth: a defect of Hearth's own: %s; please report it\n", error.what());
    return emulator::app::kDefect;
  }
}
