// hearth invoke: one invocation, or many with a table.
#pragma once

#include "emulator/app/function_options.h"

#include <optional>
#include <string>
#include <vector>

namespace emulator::app {

struct InvokeOptions {
  FunctionOptions function;
  std::string name;
  std::string event_file;  // "-" is standard input
  std::optional<std::string> payload;
  std::string fixture;                // SERVICE/EVENT
  std::vector<std::string> settings;  // TAG=VALUE
  std::string client_context;         // JSON text
  std::string tenant_id;              // empty: none is named
  int count = 1;
  int concurrency = 1;
  std::string output = "text";
};

void add_invoke_command(CLI::App& program, InvokeOptions& options);
int run_invoke(const InvokeOptions& options);

}  // namespace emulator::app
