// How an environment's processes are asked to end, and how long they may take.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/environment/invocation_report.h"
#include "runtime_api/extension_hub.h"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace emulator::environment {

enum class ShutdownReason : std::uint8_t {
  spindown,     // it is no longer needed
  timeout,      // an invocation took too long
  failure,      // the runtime or an extension failed
  failed_init,  // the same, before it could serve
};

// As the event spells it. Source: the names are the developer guide's, in the letters of the
// published emulator's newer mode; in the `rie` profile what its older mode sends.
constexpr std::string_view name_of(ShutdownReason reason, Profile profile) {
  const bool aws = profile == Profile::aws;
  switch (reason) {
    case ShutdownReason::spindown:
      return aws ? "spindown" : "SandboxTerminated";
    case ShutdownReason::timeout:
      return aws ? "timeout" : "Timeout";
    case ShutdownReason::failure:
      return aws ? "failure" : "ReleaseFail";
    case ShutdownReason::failed_init:
      return aws ? "failure" : "spindown";
  }
  return "";
}

// From its beginning. Who is not done by then is killed.
struct ShutdownBudget {
  std::chrono::milliseconds runtime{};  // from SIGTERM on
  std::chrono::milliseconds total{};

  // How long subscribers may take for what is left before anybody is told of the end. Our choice.
  std::chrono::milliseconds last_delivery() const { return total / 4; }
  bool operator==(const ShutdownBudget&) const = default;
};

// Nothing without extensions: every process is killed at once. Sources: developer guide, "Shutdown
// phase"; in the `rie` profile the published emulator's figures.
constexpr ShutdownBudget shutdown_budget(const runtime_api::ExtensionCensus& census,
                                         Profile profile) {
  using std::chrono::milliseconds;
  if (census.external == 0 && census.internal == 0) return {};
  if (profile == Profile::rie) return {milliseconds{600}, milliseconds{2'000}};
  if (census.external == 0) return {milliseconds{500}, milliseconds{500}};
  return {milliseconds{300}, milliseconds{2'000}};
}

// On Managed Instances. Source: the published emulator's mode for these.
constexpr ShutdownBudget managed_shutdown_budget(const runtime_api::ExtensionCensus& census) {
  return shutdown_budget(census, Profile::rie);
}

}  // namespace emulator::environment
