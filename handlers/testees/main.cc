// Programs that misbehave, one way each; TESTEE_MODE, or else the handler's name, chooses which.
// They are what the tests hold against Hearth: each does on purpose what a function should not.
#include "handlers/testees/misbehaviour.h"

#include <cstdlib>
#include <string_view>

namespace {

// NOLINTNEXTLINE(concurrency-mt-unsafe): the one thread there is
std::string_view variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr ? value : "";
}

}  // namespace

int main() {
  auto mode = variable("TESTEE_MODE");
  if (mode.empty()) mode = variable("_HANDLER");
  return testees::misbehave(mode);
}
