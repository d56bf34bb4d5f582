#include "emulator/app/program.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>

#include "emulator/app/app_error.h"
#include "emulator/app/doctor_command.h"
#include "emulator/app/generate_event_command.h"
#include "emulator/app/identifiers.h"
#include "emulator/app/invoke_command.h"
#include "emulator/app/rie_command.h"
#include "emulator/app/runtime_command.h"
#include "emulator/app/serve_command.h"
#include "emulator/app/stop_signals.h"
#include "emulator/app/version.h"
#include "emulator/time/clock.h"

namespace emulator::app {
namespace {

const std::vector<std::string> kLogLevels = {"trace", "debug", "info", "warn", "error", "off"};

// Hearth's own log goes to standard error; what functions print never passes through it.
void start_log() {
  const auto logger = spdlog::stderr_color_mt("hearth");
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(logger);
  spdlog::set_level(spdlog::level::warn);
}

// Every environment holds a handful of descriptors; the functions' own limit is set apart.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run_generate(const std::vector<std::string>& words) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(time::SystemClock().wall_now());
  return run_generate_event(
      std::span(words),
      {.now = now, .seed = new_seed(), .in = std::cin, .out = std::cout, .err = std::cerr});
}

int run_version(const std::string& output) {
  const std::vector<std::pair<std::string, std::string>> libraries = {
      {"cpp-httplib", HEARTH_HTTPLIB_VERSION},
      {"nlohmann-json", HEARTH_JSON_VERSION},
      {"spdlog", HEARTH_SPDLOG_VERSION},
      {"yaml-cpp", HEARTH_YAML_VERSION},
      {"libarchive", HEARTH_ARCHIVE_VERSION},
      {"openssl", HEARTH_OPENSSL_VERSION},
  };
  if (output == "json") {
    nlohmann::ordered_json json = {{"version", kVersion}, {"build", HEARTH_BUILD_TYPE}};
    for (const auto& [name, version] : libraries) json["libraries"][name] = version;
    std::cout << json.dump() << "\n";
    return kSuccess;
  }
  std::cout << "hearth " << kVersion << " (" << HEARTH_BUILD_TYPE << ")\n";
  for (const auto& [name, version] : libraries) std::cout << "  " << name << " " << version << "\n";
  return kSuccess;
}

// Commands with a language of their own take their words as they are.
std::optional<int> run_raw_command(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return std::nullopt;
  const auto program = std::filesystem::path(arguments[0]).filename().string();
  if (program.starts_with("aws-lambda-rie")) {
    return run_rie({arguments.begin() + 1, arguments.end()});
  }
  if (arguments.size() < 2) return std::nullopt;
  const std::vector<std::string> rest(arguments.begin() + 2, arguments.end());
  if (arguments[1] == "rie") return run_rie(rest);
  if (arguments[1] == "generate-event") return run_generate(rest);
  if (arguments[1] == "runtime") {
    return run_runtime_command(rest, runtime_command_host(), std::cout, std::cerr);
  }
  return std::nullopt;
}

struct Options {
  std::string log_level;
  InvokeOptions invoke;
  ServeOptions serve;
  DoctorOptions doctor;
  std::string version_output = "text";
};

void describe(CLI::App& program, Options& options) {
  program.require_subcommand(1);
  program.add_option("--log-level", options.log_level, "what Hearth says of itself on standard error")
      ->check(CLI::IsMember(kLogLevels));
  program.fallthrough();
  add_invoke_command(program, options.invoke);
  add_serve_command(program, options.serve);
  // Only for the list of commands; their words are read elsewhere.
  program.add_subcommand("rie", "A drop-in for aws-lambda-rie");
  program.add_subcommand("generate-event", "Print an event as AWS would send it");
  program.add_subcommand("runtime", "Install, list and remove runtime clients");
  add_doctor_command(program, options.doctor);
  program.add_subcommand("version", "Version, build and libraries")
      ->add_option("--output", options.version_output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  program.footer("hearth COMMAND --help tells the flags of a command.");
}

// "there is no command 'bogus'", where CLI11 would only say that one is missing.
std::string complaint(const CLI::App& program,
                      const std::vector<std::string>& arguments,
                      const CLI::ParseError& error) {
  const bool named = arguments.size() > 1 && !arguments[1].starts_with("-");
  const auto is_named = [&](const CLI::App* command) {
    return command->get_name() == arguments[1];
  };
  if (named && program.get_subcommands(is_named).empty()) {
    return "there is no command '" + arguments[1] + "'";
  }
  return error.what();
}

void set_log_level(const std::string& wanted, const char* otherwise) {
  spdlog::set_level(spdlog::level::from_str(wanted.empty() ? otherwise : wanted));
}

int run_chosen(const CLI::App& program, Options& options) {
  const bool serving = program.got_subcommand("serve");
  set_log_level(options.log_level, serving ? "info" : "warn");
  if (serving) return run_serve(options.serve);
  if (program.got_subcommand("invoke")) return run_invoke(options.invoke);
  if (program.got_subcommand("doctor")) return run_doctor(options.doctor);
  return run_version(options.version_output);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  block_stop_signals();
  raise_descriptor_limit();
  start_log();
  if (const auto status = run_raw_command(arguments)) return *status;

  Options options;
  CLI::App program("AWS Lambda on your own machine: the API, and the machine behind it.", "hearth");
  describe(program, options);
  // What follows "--" is a command of the function's, not ours.
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  if (separator != arguments.end()) {
    options.invoke.function.command.assign(separator + 1, arguments.end());
    options.serve.function.command = options.invoke.function.command;
  }
  std::vector<std::string> words(arguments.begin() + (arguments.empty() ? 0 : 1), separator);
  std::reverse(words.begin(), words.end());
  try {
    program.parse(std::move(words));
  } catch (const CLI::Success& wanted) {
    program.exit(wanted);
    return kSuccess;
  } catch (const CLI::ParseError& error) {
    std::cerr << "hearth: " << complaint(program, arguments, error) << "; see hearth --help\n";
    return kWrongUsage;
  }
  return run_chosen(program, options);
}

}  // namespace emulator::app
