// The runtimes AWS offers, by id, and what family of programs runs each.
//
// Values only; any thread.
#pragma once

#include "emulator/runtimes/runtime_error.h"

#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

enum class Family { provided, go, python, nodejs, java, ruby };

struct Runtime {
  std::string id;  // as in a template: "python3.11"
  Family family = Family::provided;
  std::string version;  // of the language: "3.11", "20", "8"; empty for provided and go
  bool operator==(const Runtime&) const = default;
};

// A family that Hearth does not run (dotnet) is an error that says how to run it all the same; an
// id that AWS does not know is one that names the id that was probably meant. Source of the ids:
// developer guide, "Lambda runtimes", those that can still be invoked.
Expected<Runtime> find_runtime(std::string_view id);

// The ids that find_runtime accepts, in the catalog's order.
std::vector<std::string_view> supported_runtimes();

// What people call the language: "Python", "Node.js"; "" where there is none.
std::string_view language(Family family);

// Whether the runtime brings its own language, so that a client must be installed to run it.
bool needs_client(const Runtime& runtime);

}  // namespace emulator::runtimes
