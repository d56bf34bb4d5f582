#include "emulator/control_plane/snap_start.h"

#include "emulator/invoke/error_body.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace emulator::control_plane {
namespace {

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

ServiceError from_restore_failure(const environment::RestoreFailed& failed) {
  const bool late = failed.kind == environment::RestoreFailed::Kind::timed_out;
  ServiceError error;
  error.exception = late ? "SnapStartTimeoutException" : "SnapStartException";
  error.status = late ? 408 : 400;
  error.key = MessageKey::capital;
  error.message = "The environment could not be restored from its snapshot (" + failed.error_type +
                  "): " + invoke::error_message_in(failed.reason);
  return error;
}

}  // namespace emulator::control_plane
