#include "emulator/control_plane/operation_router.h"
#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <iterator>

TEST_CASE("the document of fidelity lists every operation that Hearth has not, and no other",
          "[operations]") {
  tests::ServiceParts parts;
  const auto tables = emulator::control_plane::all_operations();
  const emulator::control_plane::OperationRouter router(parts.world, tables);
  std::ifstream file(HEARTH_SOURCE_DIR "/docs/fidelity.md");
  const std::string document(std::istreambuf_iterator<char>(file), {});
  const auto section = document.find("## What this version does not do");
  REQUIRE(section != std::string::npos);
  const auto text = document.substr(section);
  const auto missing = router.missing_operations();
  CHECK_FALSE(missing.empty());
  for (const auto& name : missing) {
    INFO(name);
    CHECK(text.find("`" + name + "`") != std::string::npos);
  }
  for (const auto& table : tables) {
    for (const auto& operation : table) {
      INFO(operation.name);
      CHECK(text.find("`" + std::string(operation.name) + "`") == std::string::npos);
    }
  }
}
