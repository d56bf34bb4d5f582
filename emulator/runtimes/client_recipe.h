// How each language's runtime interface client is installed: from which package of the language's
// own registry, by which of its tools, and what a whole client consists of. What differs between
// languages is here; client_installation carries it out.
//
// Values only; any thread.
#pragma once

#include "emulator/runtimes/catalog.h"
#include "emulator/runtimes/child_command.h"
#include "emulator/runtimes/interpreter.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

struct ClientRecipe {
  // A small file that Hearth adds, by its name in the client's folder.
  struct OwnFile {
    std::string name;
    std::string text;
  };

  std::string announcement;            // what is about to happen, for someone who waits
  std::vector<std::string> programs;   // that the host must have in PATH
  std::vector<OwnFile> before, after;  // the installer
  ChildCommand installer;
  std::vector<std::string> makes;  // files of a whole client; an installer may succeed without them
};

// For a runtime that needs a client; `folder` is the empty one to fill.
ClientRecipe client_recipe(const Runtime& runtime,
                           const Interpreter& interpreter,
                           const std::filesystem::path& folder);

// Of a line that the language's installer prints: what is worth telling someone who waits; nullopt
// for the many that are not.
std::optional<std::string> progress_of(Family family, std::string_view line);

// Within an installed client: what is started instead of Node.js's own entry file, which would
// print a line of its own into the function's log.
inline constexpr std::string_view kNodeEntryFile = "entry.mjs";

// Within an installed client: the folder of Java's archives, and the program of Ruby's.
inline constexpr std::string_view kJavaLibraryFolder = "lib";
inline constexpr std::string_view kRubyProgram = "bin/aws_lambda_ric";

}  // namespace emulator::runtimes
