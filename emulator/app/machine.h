// From a function's configuration to the machine that its environments get: how much memory and
// CPU, and what of the host its processes see.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/functions/code_package.h"
#include "emulator/functions/function.h"
#include "emulator/runtimes/launch_command.h"
#include "emulator/sandbox/isolation_plan.h"

#include <filesystem>
#include <optional>
#include <string>

namespace emulator::app {

// How closely the machine keeps to Lambda's where that costs time or has to be told about the host.
struct MachineOptions {
  enum class Freeze { off, on };     // processes between invocations
  enum class InitBoost { off, on };  // the Init phase has more CPU than the memory size gives
  Freeze freeze = Freeze::on;
  InitBoost init_boost = InitBoost::on;
  double cpu_scale = 1;  // multiplies every CPU quota; below 1 on a host that is faster than Lambda
  bool operator==(const MachineOptions&) const = default;
};

struct Machine {
  sandbox::IsolationPlan plan = sandbox::bare_plan();
  MachineOptions options;
  std::string root_image;  // an unpacked image; empty: the host's system folders
  int host_cpus = 0;       // that Hearth may run on; 0: not asked
};

// Where code and layers lie and where processes find them. A function without code, which a command
// of its own may be, has the folder that Hearth was started in, or what an image has at /var/task.
runtimes::LaunchFolders launch_folders(const functions::CodePackage& package,
                                       const std::filesystem::path& working_folder,
                                       const Machine& machine);

// The folder that is /opt for the function, where extensions are looked for: its layers, or what an
// image has there. Empty where there is none.
environment::EnvironmentSpec::LayersFolder layers_folder(const runtimes::LaunchFolders& folders,
                                                         const Machine& machine);

// Gives `spec`, whose argv and working folder are set, its share of the machine. A program that
// lies outside of what its processes see is made visible, alone or with the installation that it
// belongs to. Answers what is to be told once.
std::optional<std::string> assign_machine(environment::EnvironmentSpec& spec,
                                          const functions::FunctionConfiguration& configuration,
                                          const runtimes::LaunchFolders& folders,
                                          const runtimes::LaunchCommand& launch,
                                          const Machine& machine);

}  // namespace emulator::app
