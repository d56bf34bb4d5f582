// From a function's configuration to the command that starts its runtime.
//
// Threads: any.
#pragma once

#include "emulator/functions/function.h"
#include "emulator/runtimes/interpreter.h"
#include "emulator/runtimes/runtime_client_cache.h"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace emulator::runtimes {

// Where the function's code and its merged layers lie: on this host, and as its processes see
// them (/var/task and /opt in a sandbox with a root of its own). An empty host folder is not
// looked into.
struct LaunchFolders {
  std::filesystem::path task_root;
  std::filesystem::path layers_root;
  std::filesystem::path seen_task_root;
  std::filesystem::path seen_layers_root;
};

struct LaunchCommand {
  std::vector<std::string> argv;
  std::filesystem::path working_folder;
  // What the runtime adds to the environment. Where a customer may set the variable too, the
  // customer's value is already part of it: these win.
  std::map<std::string, std::string> environment;
  // Host folders that the processes must see under the same path besides code and layers.
  std::vector<std::filesystem::path> host_folders;
  // To be told once, before the first start.
  std::optional<std::string> remark;
  // What to advise when the program cannot be started.
  std::string hint;
};

using InterpreterFinder = std::function<Expected<Interpreter>(const Runtime& runtime)>;

// provided*: the bootstrap of the code, or else of a layer; a missing one is still a command, and
// the environment's Runtime.InvalidEntrypoint. go1.x: the executable the handler names.
// Python, Node.js, Java and Ruby: the interpreter with the installed client; without a client an
// error that says how to install it. A configuration with a command of its own starts that.
//
// Where the function's variables name an AWS_LAMBDA_EXEC_WRAPPER, a managed runtime's command line
// is handed to that program, which is found below /var/task and /opt wherever these lie; provided*
// and go1.x do not look at it. Source: developer guide, "Modifying the runtime environment". A
// wrapper that is not there ends the runtime with 127: recorded; one that cannot be run with 126:
// inferred.
Expected<LaunchCommand> launch_command(const functions::FunctionConfiguration& configuration,
                                       const LaunchFolders& folders,
                                       const RuntimeClientCache& cache,
                                       const InterpreterFinder& find);

}  // namespace emulator::runtimes
