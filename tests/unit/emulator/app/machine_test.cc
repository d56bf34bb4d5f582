#include "emulator/app/machine.h"

#include "emulator/functions/compute_share.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdlib.h>
#include <string>

using namespace emulator::app;
using namespace std::chrono_literals;
using emulator::environment::EnvironmentSpec;
using emulator::functions::CodePackage;
using emulator::functions::FunctionConfiguration;
using emulator::functions::MemorySize;
using emulator::runtimes::LaunchCommand;
using emulator::runtimes::LaunchFolders;
using emulator::sandbox::RootView;
namespace fs = std::filesystem;

namespace {

Machine isolating() {
  Machine machine;
  machine.plan.strictness = emulator::sandbox::Strictness::degraded;
  machine.plan.namespaces = true;
  return machine;
}

// Restores the variable.
class Variable {
 public:
  Variable(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* before = ::getenv(name)) before_ = before;
    set(value);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { set(before_); }

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      ::setenv(name_, value->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

// A host with code, layers and programs.
class Host {
 public:
  Host() : root_(fs::canonical(folder_.path())) {
    for (const auto* name : {"task", "layers", "home"}) fs::create_directories(root_ / name);
  }
  fs::path path(const std::string& name) const { return root_ / name; }
  std::string program(const std::string& name) const {
    folder_.write(name, "#!/bin/sh\n");
    fs::permissions(path(name), fs::perms::owner_all);
    return path(name).string();
  }
  LaunchFolders folders() const {
    return {.task_root = path("task"),
            .layers_root = path("layers"),
            .seen_task_root = "/var/task",
            .seen_layers_root = "/opt"};
  }
  EnvironmentSpec assigned(const std::string& program,
                           const Machine& machine = isolating(),
                           const LaunchCommand& launch = {}) const {
    EnvironmentSpec spec;
    spec.argv = {program, "argument"};
    assign_machine(spec, {}, folders(), launch, machine);
    return spec;
  }

 private:
  tests::ScratchFolder folder_;
  fs::path root_;
};

bool shows(const EnvironmentSpec& spec, const fs::path& host, const fs::path& seen) {
  const RootView::Folder wanted{.host = host.string(), .seen = seen.string()};
  const auto& folders = spec.machine.view.folders;
  return std::find(folders.begin(), folders.end(), wanted) != folders.end();
}
bool shows(const EnvironmentSpec& spec, const fs::path& path) { return shows(spec, path, path); }

}  // namespace

TEST_CASE("code and layers are found where AWS has them, or where they lie", "[machine]") {
  CodePackage package;
  package.task = "/code";
  package.layers = "/layers";
  const auto own = launch_folders(package, "/project", isolating());
  CHECK(own.task_root == "/code");
  CHECK(own.layers_root == "/layers");
  CHECK(own.seen_task_root == "/var/task");
  CHECK(own.seen_layers_root == "/opt");
  const auto bare = launch_folders(package, "/project", {});
  CHECK(bare.seen_task_root == "/code");
  CHECK(bare.seen_layers_root == "/layers");
}

TEST_CASE("extensions are looked for in the layers, or where an image has them", "[machine]") {
  CodePackage package;
  package.layers = "/layers";
  const auto own = layers_folder(launch_folders(package, "/project", isolating()), isolating());
  CHECK(own.host == "/layers");
  CHECK(own.seen == "/opt");
  const auto bare = layers_folder(launch_folders(package, "/project", {}), {});
  CHECK(bare.host == "/layers");
  CHECK(bare.seen == "/layers");
  CHECK(layers_folder(launch_folders({}, "/project", isolating()), isolating()).host.empty());
  auto with_image = isolating();
  with_image.root_image = "/image";
  const auto image = layers_folder(launch_folders({}, "/project", with_image), with_image);
  CHECK(image.host == "/image/opt");
  CHECK(image.seen == "/opt");
}

TEST_CASE("a function without code has the folder that Hearth was started in", "[machine]") {
  CHECK(launch_folders({}, "/project", isolating()).task_root == "/project");
  CHECK(launch_folders({}, "/project", {}).task_root.empty());
  CodePackage relative;
  relative.task = "code";
  CHECK(launch_folders(relative, "/project", isolating()).task_root == fs::current_path() / "code");
}

TEST_CASE("without isolation a function has no share of the machine", "[machine]") {
  EnvironmentSpec spec;
  spec.argv = {"python3"};
  Machine machine;
  machine.host_cpus = 1;
  CHECK_FALSE(assign_machine(spec, {}, {}, {}, machine));
  CHECK(spec.argv.front() == "python3");
  CHECK_FALSE(spec.machine.memory_bytes);
  CHECK_FALSE(spec.machine.cpu.quota);
  CHECK_FALSE(spec.machine.max_processes);
  CHECK(spec.machine.view == RootView{});
  CHECK_FALSE(spec.init_cpu_quota);
  CHECK(spec.freezing == emulator::environment::Freezing::off);
}

TEST_CASE("on Managed Instances a function's memory is in a ratio to whole vCPUs", "[machine]") {
  FunctionConfiguration configuration;
  configuration.memory = MemorySize{12 * 1'024};
  configuration.managed.emplace().memory_per_cpu = 4;
  EnvironmentSpec spec;
  spec.argv = {"/usr/bin/env"};
  assign_machine(spec, configuration, {}, {}, isolating());
  CHECK(spec.machine.cpu.visible_cpus == 3);
  CHECK(spec.machine.cpu.quota == 3 * emulator::functions::kSchedulingPeriod);
}

TEST_CASE("a function's share follows from its memory and the options", "[machine]") {
  FunctionConfiguration configuration;
  configuration.memory = MemorySize{256};
  configuration.ephemeral_storage = MemorySize{1'024};
  EnvironmentSpec spec;
  spec.argv = {"/usr/bin/env"};
  auto machine = isolating();
  assign_machine(spec, configuration, {}, {}, machine);
  CHECK(spec.machine.memory_bytes == 256ULL * 1024 * 1024);
  CHECK(spec.machine.max_processes == 1'024);
  CHECK(spec.machine.cpu.quota == 2'894us);
  CHECK(spec.machine.cpu.visible_cpus == 2);
  CHECK(spec.init_cpu_quota == 40'000us);
  CHECK(spec.freezing == emulator::environment::Freezing::on);
  CHECK(spec.machine.view.temporary_bytes == 1'024ULL * 1024 * 1024);

  machine.options = {.freeze = MachineOptions::Freeze::off,
                     .init_boost = MachineOptions::InitBoost::off,
                     .cpu_scale = 0.5};
  EnvironmentSpec plain;
  plain.argv = {"/usr/bin/env"};
  assign_machine(plain, configuration, {}, {}, machine);
  CHECK(plain.machine.cpu.quota == 1'447us);
  CHECK_FALSE(plain.init_cpu_quota);
  CHECK(plain.freezing == emulator::environment::Freezing::off);
}

TEST_CASE("a host with fewer CPUs than AWS would show is told", "[machine]") {
  auto machine = isolating();
  const auto remark = [&](int cpus) {
    machine.host_cpus = cpus;
    EnvironmentSpec spec;
    spec.argv = {"/usr/bin/env"};
    FunctionConfiguration configuration;
    configuration.memory = MemorySize{4'096};
    return assign_machine(spec, configuration, {}, {}, machine);
  };
  CHECK(remark(2) == "on AWS 4096 MB have 3 CPUs; this host has 2");
  CHECK_FALSE(remark(3));
  CHECK_FALSE(remark(0));
}

TEST_CASE("a program in the code or a layer is started where it is seen", "[machine]") {
  const Host host;
  CHECK(host.assigned(host.program("task/bin/app")).argv.front() == "/var/task/bin/app");
  CHECK(host.assigned(host.program("layers/bootstrap")).argv.front() == "/opt/bootstrap");
  const auto seen = host.assigned("/opt/bootstrap");
  CHECK(seen.argv.front() == "/opt/bootstrap");
  CHECK(seen.machine.view.folders.size() == 2);
  CHECK(shows(seen, host.path("task"), "/var/task"));
  CHECK(shows(seen, host.path("layers"), "/opt"));
}

TEST_CASE("a command of its own is looked up as a shell would, and its folder shown", "[machine]") {
  const Host host;
  const auto program = host.program("tools/bin/interpreter");
  const Variable path("PATH", "/nowhere:" + host.path("tools/bin").string());
  const auto spec = host.assigned("interpreter");
  CHECK(spec.argv.front() == program);
  CHECK(spec.argv.back() == "argument");
  CHECK(shows(spec, host.path("tools")));
  CHECK(host.assigned("no-such-program").argv.front() == "no-such-program");
}

TEST_CASE("an interpreter elsewhere is shown with its installation and nothing more", "[machine]") {
  const Host host;
  const auto spec = host.assigned(host.program("python-3.12/bin/python3"));
  CHECK(shows(spec, host.path("python-3.12")));
  CHECK(spec.machine.view.folders.size() == 3);
  const auto alone = host.assigned(host.program("tools/server"));
  CHECK(shows(alone, host.path("tools/server")));
  CHECK(alone.machine.view.folders.size() == 3);
}

TEST_CASE("a program that is a link is shown with what it leads to", "[machine]") {
  const Host host;
  host.program("python-3.12/bin/python3");
  fs::create_directories(host.path("venv/bin"));
  fs::create_symlink(host.path("python-3.12/bin/python3"), host.path("venv/bin/python"));
  const auto spec = host.assigned(host.path("venv/bin/python").string());
  CHECK(spec.argv.front() == host.path("venv/bin/python"));
  CHECK(shows(spec, host.path("venv")));
  CHECK(shows(spec, host.path("python-3.12")));
}

TEST_CASE("a program of the system needs no folder", "[machine]") {
  const Host host;
  CHECK(host.assigned("/usr/bin/env").machine.view.folders.size() == 2);
  CHECK(host.assigned("/bin/sh").machine.view.folders.size() == 2);
}

TEST_CASE("a home is never shown as a whole", "[machine]") {
  const Host host;
  const auto program = host.program("home/bin/app");
  for (const auto* written : {"home", "home/", "home/../home", "home/deeper/still"}) {
    INFO(written);
    const Variable home("HOME", host.path(written).string());
    const auto spec = host.assigned(program);
    CHECK(shows(spec, program));
    CHECK_FALSE(shows(spec, host.path("home")));
  }
  fs::create_symlink(host.path("home"), host.path("linked"));
  const Variable home("HOME", host.path("linked").string());
  CHECK_FALSE(shows(host.assigned(program), host.path("home")));
}

TEST_CASE("of an interpreter that lies in a home, the home is not shown", "[machine]") {
  const Host host;
  const Variable home("HOME", host.path("home").string());
  const auto interpreter = host.program("home/bin/python3");
  LaunchCommand launch;
  launch.host_folders = {host.path("home"), host.path("client")};
  const auto spec = host.assigned(interpreter, isolating(), launch);
  CHECK(shows(spec, interpreter));
  CHECK(shows(spec, host.path("client")));
  CHECK_FALSE(shows(spec, host.path("home")));
}

TEST_CASE("a folder that a sandbox has of its own is not hidden by the host's", "[machine]") {
  // Only where the test may write there: /tmp/bin is anybody's to make.
  const fs::path folder = "/tmp/bin";
  std::error_code error;
  const bool made = fs::create_directory(folder, error);
  const auto program = folder / "hearth-test-program";
  std::ofstream(program) << "#!/bin/sh\n";
  if (!fs::exists(program)) SKIP("/tmp/bin cannot be written");
  fs::permissions(program, fs::perms::owner_all);
  const auto spec = Host().assigned(program.string());
  CHECK(shows(spec, program));
  CHECK_FALSE(shows(spec, "/tmp"));
  fs::remove(program);
  if (made) fs::remove(folder);
}

TEST_CASE("a host's own program where layers are seen is still shown", "[machine]") {
  // As /opt has one on build machines. Here the layers are seen where the host has other things.
  const Host host;
  auto folders = host.folders();
  folders.seen_layers_root = host.path("opt");
  EnvironmentSpec spec;
  spec.argv = {host.program("opt/toolcache/bin/python3")};
  assign_machine(spec, {}, folders, {}, isolating());
  CHECK(spec.argv.front() == host.path("opt/toolcache/bin/python3"));
  CHECK(shows(spec, host.path("opt/toolcache")));

  host.program("layers/toolcache/bin/python3");
  EnvironmentSpec of_layer;
  of_layer.argv = {host.path("opt/toolcache/bin/python3").string()};
  assign_machine(of_layer, {}, folders, {}, isolating());
  CHECK_FALSE(shows(of_layer, host.path("opt/toolcache")));
}

TEST_CASE("what a runtime needs of the host is shown at its own path", "[machine]") {
  const Host host;
  LaunchCommand launch;
  launch.host_folders = {"/usr", host.path("client")};
  const auto spec = host.assigned("/usr/bin/env", isolating(), launch);
  CHECK(shows(spec, host.path("client")));
  CHECK_FALSE(shows(spec, "/usr"));
}

TEST_CASE("in an image the program is the image's", "[machine]") {
  const Host host;
  auto machine = isolating();
  machine.root_image = "/image";
  const auto program = host.program("tools/bin/interpreter");
  const Variable path("PATH", host.path("tools/bin").string());
  const auto spec = host.assigned("interpreter", machine);
  CHECK(spec.argv.front() == "interpreter");
  CHECK(spec.machine.view.image == "/image");
  CHECK_FALSE(shows(spec, host.path("tools")));
}
