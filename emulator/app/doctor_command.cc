#include "emulator/app/doctor_command.h"

#include "emulator/app/app_error.h"
#include "emulator/app/calibration.h"
#include "emulator/app/doctor_report.h"
#include "emulator/app/function_options.h"
#include "emulator/runtimes/interpreter.h"
#include "emulator/runtimes/runtime_client_cache.h"
#include "emulator/sandbox/host_capabilities.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <time.h>

namespace emulator::app {
namespace {

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

DoctorReport report_of(const DeploymentWorld& world) {
  auto report = examine(sandbox::probe_host());
  for (const auto& interpreter : interpreters(world)) {
    report.interpreters.push_back({interpreter.program.string(), interpreter.version});
  }
  for (const auto& client : runtimes::RuntimeClientCache(world.runtime_cache).list()) {
    report.clients.push_back({client.runtime, client.interpreter_version});
  }
  return report;
}

std::chrono::nanoseconds cpu_time_of_thread() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}

Calibration calibrate_host(const DoctorOptions& options) {
  CalibrationPlan plan{.cpu_time = cpu_time_of_thread};
  if (options.lambda_seconds > 0) {
    plan.on_lambda = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(options.lambda_seconds));
  }
  const bool watched = ::isatty(STDERR_FILENO) == 1;
  if (watched) {
    plan.progress = [](double done) {
      std::cerr << "\rmeasuring … " << static_cast<int>(done * 100) << " %" << std::flush;
    };
  }
  const auto calibration = calibrate(plan);
  if (watched) std::cerr << "\r\033[K";
  return calibration;
}

template <typename Told>
int tell(const Told& told, const DoctorOptions& options) {
  std::cout << (options.as_json ? as_json(told) : as_text(told));
  return kSuccess;
}

}  // namespace

void add_doctor_command(CLI::App& program, DoctorOptions& options) {
  auto* command = program.add_subcommand(
      "doctor", "Tell what this host can enforce, what it cannot, and how to get the rest");
  command->add_flag("--json", options.as_json, "for scripts");
  auto* calibrate = command->add_flag("--calibrate",
                                      options.calibrate,
                                      "measure the CPU for a few seconds and propose --cpu-scale");
  command
      ->add_option("--lambda-seconds",
                   options.lambda_seconds,
                   "what handlers/primes took on Lambda with 1769 MB (default 0.85)")
      ->check(CLI::Range(0.001, 1000.0).description(""))
      ->type_name("SECONDS")
      ->needs(calibrate);
}

int run_doctor(const DoctorOptions& options) {
  if (options.calibrate) return tell(calibrate_host(options), options);
  return tell(report_of(deployment_world({})), options);
}

}  // namespace emulator::app
