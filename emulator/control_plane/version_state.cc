#include "emulator/control_plane/version_state.h"

#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/snap_start.h"
#include "emulator/invoke/error_body.h"

#include <nlohmann/json.hpp>

#include <utility>
#include <variant>

namespace emulator::control_plane {
namespace {

using environment::Outcome;
using environment::VersionStatus;

struct StateReason {
  std::string_view code;
  std::string sentence;
};

std::string_view code_of_launch_failure(std::string_view error_type) {
  if (error_type == "Runtime.InvalidEntrypoint") return "FunctionError.InvalidEntryPoint";
  if (error_type == "Runtime.InvalidWorkingDir") return "FunctionError.InvalidWorkingDirectory";
  return "InvalidRuntime";
}

StateReason reason_of(const Outcome& failure) {
  if (const auto* timed_out = std::get_if<environment::TimedOut>(&failure)) {
    return {"FunctionError.InitTimeout",
            "its Init took longer than " + std::to_string(timed_out->limit.count()) + " ms"};
  }
  if (const auto* error = std::get_if<environment::FunctionError>(&failure)) {
    return {"FunctionError.RuntimeInitError", invoke::error_message_in(error->body)};
  }
  if (const auto* out = std::get_if<environment::OutOfMemory>(&failure)) {
    return {"FunctionError.InitResourceExhausted", describe(*out)};
  }
  if (const auto* extension = std::get_if<environment::ExtensionFailed>(&failure)) {
    return {"FunctionError.ExtensionInitError", describe(*extension)};
  }
  if (const auto* never = std::get_if<environment::NeverStarted>(&failure)) {
    return {code_of_launch_failure(never->error_type), never->reason};
  }
  if (const auto* exited = std::get_if<environment::RuntimeExited>(&failure)) {
    return {"FunctionError.RuntimeInitError", describe(*exited)};
  }
  return {"FunctionError", "its Init failed"};
}

}  // namespace

bool is_made_ready(const Document& configuration) {
  return uses_snap_start(configuration) || is_managed(configuration);
}

Document with_version_state(Document configuration, const std::optional<VersionStatus>& status) {
  if (!status) return configuration;
  if (status->state == VersionStatus::State::pending) {
    configuration["State"] = "Pending";
    configuration["StateReason"] = "The function is being created.";
    configuration["StateReasonCode"] = "Creating";
  } else if (status->state == VersionStatus::State::failed && status->failure) {
    const auto reason = reason_of(*status->failure);
    configuration["State"] = "Failed";
    configuration["StateReason"] = "The function version could not be initialized ahead (" +
                                   std::string(environment::error_type(*status->failure)) +
                                   "): " + reason.sentence;
    configuration["StateReasonCode"] = reason.code;
  }
  return configuration;
}

}  // namespace emulator::control_plane
