// Running a program of the host to its end: an interpreter asked for its version, an installer.
//
// Threads: any. Blocks until the program is gone.
#pragma once

#include "emulator/runtimes/runtime_error.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

struct ChildCommand {
  std::vector<std::string> argv;  // argv[0] is a path, or a name to look up in PATH
  std::filesystem::path folder;   // to start in; empty: here
  std::map<std::string, std::string> environment;  // added to ours, and stronger
};

// Told lines of text, without their ends, one at a time.
using LineSink = std::function<void(std::string_view line)>;

// Runs the command with its output appended to `log` and told to `told` by whole lines; returns its
// exit status, 128 + signal when a signal ended it. An error only when it could not be started.
// What a process that it left behind writes later is lost.
Expected<int> run_to_log(const ChildCommand& command,
                         const std::filesystem::path& log,
                         const LineSink& told);

// Runs the command and returns what it wrote to stdout, up to 4 KiB; an error when it could not be
// started or did not succeed.
Expected<std::string> output_of(const ChildCommand& command);

}  // namespace emulator::runtimes
