// Installing AWS's runtime interface client for a managed language: the program that fetches
// invocations for a Python or Node.js handler. It comes from the language's own package registry,
// by the language's own installer, once; afterwards no network is needed.
//
// Threads: any; installations of one user wait for one another.
#pragma once

#include "emulator/runtimes/catalog.h"
#include "emulator/runtimes/child_command.h"
#include "emulator/runtimes/interpreter.h"
#include "emulator/runtimes/runtime_client_cache.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

// Told one line for each step that takes time.
using ProgressSink = std::function<void(std::string_view line)>;

// The host, as far as an installation uses it; handed in so that tests need no network.
struct InstallationHost {
  // Whether PATH has a program of this name.
  std::function<bool(std::string_view program)> has_program;
  // Runs a command, its output appended to the log; answers its exit status.
  std::function<Expected<int>(const ChildCommand& command, const std::filesystem::path& log)> run;
};

// The real one. `path` is PATH's value.
InstallationHost host_with_path(std::string path);

// The Debian packages that this host must be given before the client can be installed; in order,
// empty when nothing is missing. Python's client is compiled only where no ready-made one fits;
// Node.js's always is, its own copy of libcurl included, which takes about a minute.
std::vector<std::string> missing_packages(const Runtime& runtime, const InstallationHost& host);

// Checks, installs, and puts the client into the cache in place of an earlier one. The error of a
// failed installer holds the end of what it printed and where the rest is.
Expected<InstalledClient> install_client(const Runtime& runtime,
                                         const Interpreter& interpreter,
                                         const RuntimeClientCache& cache,
                                         const InstallationHost& host,
                                         const ProgressSink& progress);

// Within an installed client: what is started instead of Node.js's own entry file, which would
// print a line of its own into the function's log.
inline constexpr std::string_view kNodeEntryFile = "entry.mjs";

}  // namespace emulator::runtimes
