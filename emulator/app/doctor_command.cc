#include "emulator/app/doctor_command.h"

#include "emulator/app/function_options.h"
#include "emulator/runtimes/interpreter.h"
#include "emulator/runtimes/runtime_client_cache.h"
#include "emulator/sandbox/host_capabilities.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iomanip>
#include <iostream>
#include <sstream>

namespace emulator::app {
namespace {

using Json = nlohmann::ordered_json;

// What this version does with a function's processes, and what it does not do yet.
const std::vector<std::string> kEnforced = {
    "own process group, ended and reaped through process descriptors",
    "resource limits: open files, core size, locked memory, stack",
    "only the listed descriptors are inherited",
    "processes end with Hearth",
    "init limit, function timeout, payload limits",
};
const std::vector<std::string> kNotEnforced = {
    "memory limit (peak resident memory is measured)",
    "CPU share",
    "file system: the function sees the host's, /tmp included",
    "system call filter",
    "network isolation",
    "freezing between invocations",
};

std::vector<runtimes::Interpreter> interpreters(const DeploymentWorld& world) {
  std::vector<runtimes::Interpreter> found;
  for (const auto family : {runtimes::Family::python, runtimes::Family::nodejs}) {
    for (const auto& program : runtimes::interpreter_programs(family, world.places)) {
      if (const auto version = runtimes::probe_version(family, program)) {
        found.push_back({program, *version});
      }
    }
  }
  return found;
}

void print_json(const sandbox::HostCapabilities& host, const DeploymentWorld& world) {
  Json list = Json::array();
  for (const auto& capability : host.list) {
    list.push_back({{"name", capability.name},
                    {"available", capability.available},
                    {"detail", capability.detail},
                    {"remedy", capability.remedy}});
  }
  Json programs = Json::array();
  for (const auto& interpreter : interpreters(world)) {
    programs.push_back(
        {{"program", interpreter.program.string()}, {"version", interpreter.version}});
  }
  Json clients = Json::array();
  for (const auto& client : runtimes::RuntimeClientCache(world.runtime_cache).list()) {
    clients.push_back({{"runtime", client.runtime}, {"interpreter", client.interpreter_version}});
  }
  const Json all = {{"kernel", host.kernel},
                    {"cpus", host.cpus},
                    {"memory_mb", host.memory_bytes / (1024 * 1024)},
                    {"superuser", host.superuser},
                    {"capabilities", list},
                    {"enforced", kEnforced},
                    {"not_enforced", kNotEnforced},
                    {"interpreters", programs},
                    {"runtime_clients", clients}};
  std::cout << all.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

void print_text(const sandbox::HostCapabilities& host, const DeploymentWorld& world) {
  std::cout << "Host: Linux " << host.kernel << ", " << host.cpus << " CPUs, "
            << host.memory_bytes / (1024 * 1024) << " MB, "
            << (host.superuser ? "as root" : "as an ordinary user") << "\n\n";
  std::cout << "What the host offers\n";
  for (const auto& capability : host.list) {
    std::cout << "  " << (capability.available ? "yes  " : "no   ") << std::left << std::setw(22)
              << capability.name << capability.detail << "\n";
    if (!capability.available && !capability.remedy.empty()) {
      std::cout << "       to get it: " << capability.remedy << "\n";
    }
  }
  std::cout << "\nWhat this version enforces\n";
  for (const auto& line : kEnforced) std::cout << "  yes  " << line << "\n";
  for (const auto& line : kNotEnforced) std::cout << "  no   " << line << "\n";
  std::cout << "\nRuntimes\n  yes  provided.al2, provided.al2023, go1.x\n";
  for (const auto& interpreter : interpreters(world)) {
    std::cout << "  yes  " << interpreter.program.string() << " (" << interpreter.version << ")\n";
  }
  const auto clients = runtimes::RuntimeClientCache(world.runtime_cache).list();
  for (const auto& client : clients) {
    std::cout << "  yes  client of " << client.runtime << " for " << client.interpreter_version
              << "\n";
  }
  if (clients.empty()) {
    std::cout << "  no   runtime clients; to get one: hearth runtime install python3.11\n";
  }
}

}  // namespace

void add_doctor_command(CLI::App& program, DoctorOptions& options) {
  auto* command = program.add_subcommand(
      "doctor", "Tell what this host can enforce, what it cannot, and how to get the rest");
  command->add_flag("--json", options.as_json, "for scripts");
}

int run_doctor(const DoctorOptions& options) {
  const auto host = sandbox::probe_host();
  const auto world = deployment_world({});
  if (options.as_json) {
    print_json(host, world);
  } else {
    print_text(host, world);
  }
  return kSuccess;
}

}  // namespace emulator::app
