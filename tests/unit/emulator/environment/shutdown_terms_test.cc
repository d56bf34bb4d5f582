#include "emulator/environment/shutdown_terms.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::environment;
using namespace std::chrono_literals;

TEST_CASE("only an environment with extensions takes time to shut down") {
  CHECK(shutdown_budget({}, Profile::aws) == ShutdownBudget{0ms, 0ms});
  CHECK(shutdown_budget({}, Profile::rie) == ShutdownBudget{0ms, 0ms});
  CHECK(shutdown_budget({.external = 0, .internal = 1}, Profile::aws) ==
        ShutdownBudget{500ms, 500ms});
  CHECK(shutdown_budget({.external = 1, .internal = 0}, Profile::aws) ==
        ShutdownBudget{300ms, 2000ms});
  CHECK(shutdown_budget({.external = 2, .internal = 3}, Profile::aws) ==
        ShutdownBudget{300ms, 2000ms});
}

TEST_CASE(
    "the published emulator gives its runtime 600 ms of two seconds, whatever is registered") {
  CHECK(shutdown_budget({.external = 0, .internal = 1}, Profile::rie) ==
        ShutdownBudget{600ms, 2000ms});
  CHECK(shutdown_budget({.external = 1, .internal = 0}, Profile::rie) ==
        ShutdownBudget{600ms, 2000ms});
}

TEST_CASE("a shutdown's reason is spelt as each profile spells it") {
  using R = ShutdownReason;
  CHECK(name_of(R::spindown, Profile::aws) == "spindown");
  CHECK(name_of(R::timeout, Profile::aws) == "timeout");
  CHECK(name_of(R::failure, Profile::aws) == "failure");
  CHECK(name_of(R::failed_init, Profile::aws) == "failure");
  CHECK(name_of(R::spindown, Profile::rie) == "SandboxTerminated");
  CHECK(name_of(R::timeout, Profile::rie) == "Timeout");
  CHECK(name_of(R::failure, Profile::rie) == "ReleaseFail");
  CHECK(name_of(R::failed_init, Profile::rie) == "spindown");
}
