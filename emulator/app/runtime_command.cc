#include "emulator/app/runtime_command.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <ostream>

namespace emulator::app {
namespace {

using runtimes::RuntimeClientCache;
using runtimes::RuntimeError;

// Source: the exit statuses every command shares.
constexpr int kSuccess = 0;
constexpr int kWrongUsage = 2;
constexpr int kHostCannot = 3;

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): never written here
  return value != nullptr ? value : "";
}

int exit_status(RuntimeError::Kind kind) {
  switch (kind) {
    case RuntimeError::Kind::unknown_runtime:
    case RuntimeError::Kind::unsupported_runtime:
    case RuntimeError::Kind::invalid_function:
      return kWrongUsage;
    case RuntimeError::Kind::interpreter_missing:
    case RuntimeError::Kind::client_missing:
    case RuntimeError::Kind::tools_missing:
    case RuntimeError::Kind::installation_failed:
    case RuntimeError::Kind::cache_unusable:
      break;
  }
  return kHostCannot;
}

bool is_subcommand(std::string_view word) {
  return word == "install" || word == "list" || word == "remove";
}

int report(const RuntimeError& error, std::ostream& err) {
  err << "hearth runtime: " << error.message << '\n';
  return exit_status(error.kind);
}

int install(const std::vector<std::string>& ids,
            runtimes::Existing existing,
            const RuntimeCommandHost& host,
            std::ostream& out,
            std::ostream& err) {
  const RuntimeClientCache cache(host.cache_root);
  for (const auto& id : ids) {
    const auto runtime = runtimes::find_runtime(id);
    if (!runtime) return report(runtime.error(), err);
    if (!runtimes::needs_client(*runtime)) {
      err << id << ": nothing to install; its bootstrap speaks the Runtime API itself\n";
      continue;
    }
    const auto interpreter = runtimes::find_interpreter(*runtime, host.places, host.probe);
    if (!interpreter) return report(interpreter.error(), err);
    const auto installed = runtimes::install_client(
        {.runtime = *runtime, .interpreter = *interpreter, .existing = existing},
        cache,
        host.installation,
        [&](std::string_view line) { err << id << ": " << line << '\n'
                                         << std::flush; });
    if (!installed) return report(installed.error(), err);
    out << installed->folder.string() << '\n';
  }
  return kSuccess;
}

int list(const RuntimeCommandHost& host, std::ostream& out, std::ostream& err) {
  const auto clients = RuntimeClientCache(host.cache_root).list();
  for (const auto& client : clients) {
    out << client.runtime << '\t' << client.interpreter_version << '\t' << client.folder.string()
        << '\n';
  }
  if (clients.empty()) {
    err << "no runtime client is installed; run: hearth runtime install python3.11 (or another)\n";
  }
  return kSuccess;
}

int list_as_json(const RuntimeCommandHost& host, std::ostream& out) {
  auto clients = nlohmann::ordered_json::array();
  for (const auto& client : RuntimeClientCache(host.cache_root).list()) {
    clients.push_back({{"runtime", client.runtime},
                       {"interpreter_version", client.interpreter_version},
                       {"folder", client.folder.string()}});
  }
  // A folder's name may be any bytes.
  out << nlohmann::ordered_json{{"clients", std::move(clients)}}.dump(
             -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
      << '\n';
  return kSuccess;
}

int remove(const std::vector<std::string>& ids, const RuntimeCommandHost& host, std::ostream& err) {
  for (const auto& id : ids) {
    const auto removed = RuntimeClientCache(host.cache_root).remove(id);
    if (!removed) return report(removed.error(), err);
    if (*removed == 0) {
      err << "hearth runtime: no client of " << id << " is installed; see: hearth runtime list\n";
      return kWrongUsage;
    }
  }
  return kSuccess;
}

}  // namespace

RuntimeCommandHost runtime_command_host() {
  return {
      .cache_root = runtimes::default_cache_root(variable("XDG_CACHE_HOME"), variable("HOME")),
      .places = runtimes::places_of_host(variable("PATH"), variable("HOME"), variable("JAVA_HOME")),
      .probe = runtimes::probe_version,
      .installation = runtimes::host_with_path(variable("PATH"),
                                               runtimes::read_distribution("/etc/os-release")),
  };
}

int run_runtime_command(const std::vector<std::string>& arguments,
                        const RuntimeCommandHost& host,
                        std::ostream& out,
                        std::ostream& err) {
  CLI::App command(
      "Install, list and remove the clients that run Python, Node.js, Java and Ruby handlers",
      "hearth runtime");
  command.require_subcommand(1);
  std::vector<std::string> ids;
  auto* install_command = command.add_subcommand(
      "install", "Install a client with the language's own installer; needs the network, once");
  install_command->add_option("RUNTIME", ids, "e.g. python3.11, nodejs20.x, java21")->required();
  bool reinstall = false;
  install_command->add_flag(
      "--reinstall", reinstall, "Also what is installed already, to get the newest client");
  auto* list_command = command.add_subcommand(
      "list", "The installed clients: runtime, interpreter version and folder, tab-separated");
  bool json = false;
  list_command->add_flag("--json", json, "As a JSON document: {\"clients\": [...]}");
  auto* remove_command = command.add_subcommand("remove", "Remove a runtime's client");
  remove_command->add_option("RUNTIME", ids, "as install takes it")->required();
  try {
    command.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    if (!arguments.empty() && !arguments[0].starts_with('-') && !is_subcommand(arguments[0])) {
      err << "hearth runtime: there is no '" << arguments[0] << "'; use install, list or remove\n";
      return kWrongUsage;
    }
    return command.exit(error, out, err) == 0 ? kSuccess : kWrongUsage;
  }
  if (*install_command) {
    using runtimes::Existing;
    return install(ids, reinstall ? Existing::replaced : Existing::kept, host, out, err);
  }
  if (*list_command) return json ? list_as_json(host, out) : list(host, out, err);
  return remove(ids, host, err);
}

}  // namespace emulator::app
