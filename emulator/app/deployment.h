// From a function's configuration to what an environment is made of: its code unpacked, its runtime
// found, its variables complete.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/app/machine.h"
#include "emulator/environment/environment_spec.h"
#include "emulator/functions/code_package.h"
#include "emulator/functions/function.h"
#include "emulator/runtimes/interpreter.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::app {

// Which credentials a function is given: none that work, or those in Hearth's own environment.
enum class Credentials { placeholder, inherited };

// Of functions that are described and run without being published.
inline constexpr std::string_view kFirstVersion = "1";

struct DeploymentWorld {
  std::filesystem::path temporary_parent;
  std::filesystem::path working_folder;  // Hearth's own
  std::filesystem::path runtime_cache;
  runtimes::InterpreterPlaces places;
  std::string region{functions::kDefaultRegion};
  std::string account{functions::kDefaultAccount};
  std::map<std::string, std::string> inherited;  // Hearth's own variables
  Machine machine;
  // What an image says of its functions' processes: weaker than what a function says itself.
  std::map<std::string, std::string> image_variables;
  std::filesystem::path image_working_folder;  // as processes see it; empty: there is no image
  Credentials credentials = Credentials::placeholder;
  // As which version deploy_all() deploys what is described.
  std::string described_version{functions::kLatestVersion};
  // Where the functions' SDKs find the Lambda API; empty while nothing serves it.
  std::string lambda_endpoint;
};

struct Deployed {
  std::shared_ptr<const environment::EnvironmentSpec> spec;
  functions::CodePackage package;    // owns what was unpacked
  std::vector<std::string> remarks;  // to be told once
};

tl::expected<Deployed, AppError> deploy(const functions::FunctionConfiguration& configuration,
                                        const DeploymentWorld& world,
                                        std::string_view version = functions::kLatestVersion);

// All of them, or the first failure. Remarks go to Hearth's own log.
tl::expected<std::vector<Deployed>, AppError> deploy_all(
    const std::vector<functions::FunctionConfiguration>& configurations,
    const DeploymentWorld& world);

}  // namespace emulator::app
