#include "emulator/runtimes/client_installation.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <span>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

// As much of an installer's output as a reader of a terminal takes in.
constexpr std::size_t kTailLines = 12;

struct Tool {
  std::string_view program;
  std::string_view package;  // of Debian and its derivatives
};

// Source: the install scripts of aws-lambda-ric, which configure and make libcurl and
// aws-lambda-cpp, and node-gyp, which needs Python.
constexpr std::array kNodeTools = {
    Tool{"npm", "npm"},
    Tool{"autoconf", "autoconf"},
    Tool{"automake", "automake"},
    Tool{"libtoolize", "libtool"},
    Tool{"cmake", "cmake"},
    Tool{"g++", "g++"},
    Tool{"make", "make"},
    Tool{"python3", "python3"},
};

constexpr std::string_view kNodeEntry =
    "import { run } from 'aws-lambda-ric';\n"
    "await run(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), process.argv[2]);\n";

std::string join(const std::vector<std::string>& words) {
  std::string joined;
  for (const auto& word : words) joined.append(joined.empty() ? "" : " ").append(word);
  return joined;
}

// PATH with the interpreter's folder first, so that npm and pip's children run on it as well.
std::map<std::string, std::string> environment_for(const Interpreter& interpreter) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): never written here
  const auto folder = interpreter.program.parent_path().string();
  return {{"PATH", path != nullptr ? folder + ":" + path : folder}};
}

ChildCommand installer(const Runtime& runtime,
                       const Interpreter& interpreter,
                       const fs::path& folder) {
  ChildCommand command{.argv = {}, .folder = folder, .environment = environment_for(interpreter)};
  if (runtime.family == Family::python) {
    command.argv = {interpreter.program.string(),
                    "-m",
                    "pip",
                    "install",
                    "--target",
                    folder.string(),
                    "--no-input",
                    "--disable-pip-version-check",
                    "awslambdaric"};
  } else {
    command.argv = {"npm",
                    "install",
                    "--prefix",
                    folder.string(),
                    "--no-audit",
                    "--no-fund",
                    "--no-update-notifier",
                    "aws-lambda-ric"};
  }
  return command;
}

// What a whole client holds; npm, for one, may succeed without having compiled anything.
std::vector<std::string_view> expected_files(Family family) {
  if (family == Family::python) return {"awslambdaric/__main__.py", "awslambdaric/bootstrap.py"};
  return {"node_modules/aws-lambda-ric/dist/index.mjs",
          "node_modules/aws-lambda-ric/dist/rapid-client.node"};
}

std::string tail(const fs::path& log) {
  std::ifstream file(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > kTailLines) lines.erase(lines.begin());
  }
  std::string text;
  for (const auto& line : lines) text += "  " + line + "\n";
  return text;
}

tl::unexpected<RuntimeError> failed(const ChildCommand& command,
                                    const std::string& how,
                                    const fs::path& log) {
  return refuse(RuntimeError::Kind::installation_failed,
                join(command.argv) + " " + how + "; it is all in " + log.string() +
                    ", which ends:\n" + tail(log));
}

Expected<void> check_host(const Runtime& runtime,
                          const Interpreter& interpreter,
                          const InstallationHost& host,
                          const fs::path& log) {
  if (const auto missing = missing_packages(runtime, host); !missing.empty()) {
    return refuse(RuntimeError::Kind::tools_missing,
                  "the client of " + runtime.id + " is compiled on this host, which lacks " +
                      join(missing) + "; run: apt-get install " + join(missing));
  }
  if (runtime.family != Family::python) return {};
  const auto pip = host.run({.argv = {interpreter.program.string(), "-m", "pip", "--version"},
                             .folder = {},
                             .environment = {}},
                            log);
  if (pip && *pip == 0) return {};
  return refuse(RuntimeError::Kind::tools_missing,
                interpreter.program.string() +
                    " has no pip; run: apt-get install python3-pip, or " +
                    interpreter.program.string() + " -m ensurepip");
}

Expected<void> fill(const Runtime& runtime,
                    const Interpreter& interpreter,
                    const InstallationHost& host,
                    const fs::path& folder,
                    const fs::path& log) {
  const auto command = installer(runtime, interpreter, folder);
  const auto status = host.run(command, log);
  if (!status) return tl::unexpected(status.error());
  if (*status != 0) return failed(command, "failed with status " + std::to_string(*status), log);
  for (const auto file : expected_files(runtime.family)) {
    if (!fs::exists(folder / file)) {
      return failed(command, "succeeded without making " + std::string(file), log);
    }
  }
  if (runtime.family == Family::nodejs) {
    std::ofstream(folder / kNodeEntryFile) << kNodeEntry;
  }
  return {};
}

}  // namespace

InstallationHost host_with_path(std::string path) {
  auto has_program = [path = std::move(path)](std::string_view program) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(':'), rest.size());
      const auto file = fs::path(rest.substr(0, end)) / program;
      if (::access(file.c_str(), X_OK) == 0) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
  };
  return {.has_program = std::move(has_program), .run = run_to_log};
}

std::vector<std::string> missing_packages(const Runtime& runtime, const InstallationHost& host) {
  std::vector<std::string> packages;
  if (runtime.family != Family::nodejs) return packages;
  for (const auto& [program, package] : kNodeTools) {
    if (!host.has_program(program)) packages.emplace_back(package);
  }
  return packages;
}

Expected<InstalledClient> install_client(const Runtime& runtime,
                                         const Interpreter& interpreter,
                                         const RuntimeClientCache& cache,
                                         const InstallationHost& host,
                                         const ProgressSink& progress) {
  if (!needs_client(runtime)) {
    return refuse(RuntimeError::Kind::invalid_function,
                  runtime.id + " needs no client: its bootstrap speaks the Runtime API itself");
  }
  auto staging = cache.stage();
  if (!staging) return tl::unexpected(staging.error());
  const auto log = cache.log_file(runtime.id, interpreter.version);
  std::error_code ignored;
  fs::remove(log, ignored);
  if (auto ready = check_host(runtime, interpreter, host, log); !ready) {
    return tl::unexpected(ready.error());
  }
  if (const auto remark = version_mismatch(runtime, interpreter)) progress(*remark);
  progress(runtime.family == Family::python
               ? "installing awslambdaric with " + interpreter.program.string()
               : "installing aws-lambda-ric with npm; it compiles for about a minute");
  if (auto filled = fill(runtime, interpreter, host, staging->folder(), log); !filled) {
    return tl::unexpected(filled.error());
  }
  auto installed = cache.commit(std::move(*staging), runtime.id, interpreter.version);
  if (installed) progress("installed in " + installed->folder.string());
  return installed;
}

}  // namespace emulator::runtimes
