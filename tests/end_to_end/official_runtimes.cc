#include "tests/end_to_end/official_runtimes.h"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <fstream>

namespace tests {

Words built_project(const std::string& name) {
  const auto project = HEARTH_BINARY_DIR "/handlers/" + name;
  std::ifstream missing(project + "/missing");
  if (std::string what; std::getline(missing, what)) SKIP("SKIPPED: this host lacks " << what);
  return {"--template", project + "/template.yaml"};
}

Words interpreted_project(const std::string& name, const std::string& interpreter) {
  if (std::system((interpreter + " --version >/dev/null 2>&1").c_str()) != 0) {
    SKIP("SKIPPED: this host lacks " << interpreter << " (the package of that name)");
  }
  return {"--template", HEARTH_SOURCE_DIR "/handlers/" + name + "/template.yaml"};
}

Words newer_node_project(const std::string& name) {
  std::ifstream missing(HEARTH_BINARY_DIR "/newer-node/missing");
  if (std::string what; std::getline(missing, what)) SKIP("SKIPPED: this host lacks " << what);
  return {"--template",
          HEARTH_SOURCE_DIR "/handlers/" + name + "/template.yaml",
          "--runtime",
          "nodejs22.x"};
}

}  // namespace tests
