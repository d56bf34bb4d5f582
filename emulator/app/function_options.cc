#include "emulator/app/function_options.h"

#include "emulator/app/image_options.h"
#include "emulator/runtimes/runtime_client_cache.h"
#include "emulator/template/sam_template.h"

#include <spdlog/spdlog.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <utility>

namespace emulator::app {
namespace {

namespace fs = std::filesystem;

tl::unexpected<AppError> usage(std::string message) {
  return tl::unexpected(AppError{kWrongUsage, std::move(message)});
}

std::string variable_or(const char* name, const char* otherwise) {
  const char* value = ::secure_getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

using Pairs = std::map<std::string, std::string>;

tl::expected<void, AppError> add_pair(const std::string& text, const char* flag, Pairs& pairs) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return usage(std::string(flag) + " takes KEY=VALUE, not '" + text + "'");
  }
  pairs[text.substr(0, equals)] = text.substr(equals + 1);
  return {};
}

tl::expected<Pairs, AppError> pairs_of(const std::vector<std::string>& texts, const char* flag) {
  Pairs pairs;
  for (const auto& text : texts) {
    if (auto added = add_pair(text, flag, pairs); !added) return tl::unexpected(added.error());
  }
  return pairs;
}

// KEY=VALUE lines; blank ones and those that begin with # say nothing.
tl::expected<Pairs, AppError> pairs_in(const std::string& path) {
  std::ifstream file(path);
  if (!file) return usage("cannot read the variables file " + path + "; check --env-file");
  Pairs pairs;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (auto added = add_pair(line, "a line of --env-file", pairs); !added) {
      return usage(path + ":" + std::to_string(number) + ": " + added.error().message);
    }
  }
  return pairs;
}

std::string find_template() {
  for (const auto* name : {"template.yaml", "template.yml", "template.json"}) {
    if (fs::is_regular_file(name)) return name;
  }
  return {};
}

bool described_by_flags(const FunctionOptions& options) {
  return !options.code.empty() || !options.command.empty();
}

std::string name_from_folder(const std::string& code) {
  std::error_code ignored;
  auto path = fs::weakly_canonical(code, ignored);
  const bool packed = path.extension() == ".zip" || path.extension() == ".tar";
  auto name = packed ? path.stem().string() : path.filename().string();
  for (auto& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '-';
  }
  name.resize(std::min(name.size(), functions::kMaxFunctionNameLength));
  return name.empty() ? "function" : name;
}

// From the root, without dots and without a slash at its end.
fs::path whole_path(const fs::path& path) {
  if (path.empty()) return path;
  const auto whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// The flags that were given win over what a template says.
tl::expected<void, AppError> apply_flags(const FunctionOptions& options,
                                         functions::FunctionConfiguration& function) {
  if (options.runtime) function.runtime = *options.runtime;
  if (options.handler) function.handler = *options.handler;
  if (options.timeout_seconds) function.timeout = std::chrono::seconds{*options.timeout_seconds};
  if (options.ephemeral_storage_mb) function.ephemeral_storage = {*options.ephemeral_storage_mb};
  if (options.tracing == "Active") function.tracing = functions::Tracing::active;
  if (options.tracing == "PassThrough") function.tracing = functions::Tracing::pass_through;
  if (options.tenant_isolation) {
    function.tenant_isolation = functions::TenantIsolation::per_tenant;
  }
  if (options.snap_start) function.snap_start = functions::SnapStart::published_versions;
  if (options.managed_concurrency) {
    if (!function.managed) {
      function.managed.emplace();
      // Source: developer guide, Managed Instances.
      function.logging.format = functions::LogFormat::json;
      // What nobody has said is as the service has it there.
      if (function.memory == functions::kMinMemory) function.memory = functions::kMinManagedMemory;
    }
    function.managed->max_concurrency = options.managed_concurrency;
  }
  if (options.memory_mb) function.memory = {*options.memory_mb};
  if (options.log_format == "Text") function.logging.format = functions::LogFormat::text;
  if (options.log_format == "JSON") function.logging.format = functions::LogFormat::json;
  for (const auto& layer : options.layers) function.layers.emplace_back(whole_path(layer));
  if (!options.variables_file.empty()) {
    auto pairs = pairs_in(options.variables_file);
    if (!pairs) return tl::unexpected(pairs.error());
    for (auto& [key, value] : *pairs) function.variables[key] = value;
  }
  auto pairs = pairs_of(options.variables, "--env");
  if (!pairs) return tl::unexpected(pairs.error());
  for (auto& [key, value] : *pairs) function.variables[key] = value;
  return {};
}

tl::expected<DescribedFunctions, AppError> from_flags(const FunctionOptions& options,
                                                      const std::vector<std::string>& names) {
  if (names.size() > (options.name ? 0U : 1U)) {
    return usage("--code and a command after -- describe one function, '" + names.back() +
                 "' is one name too many; leave it away, or describe several in a template");
  }
  functions::FunctionConfiguration function;
  function.name = options.name ? *options.name : !names.empty() ? names.front() : "";
  if (function.name.empty()) {
    function.name = name_from_folder(!options.code.empty()    ? options.code
                                     : !options.image.empty() ? options.image
                                                              : options.command.front());
  }
  if (!options.code.empty()) function.code = whole_path(options.code);
  function.command = options.command;
  if (auto applied = apply_flags(options, function); !applied) {
    return tl::unexpected(applied.error());
  }
  DescribedFunctions described;
  described.functions.push_back(std::move(function));
  return described;
}

tl::expected<void, AppError> add_declared(const templates::FunctionDeclaration& declared,
                                          const FunctionOptions& options,
                                          const fs::path& temporary_parent,
                                          DescribedFunctions& described) {
  auto function = declared.configuration;
  // Templates name code relative to themselves; the function's process starts in another folder.
  if (!function.code.empty()) function.code = fs::absolute(function.code);
  for (auto& layer : function.layers) layer = fs::absolute(layer);
  if (declared.inline_code) {
    auto folder = functions::write_code_files(
        {{declared.inline_code->file_name, declared.inline_code->text}}, temporary_parent);
    if (!folder) return tl::unexpected(AppError{kHostCannot, folder.error().message});
    function.code = (*folder)->path();
    described.inline_code.push_back(std::move(*folder));
  }
  // The template's folder may be relative; the runtime is started in the code's.
  function.code = whole_path(function.code);
  for (auto& layer : function.layers) layer = whole_path(layer);
  if (auto applied = apply_flags(options, function); !applied) {
    return tl::unexpected(applied.error());
  }
  if (declared.logical_id != function.name) described.aliases[declared.logical_id] = function.name;
  described.functions.push_back(std::move(function));
  return {};
}

tl::expected<DescribedFunctions, AppError> from_template(const FunctionOptions& options,
                                                         const std::string& file,
                                                         const std::vector<std::string>& names,
                                                         const fs::path& temporary_parent) {
  auto parameters = pairs_of(options.parameters, "--parameter");
  if (!parameters) return tl::unexpected(parameters.error());
  templates::Deployment deployment;
  deployment.region = options.region;
  auto project = templates::read_project(file, *parameters, deployment);
  if (!project) return usage(project.error().sentence());

  DescribedFunctions described;
  described.warnings = std::move(project->warnings);
  if (names.empty()) {
    for (const auto& declared : project->functions) {
      auto added = add_declared(declared, options, temporary_parent, described);
      if (!added) return tl::unexpected(added.error());
    }
  }
  for (const auto& name : names) {
    const auto found = templates::find_function(*project, name);
    if (!found) return usage(found.error().sentence());
    auto added = add_declared(**found, options, temporary_parent, described);
    if (!added) return tl::unexpected(added.error());
  }
  return described;
}

}  // namespace

tl::expected<DescribedFunctions, AppError> describe_functions(const FunctionOptions& options,
                                                              const std::vector<std::string>& names,
                                                              const fs::path& temporary_parent) {
  if (described_by_flags(options) && options.template_file.empty()) {
    return from_flags(options, names);
  }
  if (described_by_flags(options)) {
    return usage("--template already says what the code is; leave --code and the command away");
  }
  const auto file = options.template_file.empty() ? find_template() : options.template_file;
  if (file.empty()) {
    return usage(
        "there is no function: no template.yaml, template.yml or template.json in this folder; "
        "name one with --template FILE, code with --code DIR, or a command after --");
  }
  return from_template(options, file, names, temporary_parent);
}

tl::expected<ChosenFunction, AppError> choose_function(const FunctionOptions& given,
                                                       const std::string& name,
                                                       std::string_view naming) {
  auto unpacked = with_image(given);
  if (!unpacked) return tl::unexpected(std::move(unpacked.error()));
  const auto& options = *unpacked;
  auto machine = machine_for(options);
  if (!machine) return tl::unexpected(std::move(machine.error()));
  ChosenFunction chosen;
  chosen.world = deployment_world(options);
  chosen.world.machine = std::move(*machine);
  chosen.image = options.unpacked;
  std::vector<std::string> names;
  if (!name.empty()) names.push_back(name);
  auto described = describe_functions(options, names, chosen.world.temporary_parent);
  if (!described) return tl::unexpected(std::move(described.error()));
  chosen.described = std::move(*described);
  for (const auto& warning : chosen.described.warnings) spdlog::warn("{}", warning);
  if (chosen.described.functions.size() == 1) return chosen;
  std::string known;
  for (const auto& function : chosen.described.functions) known += " " + function.name;
  return usage("the template has several functions; " + std::string(naming) + ":" + known);
}

tl::expected<DescribedFunctions, AppError> describe_served_functions(
    const FunctionOptions& options,
    const std::vector<std::string>& names,
    const fs::path& temporary_parent) {
  const bool nothing = !described_by_flags(options) && options.template_file.empty() &&
                       names.empty() && find_template().empty();
  if (nothing) return DescribedFunctions{};
  return describe_functions(options, names, temporary_parent);
}

sandbox::IsolationWish isolation_wish(const FunctionOptions& options) {
  using sandbox::Network;
  using sandbox::Strictness;
  sandbox::IsolationWish wish;
  wish.strictness = options.sandbox == "full"   ? Strictness::full
                    : options.sandbox == "none" ? Strictness::none
                                                : Strictness::degraded;
  wish.network = options.network == "none"      ? Network::none
                 : options.network == "private" ? Network::own_outward
                                                : Network::host;
  wish.root_image = !options.rootfs.empty();
  return wish;
}

tl::expected<Machine, AppError> machine_for(const FunctionOptions& options) {
  const auto wish = isolation_wish(options);
  const bool bare = wish.strictness == sandbox::Strictness::none;
  std::error_code gone;
  if (wish.root_image && !fs::is_directory(options.rootfs, gone)) {
    return usage("--rootfs " + options.rootfs + " is no folder; give that of an unpacked image");
  }
  const auto host = bare ? sandbox::HostCapabilities{} : sandbox::probe_host();
  auto plan = sandbox::plan_isolation(wish, host);
  // Flags that contradict each other are no fault of the host.
  if (!plan) {
    return tl::unexpected(AppError{bare ? kWrongUsage : kHostCannot, plan.error().message});
  }
  if (!plan->given_up.empty()) spdlog::warn("{}", sandbox::summary(plan->given_up));
  return Machine{.plan = std::move(*plan),
                 .options = machine_options(options),
                 .root_image = options.rootfs,
                 .host_cpus = host.cpus};
}

MachineOptions machine_options(const FunctionOptions& options) {
  using Freeze = MachineOptions::Freeze;
  using InitBoost = MachineOptions::InitBoost;
  return {.freeze = options.freeze == "off" ? Freeze::off : Freeze::on,
          .init_boost = options.init_boost == "off" ? InitBoost::off : InitBoost::on,
          .cpu_scale = options.cpu_scale};
}

EmulatorOptions emulator_options(const FunctionOptions& options,
                                 const DescribedFunctions& described,
                                 const Machine& machine) {
  EmulatorOptions result;
  // The rate of requests is a rule of the API, which only hearth serve stands behind.
  result.limits = {.concurrency = {.account = options.max_concurrency, .requests_per_unit = 0},
                   .idle_timeout = std::chrono::seconds{options.idle_timeout_seconds}};
  result.plan = machine.plan;
  // The command line has been checked; what is no rate means Lambda's own.
  result.stream_bandwidth =
      invoke::parse_stream_bandwidth(options.stream_bandwidth).value_or(invoke::StreamBandwidth{});
  result.region = options.region;
  result.aliases = described.aliases;
  for (const auto& code : described.inline_code) result.temporary_folders.push_back(code->path());
  return result;
}

DeploymentWorld deployment_world(const FunctionOptions& options) {
  DeploymentWorld world;
  world.temporary_parent = variable_or("TMPDIR", "/tmp");
  std::error_code gone;
  world.working_folder = fs::current_path(gone);
  world.runtime_cache =
      runtimes::default_cache_root(variable_or("XDG_CACHE_HOME", ""), variable_or("HOME", ""));
  world.places = runtimes::places_of_host(variable_or("PATH", "/usr/local/bin:/usr/bin:/bin"),
                                          variable_or("HOME", ""),
                                          variable_or("JAVA_HOME", ""));
  world.region = options.region;
  if (options.snap_start) world.described_version = kFirstVersion;
  if (options.unpacked) {
    const auto& config = options.unpacked->config;
    world.image_variables = config.variables;
    world.image_working_folder = config.working_folder.empty() ? "/" : config.working_folder;
  }
  world.credentials =
      options.credentials == "inherited" ? Credentials::inherited : Credentials::placeholder;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos)
      world.inherited[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return world;
}

}  // namespace emulator::app
