// How the command line describes functions: a template, or flags, or a command after "--".
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/app/deployment.h"
#include "emulator/app/emulator.h"
#include "emulator/app/machine.h"
#include "emulator/app/trace_flags.h"
#include "emulator/runtimes/image_unpacking.h"
#include "emulator/sandbox/isolation_plan.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace emulator::app {

struct FunctionOptions {
  std::string template_file;
  std::vector<std::string> parameters;  // KEY=VALUE
  std::string code;
  std::optional<std::string> runtime;
  std::optional<std::string> handler;
  std::optional<std::string> name;
  std::optional<int> memory_mb;
  std::optional<int> timeout_seconds;
  std::vector<std::string> variables;  // KEY=VALUE
  std::string variables_file;
  std::vector<std::string> layers;
  std::optional<int> ephemeral_storage_mb;
  std::string tracing;
  bool tenant_isolation = false;
  bool snap_start = false;
  std::optional<int> managed_concurrency;  // --managed-instances
  std::string log_format;
  std::vector<std::string> command;  // what followed "--"

  std::string sandbox = "degraded";
  std::string network = "host";
  std::string rootfs;
  std::string image;
  std::shared_ptr<const runtimes::UnpackedImage> unpacked;  // what --image was unpacked to
  std::string freeze = "on";
  std::string init_boost = "on";
  double cpu_scale = 1;
  std::string credentials = "placeholder";
  std::string region{functions::kDefaultRegion};
  TraceOptions traces;
  std::size_t max_concurrency = 1000;
  int idle_timeout_seconds = 600;
  std::string stream_bandwidth = "2MB";  // a second, see parse_stream_bandwidth()
};

// Adds --tenant-id, which names the tenant of every invocation.
void add_tenant_flag(CLI::App& command, std::string& tenant_id);

// Adds the flags to a command; `options` must outlive the parsing.
void add_function_flags(CLI::App& command, FunctionOptions& options);

// The flag of commands that pass streamed responses on; of the same options.
void add_stream_flag(CLI::App& command, FunctionOptions& options);

// The functions that the options describe, those of a template by name; all of them when `names` is
// empty. Inline code of a template is written into `temporary_parent`; the folders live as long as
// the result.
struct DescribedFunctions {
  std::vector<functions::FunctionConfiguration> functions;
  std::map<std::string, std::string> aliases;  // logical id → function name, where they differ
  std::vector<std::string> warnings;
  std::vector<std::unique_ptr<functions::TemporaryFolder>> inline_code;
};
tl::expected<DescribedFunctions, AppError> describe_functions(
    const FunctionOptions& options,
    const std::vector<std::string>& names,
    const std::filesystem::path& temporary_parent);

// The one function that `hearth invoke` and `hearth replay` run, and what it is deployed with.
// Warnings are told. `naming` is what the user would write before a function's name: "name one of",
// say.
struct ChosenFunction {
  DescribedFunctions described;  // one function
  DeploymentWorld world;
  std::shared_ptr<const runtimes::UnpackedImage> image;  // whose root must stay, or nothing
  const functions::FunctionConfiguration& function() const { return described.functions.front(); }
};
tl::expected<ChosenFunction, AppError> choose_function(const FunctionOptions& given,
                                                       const std::string& name,
                                                       std::string_view naming);

// The same, but nothing described is no error: functions can be created through the API.
tl::expected<DescribedFunctions, AppError> describe_served_functions(
    const FunctionOptions& options,
    const std::vector<std::string>& names,
    const std::filesystem::path& temporary_parent);

sandbox::IsolationWish isolation_wish(const FunctionOptions& options);

// Probes the host, unless nothing is wished for, and plans. Fails where the host cannot do what was
// told to be done; what it cannot do of the rest is told once, in one line of Hearth's own log.
tl::expected<Machine, AppError> machine_for(const FunctionOptions& options);

MachineOptions machine_options(const FunctionOptions& options);

// What the machine that runs these functions is built with, but for where its traces go.
EmulatorOptions emulator_options(const FunctionOptions& options,
                                 const DescribedFunctions& described,
                                 const Machine& machine);

// From Hearth's own surroundings.
DeploymentWorld deployment_world(const FunctionOptions& options);

}  // namespace emulator::app
