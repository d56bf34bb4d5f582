#include "emulator/runtimes/interpreter.h"

#include "emulator/runtimes/child_command.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    found.push_back(at->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool is_shim_folder(const fs::path& folder) { return folder.filename() == "shims"; }

// python3.11 but not python3.11-config
bool is_versioned_python(std::string_view name) {
  if (!name.starts_with("python3.")) return false;
  const auto minor = name.substr(8);
  return !minor.empty() && std::all_of(minor.begin(), minor.end(), is_digit);
}

bool is_interpreter_name(Family family, std::string_view name) {
  if (family == Family::nodejs) return name == "node" || name == "nodejs";
  return name == "python3" || name == "python" || is_versioned_python(name);
}

std::vector<fs::path> search_folders(Family family, const InterpreterPlaces& places) {
  std::vector<fs::path> folders;
  std::string_view rest = places.path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const fs::path folder(rest.substr(0, end));
    if (folder.is_absolute() && !is_shim_folder(folder)) folders.push_back(folder);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (places.home.empty()) return folders;
  const auto versions =
      places.home / (family == Family::python ? ".pyenv/versions" : ".nvm/versions/node");
  for (const auto& version : entries(versions)) folders.push_back(version / "bin");
  return folders;
}

// The number that tells two versions of one language apart: 3.11 → 11, 20 → 20.
int distinguishing_number(std::string_view version) {
  const auto digits = version.substr(version.find('.') == version.npos ? 0 : version.find('.') + 1);
  int number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

std::string_view language(Family family) { return family == Family::python ? "Python" : "Node.js"; }

}  // namespace

std::vector<fs::path> interpreter_programs(Family family, const InterpreterPlaces& places) {
  std::vector<fs::path> programs;
  std::set<fs::path> seen;
  for (const auto& folder : search_folders(family, places)) {
    for (const auto& program : entries(folder)) {
      if (!is_interpreter_name(family, program.filename().string()) || !is_program(program)) {
        continue;
      }
      // One interpreter has many names; and through a virtual environment's it would find packages
      // that the function will not have.
      std::error_code error;
      const auto real = fs::canonical(program, error);
      if (!error && seen.insert(real).second) programs.push_back(real);
    }
  }
  return programs;
}

std::optional<std::string> parse_version(Family family, std::string_view output) {
  const std::string_view prefix = family == Family::python ? "Python " : "v";
  if (!output.starts_with(prefix)) return std::nullopt;
  output.remove_prefix(prefix.size());
  const auto other =
      std::find_if(output.begin(), output.end(), [](char c) { return !is_digit(c) && c != '.'; });
  const std::string version(output.begin(), other);
  const auto first = version.find('.');
  if (version.empty() || first == 0 || first == std::string::npos) return std::nullopt;
  if (family == Family::nodejs) return version.substr(0, first);
  if (!version.starts_with("3.")) return std::nullopt;  // Python 2 runs nothing of today's
  return version.substr(0, version.find('.', first + 1));
}

std::optional<std::string> version_from_name(Family family, const fs::path& program) {
  std::error_code error;
  const auto real = fs::canonical(program, error);
  const auto name = (error ? program : real).filename().string();
  if (family == Family::python && is_versioned_python(name)) return name.substr(6);
  // …/.nvm/versions/node/v20.11.1/bin/node
  const auto folder = program.parent_path().parent_path();
  if (family == Family::nodejs && folder.parent_path().filename() == "node") {
    return parse_version(family, folder.filename().string());
  }
  return std::nullopt;
}

std::optional<Interpreter> choose_interpreter(const Runtime& runtime,
                                              const std::vector<Interpreter>& candidates) {
  const int wanted = distinguishing_number(runtime.version);
  const auto distance = [&](const Interpreter& candidate) {
    const int difference = distinguishing_number(candidate.version) - wanted;
    return difference >= 0 ? 2 * difference : -2 * difference + 1;
  };
  const auto best = std::min_element(
      candidates.begin(), candidates.end(), [&](const Interpreter& a, const Interpreter& b) {
        return distance(a) < distance(b);
      });
  if (best == candidates.end()) return std::nullopt;
  return *best;
}

std::optional<std::string> version_mismatch(const Runtime& runtime,
                                            const Interpreter& interpreter) {
  if (interpreter.version == runtime.version) return std::nullopt;
  return runtime.id + " runs on " + std::string(language(runtime.family)) + " " +
         interpreter.version + " (" + interpreter.program.string() +
         "), the nearest this host has; install " + std::string(language(runtime.family)) + " " +
         runtime.version + " to run it as AWS would";
}

std::optional<std::string> probe_version(Family family, const fs::path& program) {
  if (auto named = version_from_name(family, program)) return named;
  const auto output =
      output_of({.argv = {program.string(), "--version"}, .folder = {}, .environment = {}});
  if (!output) return std::nullopt;
  return parse_version(family, *output);
}

Expected<Interpreter> find_interpreter(const Runtime& runtime,
                                       const InterpreterPlaces& places,
                                       const VersionProbe& probe) {
  std::vector<Interpreter> candidates;
  for (const auto& program : interpreter_programs(runtime.family, places)) {
    const auto version = probe(runtime.family, program);
    if (!version) continue;
    candidates.push_back({program, *version});
    if (*version == runtime.version) break;
  }
  if (auto chosen = choose_interpreter(runtime, candidates)) return *chosen;
  const bool python = runtime.family == Family::python;
  return refuse(RuntimeError::Kind::interpreter_missing,
                "no " + std::string(language(runtime.family)) + " was found in PATH or below " +
                    (python ? "~/.pyenv/versions" : "~/.nvm/versions/node") + " to run " +
                    runtime.id + "; install " + std::string(language(runtime.family)) + " " +
                    runtime.version +
                    (python ? ", e.g. apt-get install python3" : ", e.g. apt-get install nodejs"));
}

}  // namespace emulator::runtimes
