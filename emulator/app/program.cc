#include "emulator/app/program.h"

#include "emulator/app/app_error.h"
#include "emulator/app/command_words.h"
#include "emulator/app/doctor_command.h"
#include "emulator/app/generate_event_command.h"
#include "emulator/app/identifiers.h"
#include "emulator/app/invoke_command.h"
#include "emulator/app/replay_command.h"
#include "emulator/app/rie_command.h"
#include "emulator/app/runtime_command.h"
#include "emulator/app/serve_command.h"
#include "emulator/app/stop_signals.h"
#include "emulator/app/version.h"
#include "emulator/time/clock.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>

namespace emulator::app {
namespace {

const std::vector<std::string> kLogLevels = {"trace", "debug", "info", "warn", "error", "off"};

constexpr std::string_view kRieHelp =
    R"(A drop-in for aws-lambda-rie: serves one function at RIE's path, with RIE's answers.
Usage: hearth rie [FLAGS] [COMMAND [ARGUMENT...] HANDLER]

COMMAND is the runtime; without one, /var/task/bootstrap, /opt/bootstrap or /var/runtime/bootstrap
is started. The last of several words is the handler (_HANDLER). A link to hearth whose name begins
with aws-lambda-rie does the same without the word rie.

Flags, anywhere among the words:
  --log-level LEVEL           panic, fatal, error, warning, info, debug or trace (default info)
  --runtime-interface-emulator-address HOST:PORT
                              where it is invoked (default 0.0.0.0:8080)
  --runtime-api-address HOST:PORT
                              the Runtime API of the first environment (default 127.0.0.1:9001)
  --enable-init-caching       the function gets no credentials of its own through variables

Variables: AWS_LAMBDA_FUNCTION_NAME, _VERSION, _TIMEOUT (300), _MEMORY_SIZE (3008), _HANDLER;
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; LOG_LEVEL. All others reach the
function too.

Invoke it: curl -d '{}' http://localhost:8080/2015-03-31/functions/function/invocations
)";

// Hearth's own log goes to standard error; what functions print never passes through it.
void start_log() {
  const auto logger = spdlog::stderr_color_mt("hearth");
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(logger);
  spdlog::set_level(spdlog::level::warn);
}

// The allocator would learn from the first large payload to keep such blocks for itself, in every
// thread that saw one. A fixed threshold gives them back.
// NOLINTNEXTLINE(concurrency-mt-unsafe): called before there is a second thread.
void return_large_memory() { ::mallopt(M_MMAP_THRESHOLD, 512 * 1024); }

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
      {"sqlite", HEARTH_SQLITE_VERSION},
      {"pcre2", HEARTH_PCRE2_VERSION},
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
std::optional<int> run_raw_command(const Words& words) {
  if (words.empty()) return std::nullopt;
  const auto program = std::filesystem::path(words[0]).filename().string();
  if (program.starts_with("aws-lambda-rie")) return run_rie({words.begin() + 1, words.end()});
  const auto at = command_position(words);
  if (at == words.size()) return std::nullopt;
  const auto& command = words[at];
  Words rest(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
  if (command == "rie") {
    if (!rest.empty() && (rest[0] == "--help" || rest[0] == "-h")) {
      std::cout << kRieHelp;
      return kSuccess;
    }
    rest.insert(rest.begin(), words.begin() + 1, words.begin() + static_cast<std::ptrdiff_t>(at));
    return run_rie(rest);
  }
  if (command == "generate-event") return run_generate(rest);
  if (command == "runtime") {
    return run_runtime_command(rest, runtime_command_host(), std::cout, std::cerr);
  }
  return std::nullopt;
}

struct Options {
  std::string log_level;
  InvokeOptions invoke;
  ServeOptions serve;
  ReplayOptions replay;
  DoctorOptions doctor;
  std::string version_output = "text";
};

void describe(CLI::App& program, Options& options) {
  program.require_subcommand(1);
  program.set_version_flag("--version", "hearth " + std::string(kVersion), "print the version");
  program
      .add_option("--log-level", options.log_level, "what Hearth says of itself on standard error")
      ->check(CLI::IsMember(kLogLevels));
  program.fallthrough();
  add_invoke_command(program, options.invoke);
  add_serve_command(program, options.serve);
  add_replay_command(program, options.replay);
  // Only for the list of commands; their words are read elsewhere.
  program.add_subcommand("rie", "A drop-in for aws-lambda-rie");
  program.add_subcommand("generate-event", "Print an event as AWS would send it");
  program.add_subcommand("runtime", "Install, list and remove runtime clients");
  add_doctor_command(program, options.doctor);
  program.add_subcommand("version", "Version, build and libraries")
      ->add_option("--output", options.version_output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  program.footer("hearth help COMMAND, or hearth COMMAND --help, tells the flags of a command.");
}

void set_log_level(const std::string& wanted, const char* otherwise) {
  spdlog::set_level(spdlog::level::from_str(wanted.empty() ? otherwise : wanted));
}

int run_chosen(const CLI::App& program, Options& options) {
  const bool serving = program.got_subcommand("serve");
  set_log_level(options.log_level, serving ? "info" : "warn");
  if (serving) return run_serve(options.serve);
  if (program.got_subcommand("invoke")) return run_invoke(options.invoke);
  if (program.got_subcommand("replay")) return run_replay(options.replay);
  if (program.got_subcommand("doctor")) return run_doctor(options.doctor);
  return run_version(options.version_output);
}

Words command_names(const CLI::App& program) {
  Words names;
  const auto all = program.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* command : all) names.push_back(command->get_name());
  return names;
}

Words long_options_of(const CLI::App& command) {
  Words names;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string sentence_of(const CLI::ParseError& error, const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  const std::string name = chosen.empty() ? "" : chosen.front()->get_name();
  constexpr bool kOfCommandsToo = true;  // CLI11's parameter
  const auto extras = program.remaining(kOfCommandsToo);
  const bool only_extras = chosen.empty() && !extras.empty();
  if (only_extras || dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    return unexpected_word(
        name, extras, long_options_of(chosen.empty() ? program : *chosen.front()));
  }
  return std::string(error.what()) + "; see hearth " + (name.empty() ? "" : name + " ") + "--help";
}

int wrong_usage(const std::string& sentence) {
  std::cerr << "hearth: " << sentence << "\n";
  return kWrongUsage;
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  return_large_memory();
  block_stop_signals();
  raise_descriptor_limit();
  start_log();
  const auto asked = with_help_as_option(arguments);
  if (const auto status = run_raw_command(asked)) return *status;
  // What follows "--" is a command of the function's, not ours.
  const auto separator = std::find(asked.begin(), asked.end(), "--");
  Words words(asked.begin(), separator);

  Options options;
  CLI::App program("AWS Lambda on your own machine: the API, and the machine behind it.", "hearth");
  describe(program, options);
  if (const auto unknown = unknown_command(words, command_names(program))) {
    return wrong_usage(*unknown);
  }
  if (separator != asked.end()) {
    options.invoke.function.command.assign(separator + 1, asked.end());
    options.serve.function.command = options.invoke.function.command;
    options.replay.function.command = options.invoke.function.command;
  }
  if (words.size() <= 1) {
    std::cerr << program.help();
    return kWrongUsage;
  }
  words.erase(words.begin());
  std::reverse(words.begin(), words.end());
  try {
    program.parse(std::move(words));
  } catch (const CLI::Success& wanted) {
    program.exit(wanted);
    return kSuccess;
  } catch (const CLI::ParseError& error) {
    return wrong_usage(sentence_of(error, program));
  }
  return run_chosen(program, options);
}

}  // namespace emulator::app
