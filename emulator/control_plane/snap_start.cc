#include "emulator/control_plane/snap_start.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <variant>

namespace emulator::control_plane {
namespace {

using environment::Outcome;
using environment::SnapshotStatus;

struct StateReason {
  std::string_view code;
  std::string sentence;
};

std::string_view code_of_launch_failure(std::string_view error_type) {
  if (error_type == "Runtime.InvalidEntrypoint") return "FunctionError.InvalidEntryPoint";
  if (error_type == "Runtime.InvalidWorkingDir") return "FunctionError.InvalidWorkingDirectory";
  return "InvalidRuntime";
}

// The runtime's own words, where it has any that can be read.
std::string message_in(const std::string& body) {
  const auto error = Document::parse(body, nullptr, false);
  if (!error.is_object()) return body;
  const auto message = error.find("errorMessage");
  return message != error.end() && message->is_string() ? message->get<std::string>() : body;
}

StateReason reason_of(const Outcome& failure) {
  if (const auto* timed_out = std::get_if<environment::TimedOut>(&failure)) {
    return {"FunctionError.InitTimeout",
            "its Init took longer than " + std::to_string(timed_out->limit.count()) + " ms"};
  }
  if (const auto* error = std::get_if<environment::FunctionError>(&failure)) {
    return {"FunctionError.RuntimeInitError", message_in(error->body)};
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

ServiceError unsupported(std::string_view what) {
  return invalid_parameter_value(std::string(what) +
                                 " is not supported for SnapStart enabled functions.");
}

}  // namespace

bool uses_snap_start(const Document& configuration) {
  return configuration.value("SnapStart", Document::object()).value("ApplyOn", "None") ==
         "PublishedVersions";
}

tl::expected<void, ServiceError> check_snap_start(const Document& configuration) {
  if (!uses_snap_start(configuration)) return {};
  if (configuration.value("PackageType", "Zip") == "Image") {
    return tl::unexpected(unsupported("ContainerImage"));
  }
  const auto runtime = configuration.value("Runtime", "");
  if (!functions::supports_snap_start(runtime)) return tl::unexpected(unsupported(runtime));
  const auto storage = configuration.value("EphemeralStorage", Document::object());
  if (storage.value("Size", std::int64_t{0}) > functions::kMinEphemeralStorage.mebibytes) {
    return tl::unexpected(unsupported("EphemeralStorage greater than " +
                                      std::to_string(functions::kMinEphemeralStorage.mebibytes) +
                                      " MB"));
  }
  if (!configuration.value("FileSystemConfigs", Document::array()).empty()) {
    return tl::unexpected(unsupported("FileSystemConfigs"));
  }
  return {};
}

ServiceError not_with_snap_start(std::string_view feature) { return unsupported(feature); }

Document with_snapshot_state(Document configuration,
                             const std::optional<SnapshotStatus>& snapshot) {
  if (!snapshot) return configuration;
  if (snapshot->state == SnapshotStatus::State::pending) {
    configuration["State"] = "Pending";
    configuration["StateReason"] = "The function is being created.";
    configuration["StateReasonCode"] = "Creating";
  } else if (snapshot->state == SnapshotStatus::State::failed && snapshot->failure) {
    auto reason = reason_of(*snapshot->failure);
    configuration["State"] = "Failed";
    configuration["StateReason"] =
        "The function version could not be initialized for its snapshot (" +
        std::string(environment::error_type(*snapshot->failure)) + "): " + reason.sentence;
    configuration["StateReasonCode"] = reason.code;
  }
  return configuration;
}

ServiceError from_restore_failure(const environment::RestoreFailed& failed) {
  const bool late = failed.kind == environment::RestoreFailed::Kind::timed_out;
  ServiceError error;
  error.exception = late ? "SnapStartTimeoutException" : "SnapStartException";
  error.status = late ? 408 : 400;
  error.key = MessageKey::capital;
  error.message = "The environment could not be restored from its snapshot (" + failed.error_type +
                  "): " + message_in(failed.reason);
  return error;
}

}  // namespace emulator::control_plane
