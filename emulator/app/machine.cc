#include "emulator/app/machine.h"

#include "emulator/functions/compute_share.h"
#include "emulator/sandbox/program_search.h"
#include "emulator/sandbox/root_filesystem.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

namespace emulator::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTaskRoot = "/var/task";
constexpr const char* kLayersRoot = "/opt";

constexpr std::array<std::string_view, 8> kOwnFolders = {
    "/dev", "/etc", "/opt", "/proc", "/tmp", "/var", "/var/runtime", "/var/task"};

// Source: AWS Lambda quotas, "Execution processes/threads".
constexpr std::uint64_t kMaxProcesses = 1'024;

bool below(const fs::path& path, const fs::path& folder) {
  const auto relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

// Whose rights Hearth has, whatever the variable HOME says; empty where that is not known.
fs::path home_of_this_user() {
  std::array<char, 16 * 1024> texts{};
  passwd entry{};
  passwd* found = nullptr;
  const int failure = ::getpwuid_r(::geteuid(), &entry, texts.data(), texts.size(), &found);
  return failure == 0 && found != nullptr ? fs::path(entry.pw_dir) : fs::path{};
}

// Whether the folder is somebody's home, holds one, or is one of those that every sandbox has of
// its own.
bool is_too_much(const fs::path& folder) {
  const char* variable = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): never written here
  for (const auto& home : {fs::path(variable == nullptr ? "" : variable), home_of_this_user()}) {
    std::error_code error;
    if (home.empty() || home == home.root_path()) continue;
    if (below(home.lexically_normal(), folder) || below(fs::weakly_canonical(home, error), folder))
      return true;
  }
  if (folder == folder.root_path() || folder == "/home") return true;
  return std::find(kOwnFolders.begin(), kOwnFolders.end(), folder.string()) != kOwnFolders.end();
}

// The folder that holds a program with its libraries, as PREFIX/bin/python3 has; empty for one that
// stands alone.
fs::path installation_of(const fs::path& program) {
  const auto folder = program.parent_path();
  if (folder.filename() != "bin" && folder.filename() != "sbin") return {};
  const auto prefix = folder.parent_path();
  return is_too_much(prefix) ? fs::path{} : prefix;
}

class ViewBuilder {
 public:
  ViewBuilder(const runtimes::LaunchFolders& folders, const Machine& machine)
      : folders_(folders), has_image_(!machine.root_image.empty()) {
    view_.image = machine.root_image;
    add(folders.task_root, folders.seen_task_root);
    add(folders.layers_root, folders.seen_layers_root);
  }

  void add(const fs::path& host, const fs::path& seen) {
    if (host.empty() || (host == seen && sandbox::is_system_path(host.string()))) return;
    const sandbox::RootView::Folder folder{.host = host.string(), .seen = seen.string()};
    if (std::find(view_.folders.begin(), view_.folders.end(), folder) == view_.folders.end()) {
      view_.folders.push_back(folder);
    }
  }

  // The program as processes find it.
  std::string add_program(const std::string& program) {
    if (program.empty() || program.front() != '/') return program;
    const fs::path path(program);
    std::error_code error;
    for (const auto& [host, seen] : {std::pair{folders_.task_root, folders_.seen_task_root},
                                     std::pair{folders_.layers_root, folders_.seen_layers_root}}) {
      if (host.empty()) continue;
      if (below(path, host)) return (seen / path.lexically_relative(host)).string();
      // The host may have a program of its own below /opt.
      if (below(path, seen) && fs::exists(host / path.lexically_relative(seen), error)) {
        return program;
      }
    }
    if (has_image_) return program;
    const auto real = fs::canonical(path, error);
    if (error) return program;
    if (!sandbox::is_system_path(program)) add_with_installation(path);
    if (real != path && !sandbox::is_system_path(real.string())) add_with_installation(real);
    return program;
  }

  sandbox::RootView take() && { return std::move(view_); }

 private:
  void add_with_installation(const fs::path& program) {
    const auto seen = [&](const sandbox::RootView::Folder& folder) {
      std::error_code error;
      return below(program, folder.seen) &&
             fs::exists(folder.host / program.lexically_relative(folder.seen), error);
    };
    if (std::any_of(view_.folders.begin(), view_.folders.end(), seen)) return;
    const auto prefix = installation_of(program);
    add(prefix.empty() ? program : prefix, prefix.empty() ? program : prefix);
  }

  const runtimes::LaunchFolders& folders_;
  const bool has_image_;
  sandbox::RootView view_;
};

void assign_share(environment::EnvironmentSpec& spec,
                  const functions::FunctionConfiguration& configuration,
                  const Machine& machine) {
  // On Managed Instances memory is in a ratio to whole vCPUs, which the function has at any time.
  const auto cpus =
      configuration.managed
          ? functions::managed_cpus(configuration.memory, configuration.managed->memory_per_cpu)
          : 0;
  const auto memory_mb =
      cpus > 0 ? cpus * functions::kMemoryOfOneCpuMb : configuration.memory.mebibytes;
  auto& share = spec.machine;
  share.memory_bytes = static_cast<std::uint64_t>(configuration.memory.bytes());
  share.max_processes = kMaxProcesses;
  share.cpu.quota = functions::cpu_quota(memory_mb, machine.options.cpu_scale);
  share.cpu.visible_cpus = cpus > 0 ? cpus : functions::visible_cpus(memory_mb);
  if (machine.options.init_boost == MachineOptions::InitBoost::on) {
    spec.init_cpu_quota = functions::init_cpu_quota(memory_mb, machine.options.cpu_scale);
  }
  spec.freezing = machine.options.freeze == MachineOptions::Freeze::on ? environment::Freezing::on
                                                                       : environment::Freezing::off;
}

}  // namespace

runtimes::LaunchFolders launch_folders(const functions::CodePackage& package,
                                       const fs::path& working_folder,
                                       const Machine& machine) {
  if (!machine.plan.namespaces) {
    return {.task_root = package.task,
            .layers_root = package.layers,
            .seen_task_root = package.task,
            .seen_layers_root = package.layers};
  }
  std::error_code error;
  // What an image holds is the code then.
  const auto otherwise = machine.root_image.empty() ? working_folder : fs::path{};
  const auto task = package.task.empty() ? otherwise : fs::absolute(package.task, error);
  return {.task_root = task,
          .layers_root = package.layers,
          .seen_task_root = kTaskRoot,
          .seen_layers_root = kLayersRoot};
}

environment::EnvironmentSpec::LayersFolder layers_folder(const runtimes::LaunchFolders& folders,
                                                         const Machine& machine) {
  if (!folders.layers_root.empty()) {
    return {.host = folders.layers_root.string(), .seen = folders.seen_layers_root.string()};
  }
  if (machine.root_image.empty() || !machine.plan.namespaces) return {};
  return {.host = machine.root_image + kLayersRoot, .seen = kLayersRoot};
}

std::optional<std::string> assign_machine(environment::EnvironmentSpec& spec,
                                          const functions::FunctionConfiguration& configuration,
                                          const runtimes::LaunchFolders& folders,
                                          const runtimes::LaunchCommand& launch,
                                          const Machine& machine) {
  if (machine.plan.strictness == sandbox::Strictness::none) return std::nullopt;
  assign_share(spec, configuration, machine);
  if (machine.plan.namespaces) {
    ViewBuilder view(folders, machine);
    for (const auto& folder : launch.host_folders) {
      // The program is then shown alone.
      if (!is_too_much(folder)) view.add(folder, folder);
    }
    if (machine.root_image.empty()) spec.argv.front() = sandbox::find_program(spec.argv.front());
    spec.argv.front() = view.add_program(spec.argv.front());
    if (!machine.root_image.empty() && folders.task_root.empty() &&
        spec.working_folder == kTaskRoot &&
        !sandbox::is_folder_in_root(kTaskRoot, machine.root_image)) {
      spec.working_folder = "/";
    }
    spec.machine.view = std::move(view).take();
    spec.machine.view.temporary_bytes =
        static_cast<std::uint64_t>(configuration.ephemeral_storage.bytes());
  }
  const int visible = spec.machine.cpu.visible_cpus;
  if (machine.host_cpus == 0 || visible <= machine.host_cpus) return std::nullopt;
  return "on AWS " + std::to_string(configuration.memory.mebibytes) + " MB have " +
         std::to_string(visible) + " CPUs; this host has " + std::to_string(machine.host_cpus);
}

}  // namespace emulator::app
