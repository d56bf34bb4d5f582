#include "emulator/runtimes/launch_command.h"

#include "emulator/runtimes/client_recipe.h"
#include "emulator/runtimes/java_options.h"

#include <initializer_list>
#include <utility>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;
using functions::FunctionConfiguration;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::string search_path(std::initializer_list<std::string> folders) {
  std::string path;
  for (const auto& folder : folders) {
    if (folder.empty()) continue;
    if (!path.empty()) path += ':';
    path += folder;
  }
  return path;
}

std::string customer_variable(const FunctionConfiguration& configuration, const char* name) {
  const auto found = configuration.variables.find(name);
  return found != configuration.variables.end() ? found->second : "";
}

// Source of the order, code before layers: the emulator's own search, which the base images share.
LaunchCommand launch_bootstrap(const LaunchFolders& folders) {
  const bool in_layer =
      !is_file(folders.task_root / "bootstrap") && is_file(folders.layers_root / "bootstrap");
  const auto& seen = in_layer ? folders.seen_layers_root : folders.seen_task_root;
  LaunchCommand command;
  command.argv = {(seen / "bootstrap").string()};
  command.working_folder = folders.seen_task_root;
  command.hint = "put an executable file named bootstrap at the top of the function's code (" +
                 folders.task_root.string() + "), built for this machine's processor";
  return command;
}

LaunchCommand launch_go(const FunctionConfiguration& configuration, const LaunchFolders& folders) {
  auto command = launch_bootstrap(folders);
  if (!configuration.handler.empty() && is_file(folders.task_root / configuration.handler)) {
    command.argv = {(folders.seen_task_root / configuration.handler).string()};
  }
  command.hint =
      "put the executable that the handler names, or one named bootstrap, at the top of " +
      folders.task_root.string();
  return command;
}

// Source of the order: developer guide, "Search path" of the Python runtime; PYTHONPATH's default
// there is the runtime's own folder, which the client's stands for.
void add_python(LaunchCommand& command,
                const Runtime& runtime,
                const FunctionConfiguration& configuration,
                const LaunchFolders& folders,
                const fs::path& client) {
  const auto layers = folders.seen_layers_root / "python";
  // -s: what the user has installed for themselves is not there on AWS either. -B: there, code
  // cannot be written to; here, nobody wants byte code among their sources.
  command.argv = {command.argv.at(0), "-s", "-B", "-m", "awslambdaric", configuration.handler};
  command.environment["PYTHONPATH"] =
      search_path({folders.seen_task_root.string(),
                   (layers / "lib" / ("python" + runtime.version) / "site-packages").string(),
                   layers.string(),
                   customer_variable(configuration, "PYTHONPATH"),
                   client.string()});
}

// Source of the order: developer guide, default of NODE_PATH.
void add_node(LaunchCommand& command,
              const Runtime& runtime,
              const FunctionConfiguration& configuration,
              const LaunchFolders& folders,
              const fs::path& client) {
  const auto layers = folders.seen_layers_root / "nodejs";
  command.argv = {command.argv.at(0), (client / kNodeEntryFile).string(), configuration.handler};
  command.environment["NODE_PATH"] =
      search_path({customer_variable(configuration, "NODE_PATH"),
                   (layers / ("node" + runtime.version) / "node_modules").string(),
                   (layers / "node_modules").string(),
                   (client / "node_modules").string()});
}

// Where the hooks of org.crac find the client's, whose snapshots Lambda makes. Source: recorded,
// the command line of Lambda's runtime.
constexpr const char* kJavaHooks = "-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac";

// Classes of the function and of layers (lib/ and /opt/java/lib) the client finds by itself; they
// are loaded apart from its own.
void add_java(LaunchCommand& command,
              const FunctionConfiguration& configuration,
              const fs::path& client) {
  auto options = java_options(configuration.memory.mebibytes,
                              customer_variable(configuration, "JAVA_TOOL_OPTIONS"));
  command.argv.insert(command.argv.end(), options.begin(), options.end());
  command.argv.insert(command.argv.end(),
                      {kJavaHooks,
                       "-cp",
                       (client / kJavaLibraryFolder / "*").string(),
                       "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
                       configuration.handler});
}

// Source of both orders: developer guide, defaults of GEM_PATH and RUBYLIB.
void add_ruby(LaunchCommand& command,
              const Runtime& runtime,
              const FunctionConfiguration& configuration,
              const LaunchFolders& folders,
              const fs::path& client) {
  const auto version = runtime.version + ".0";
  command.argv.insert(command.argv.end(),
                      {(client / kRubyProgram).string(), configuration.handler});
  command.environment["GEM_HOME"] = client.string();
  command.environment["GEM_PATH"] =
      search_path({(folders.seen_task_root / "vendor/bundle/ruby" / version).string(),
                   (folders.seen_layers_root / "ruby/gems" / version).string(),
                   customer_variable(configuration, "GEM_PATH"),
                   client.string()});
  command.environment["RUBYLIB"] = search_path({folders.seen_task_root.string(),
                                                (folders.seen_layers_root / "ruby/lib").string(),
                                                customer_variable(configuration, "RUBYLIB")});
}

// Where processes see what AWS has below /var/task and /opt.
std::string seen(const std::string& path, const LaunchFolders& folders) {
  const auto below = [&](const std::string& root) { return path.starts_with(root + "/"); };
  if (below("/var/task")) return folders.seen_task_root.string() + path.substr(9);
  if (below("/opt")) return folders.seen_layers_root.string() + path.substr(4);
  return path;
}

constexpr const char* kStartWrapper =
    R"([ -f "$0" ] || { echo "$0: does not exist"; exit 127; }
[ -x "$0" ] || { echo "$0: is not an executable"; exit 126; }
exec "$0" "$@")";

void wrap(LaunchCommand& command, const std::string& wrapper) {
  std::vector<std::string> argv = {"/bin/sh", "-c", kStartWrapper, wrapper};
  argv.insert(argv.end(), command.argv.begin(), command.argv.end());
  command.argv = std::move(argv);
  command.hint = "see that " + wrapper + ", which AWS_LAMBDA_EXEC_WRAPPER names, can be started";
}

std::string_view handler_form(Family family) {
  if (family == Family::java) return "CLASS::METHOD, such as example.Handler::handleRequest";
  return "FILE.FUNCTION, such as app.handler";
}

// The folder an interpreter's own library lies in: /usr for /usr/bin/python3.
fs::path installation_of(const fs::path& program) {
  std::error_code error;
  const auto real = fs::canonical(program, error);
  return (error ? program : real).parent_path().parent_path();
}

Expected<LaunchCommand> launch_managed(const Runtime& runtime,
                                       const FunctionConfiguration& configuration,
                                       const LaunchFolders& folders,
                                       const RuntimeClientCache& cache,
                                       const InterpreterFinder& find) {
  if (configuration.handler.empty()) {
    return refuse(RuntimeError::Kind::invalid_function,
                  "function " + configuration.name + " has no handler; " + runtime.id +
                      " needs one of the form " + std::string(handler_form(runtime.family)));
  }
  const auto interpreter = find(runtime);
  if (!interpreter) return tl::unexpected(interpreter.error());
  const auto client = cache.find(runtime.id, interpreter->version);
  if (!client) {
    return refuse(RuntimeError::Kind::client_missing,
                  "the runtime client of " + runtime.id +
                      " is not installed; run: hearth runtime install " + runtime.id);
  }
  LaunchCommand command;
  command.argv = {interpreter->program.string()};
  command.working_folder = folders.seen_task_root;
  command.host_folders = {installation_of(interpreter->program), client->folder};
  command.remark = version_mismatch(runtime, *interpreter);
  command.hint = "see that " + interpreter->program.string() + " can be started";
  switch (runtime.family) {
    case Family::python:
      add_python(command, runtime, configuration, folders, client->folder);
      break;
    case Family::nodejs:
      add_node(command, runtime, configuration, folders, client->folder);
      break;
    case Family::java:
      add_java(command, configuration, client->folder);
      break;
    case Family::ruby:
      add_ruby(command, runtime, configuration, folders, client->folder);
      break;
    case Family::provided:
    case Family::go:
      break;  // need no client
  }
  const auto wrapper = customer_variable(configuration, "AWS_LAMBDA_EXEC_WRAPPER");
  if (!wrapper.empty()) wrap(command, seen(wrapper, folders));
  return command;
}

}  // namespace

Expected<LaunchCommand> launch_command(const FunctionConfiguration& configuration,
                                       const LaunchFolders& folders,
                                       const RuntimeClientCache& cache,
                                       const InterpreterFinder& find) {
  if (!configuration.command.empty()) {
    LaunchCommand command;
    command.argv = configuration.command;
    command.working_folder = folders.seen_task_root;
    command.hint = "see that " + configuration.command.front() + " is an executable file";
    return command;
  }
  const auto runtime = find_runtime(configuration.runtime);
  if (!runtime) return tl::unexpected(runtime.error());
  if (runtime->family == Family::provided) return launch_bootstrap(folders);
  auto command = runtime->family == Family::go
                     ? Expected<LaunchCommand>(launch_go(configuration, folders))
                     : launch_managed(*runtime, configuration, folders, cache, find);
  // Source: recorded environments; provided.* has no such variable, managed runtimes do.
  if (command) command->environment["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + runtime->id;
  return command;
}

}  // namespace emulator::runtimes
