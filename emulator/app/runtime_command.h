// `hearth runtime install|list|remove`: the runtime clients that run handlers of managed runtimes.
//
// Threads: its caller's.
#pragma once

#include "emulator/runtimes/client_installation.h"
#include "emulator/runtimes/interpreter.h"

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace emulator::app {

// The world as the command sees it; tests hand in one without network.
struct RuntimeCommandHost {
  std::filesystem::path cache_root;
  runtimes::InterpreterPlaces places;
  runtimes::VersionProbe probe;
  runtimes::InstallationHost installation;
};

// From PATH, HOME and XDG_CACHE_HOME. Reads the process's environment.
RuntimeCommandHost runtime_command_host();

// `arguments` are the words after "runtime". What was asked for goes to `out` (of install: the
// folder of each client; of list: a line for each client, or with --json one document), what is
// told on the way to `err`. Returns the exit status: 0; 2 for wrong usage, an unknown runtime, or
// one that is not installed to be removed; 3 when the host lacks an interpreter or tools, or an
// installer fails.
int run_runtime_command(const std::vector<std::string>& arguments,
                        const RuntimeCommandHost& host,
                        std::ostream& out,
                        std::ostream& err);

}  // namespace emulator::app
