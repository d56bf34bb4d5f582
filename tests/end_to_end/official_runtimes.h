// Functions that AWS's own runtime clients run, as tests find them.
#pragma once

#include "tests/end_to_end/hearth_program.h"

#include <string>

namespace tests {

// A project that build-official-runtimes made, as arguments. Skips the test where it could not,
// saying why.
Words built_project(const std::string& name);

// A project of the source tree, run by an interpreter of this host; skips the test where it lacks
// that.
Words interpreted_project(const std::string& name, const std::string& interpreter);

// A project of the source tree for Node.js, run by the Node.js 22 that install-newer-node made;
// skips the test where it could not, saying why.
Words newer_node_project(const std::string& name);

}  // namespace tests
