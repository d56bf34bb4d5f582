// hearth serve: the Lambda API on a port, until it is stopped.
#pragma once

#include "emulator/app/function_options.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emulator::app {

struct ServeOptions {
  FunctionOptions function;
  std::vector<std::string> names;
  std::string host = "127.0.0.1";
  int port = 4566;
  std::string state_dir;
  std::vector<std::string> hot_folders;
  std::string clock = "real";
  std::string clock_start;
  std::string account{functions::kDefaultAccount};
  std::optional<std::size_t> unreserved_minimum;
  std::size_t scaling_burst = 1000;
  std::size_t requests_per_concurrency = 10;
  std::vector<std::string> endpoints;  // SERVICE=URL
  std::optional<std::uint64_t> alias_seed;
};

void add_serve_command(CLI::App& program, ServeOptions& options);
int run_serve(const ServeOptions& given);

}  // namespace emulator::app
