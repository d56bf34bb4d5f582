// hearth serve: the Lambda API on a port, until it is stopped.
#pragma once

#include "emulator/app/function_options.h"

#include <string>
#include <vector>

namespace emulator::app {

struct ServeOptions {
  FunctionOptions function;
  std::vector<std::string> names;
  std::string host = "127.0.0.1";
  int port = 4566;
  std::string state_dir;
  std::string clock = "real";
};

void add_serve_command(CLI::App& program, ServeOptions& options);
int run_serve(const ServeOptions& options);

}  // namespace emulator::app
