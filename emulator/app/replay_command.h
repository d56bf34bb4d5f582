// hearth replay: recorded events through a function, with results as JSON lines and a table.
#pragma once

#include "emulator/app/function_options.h"
#include "emulator/harness/cost.h"

#include <cstddef>
#include <string>
#include <vector>

namespace emulator::app {

struct ReplayOptions {
  FunctionOptions function;
  std::vector<std::string> files;  // "-" is standard input
  std::string name;
  std::string tenant_id;  // empty: none is named
  std::string pace = "asap";
  std::size_t concurrency = 1;
  std::string order_key;  // a JSON pointer; empty: none
  std::string output;     // empty: standard output
  bool keep_events = false;
  bool resume = false;
  std::string save;
  std::string compare;
  std::vector<std::string> ignored;  // JSON pointers
  std::string summary = "text";
  harness::Prices prices;
};

void add_replay_command(CLI::App& program, ReplayOptions& options);
int run_replay(const ReplayOptions& options);

}  // namespace emulator::app
