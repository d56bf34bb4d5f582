// Installing AWS's runtime interface client for a managed language: the program that fetches
// invocations for a Python, Node.js, Java or Ruby handler. It comes from the language's own package
// registry, by the language's own installer, once; afterwards no network is needed.
//
// Threads: any; installations of one user wait for one another.
#pragma once

#include "emulator/runtimes/catalog.h"
#include "emulator/runtimes/child_command.h"
#include "emulator/runtimes/host_packages.h"
#include "emulator/runtimes/interpreter.h"
#include "emulator/runtimes/runtime_client_cache.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

// The host, as far as an installation uses it; handed in so that tests need no network.
struct InstallationHost {
  // Whether PATH has a program of this name.
  std::function<bool(std::string_view program)> has_program;
  // Runs a command, its output appended to the log and told by lines; answers its exit status.
  std::function<Expected<int>(
      const ChildCommand& command, const std::filesystem::path& log, const LineSink& told)>
      run;
  Distribution distribution = Distribution::unknown;  // for what to install when a tool is missing
};

// The real one. `path` is PATH's value.
InstallationHost host_with_path(std::string path, Distribution distribution);

// What becomes of a client that is there already: installing again is nothing to do, or brings the
// newest.
enum class Existing { kept, replaced };

struct InstallationWish {
  Runtime runtime;
  Interpreter interpreter;
  Existing existing = Existing::kept;
};

// The programs that this host must be given before the client can be installed; in order, empty
// when nothing is missing. Python's client is compiled only where no ready-made one fits;
// Node.js's always is, its own copy of libcurl included, which takes about a minute.
std::vector<std::string> missing_programs(const InstallationWish& wish,
                                          const InstallationHost& host);

// Checks, installs, and puts the client into the cache in place of an earlier one. Waits for
// another installation of this user; what that one installed is then there already. The error of a
// failed installer holds the end of what it printed and where the rest is.
Expected<InstalledClient> install_client(const InstallationWish& wish,
                                         const RuntimeClientCache& cache,
                                         const InstallationHost& host,
                                         const LineSink& progress);

}  // namespace emulator::runtimes
