#include "emulator/app/doctor_command.h"

#include "emulator/app/app_error.h"
#include "emulator/app/calibration.h"
#include "emulator/app/cold_start.h"
#include "emulator/app/doctor_report.h"
#include "emulator/app/function_options.h"
#include "emulator/runtimes/interpreter.h"
#include "emulator/runtimes/runtime_client_cache.h"
#include "emulator/sandbox/host_capabilities.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <time.h>

namespace emulator::app {
namespace {

std::vector<runtimes::Interpreter> interpreters(const DeploymentWorld& world) {
  std::vector<runtimes::Interpreter> found;
  for (const auto family : {runtimes::Family::python,
                            runtimes::Family::nodejs,
                            runtimes::Family::java,
                            runtimes::Family::ruby}) {
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

// Tells how far a measurement is while someone looks.
class ProgressLine {
 public:
  ProgressLine() = default;
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (watched_) std::cerr << "\r\033[K";
  }

  std::function<void(double)> progress() const {
    if (!watched_) return {};
    return [](double done) {
      std::cerr << "\rmeasuring … " << static_cast<int>(done * 100) << " %" << std::flush;
    };
  }

 private:
  const bool watched_ = ::isatty(STDERR_FILENO) == 1;
};

Calibration calibrate_host(const DoctorOptions& options) {
  CalibrationPlan plan{.cpu_time = cpu_time_of_thread};
  if (options.lambda_seconds > 0) {
    plan.on_lambda = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(options.lambda_seconds));
  }
  const ProgressLine line;
  plan.progress = line.progress();
  return calibrate(plan);
}

tl::expected<std::vector<StepStatistics>, AppError> cold_starts(const DoctorOptions& options) {
  FunctionOptions wish;
  wish.sandbox = options.sandbox;
  wish.network = options.network;
  auto machine = machine_for(wish);
  if (!machine) return tl::unexpected(machine.error());
  const ProgressLine line;
  const auto starts = measure_cold_starts(
      {.plan = std::move(machine->plan), .starts = options.starts, .progress = line.progress()});
  if (!starts) return tl::unexpected(starts.error());
  return statistics(*starts);
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
  auto* cold_start = command->add_flag("--cold-start",
                                       options.cold_start,
                                       "start a program that does nothing in the sandbox, and "
                                       "tell what each step takes");
  cold_start->excludes(calibrate);
  command->add_option("--starts", options.starts, "how many cold starts")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N")
      ->needs(cold_start)
      ->capture_default_str();
  command->add_option("--sandbox", options.sandbox, "of the cold starts")
      ->check(CLI::IsMember({"full", "degraded", "none"}))
      ->needs(cold_start)
      ->capture_default_str();
  command->add_option("--network", options.network, "of the cold starts")
      ->check(CLI::IsMember({"host", "none", "private"}))
      ->needs(cold_start)
      ->capture_default_str();
}

int run_doctor(const DoctorOptions& options) {
  if (options.calibrate) return tell(calibrate_host(options), options);
  if (options.cold_start) {
    const auto steps = cold_starts(options);
    return steps ? tell(*steps, options) : fail(steps.error());
  }
  return tell(report_of(deployment_world({})), options);
}

}  // namespace emulator::app
