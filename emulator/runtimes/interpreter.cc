#include "emulator/runtimes/interpreter.h"

#include "emulator/runtimes/child_command.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <set>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

// More than twice the number of any version that a language has had.
constexpr int kAfterAllNewer = 1000;

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
bool is_versioned(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return false;
  const auto rest = name.substr(stem.size());
  return !rest.empty() && std::all_of(rest.begin(), rest.end(), is_digit);
}

// The name under which it is found in PATH.
std::string program_of(Family family) {
  switch (family) {
    case Family::python:
      return "python3";
    case Family::nodejs:
      return "node";
    case Family::java:
      return "java";
    case Family::ruby:
      return "ruby";
    case Family::provided:
    case Family::go:
      break;
  }
  return "";
}

bool is_interpreter_name(Family family, std::string_view name) {
  switch (family) {
    case Family::python:
      return name == "python3" || name == "python" || is_versioned(name, "python3.");
    case Family::nodejs:
      return name == "node" || name == "nodejs";
    case Family::java:
      return name == "java";
    case Family::ruby:
      return name == "ruby" || is_versioned(name, "ruby3.");
    case Family::provided:
    case Family::go:
      break;
  }
  return false;
}

// Below the home folder, where the language's usual version manager keeps its versions.
fs::path manager_folder(Family family) {
  switch (family) {
    case Family::python:
      return ".pyenv/versions";
    case Family::nodejs:
      return ".nvm/versions/node";
    case Family::java:
      return ".sdkman/candidates/java";
    case Family::ruby:
      return ".rbenv/versions";
    case Family::provided:
    case Family::go:
      break;
  }
  return {};
}

std::vector<fs::path> search_folders(Family family, const InterpreterPlaces& places) {
  std::vector<fs::path> folders;
  const bool java = family == Family::java;
  if (java && !places.java_home.empty()) folders.push_back(places.java_home / "bin");
  std::string_view rest = places.path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const fs::path folder(rest.substr(0, end));
    if (folder.is_absolute() && !is_shim_folder(folder)) folders.push_back(folder);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto add_versions = [&](const fs::path& parent) {
    for (const auto& version : entries(parent)) folders.push_back(version / "bin");
  };
  if (!places.home.empty()) add_versions(places.home / manager_folder(family));
  if (java && !places.java_parent.empty()) add_versions(places.java_parent);
  return folders;
}

// The number that tells two versions of one language apart: 3.11 → 11, 20 → 20.
int distinguishing_number(std::string_view version) {
  const auto digits = version.substr(version.find('.') == version.npos ? 0 : version.find('.') + 1);
  int number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// The digits and points that a text starts with.
std::string_view leading_version(std::string_view text) {
  const auto other =
      std::find_if(text.begin(), text.end(), [](char c) { return !is_digit(c) && c != '.'; });
  return text.substr(0, static_cast<std::size_t>(other - text.begin()));
}

// 3.11.7 → 3.11; nullopt unless it starts with "3.", for older ones run nothing of today's.
std::optional<std::string> minor_version(std::string_view version) {
  if (!version.starts_with("3.") || version.size() < 3) return std::nullopt;
  return std::string(version.substr(0, version.find('.', 2)));
}

// 20.20.2 → 20
std::optional<std::string> major_version(std::string_view version) {
  const auto first = version.find('.');
  if (first == 0 || first == std::string_view::npos) return std::nullopt;
  return std::string(version.substr(0, first));
}

// 17.0.15 → 17, 25 → 25, 1.8.0 → 8: until 8 Java counted in the second place.
std::optional<std::string> java_version(std::string_view version) {
  if (version.starts_with("1.")) version.remove_prefix(2);
  if (version.empty() || version.front() == '.') return std::nullopt;
  return std::string(version.substr(0, version.find('.')));
}

// A Java says its version in a file beside its folders, which spares the start of a JVM.
std::optional<std::string> version_from_release_file(const fs::path& java) {
  constexpr std::string_view kKey = "JAVA_VERSION=\"";
  for (auto folder = java.parent_path().parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    std::ifstream file(folder / "release");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(kKey)) return java_version(leading_version(line.substr(kKey.size())));
    }
    // Java 8 had a folder jre in between.
    if (folder.filename() != "jre") break;
  }
  return std::nullopt;
}

}  // namespace

InterpreterPlaces places_of_host(std::string path, fs::path home, fs::path java_home) {
  return {.path = std::move(path),
          .home = std::move(home),
          .java_home = std::move(java_home),
          .java_parent = "/usr/lib/jvm",
          .distribution = read_distribution("/etc/os-release")};
}

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
  const auto after = [&](std::string_view prefix) -> std::string_view {
    return output.starts_with(prefix) ? leading_version(output.substr(prefix.size())) : "";
  };
  switch (family) {
    case Family::python:
      return minor_version(after("Python "));
    case Family::nodejs:
      return major_version(after("v"));
    case Family::java:
      return java_version(after(output.starts_with("java ") ? "java " : "openjdk "));
    case Family::ruby:
      return minor_version(after("ruby "));
    case Family::provided:
    case Family::go:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> version_from_name(Family family, const fs::path& program) {
  std::error_code error;
  const auto real = fs::canonical(program, error);
  const auto name = (error ? program : real).filename().string();
  if (family == Family::python && is_versioned(name, "python3.")) return name.substr(6);
  if (family == Family::ruby && is_versioned(name, "ruby3.")) return name.substr(4);
  if (family == Family::java) return version_from_release_file(error ? program : real);
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
    if (difference >= 0) return 2 * difference;
    const int older = -2 * difference + 1;
    return runtime.family == Family::java ? older + kAfterAllNewer : older;
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
  const std::string name(language(runtime.family));
  const auto elsewhere = runtime.family == Family::java && !places.java_parent.empty()
                             ? ", in " + places.java_parent.string()
                             : std::string();
  return refuse(RuntimeError::Kind::interpreter_missing,
                "no " + name + " was found in PATH" + elsewhere + " or below ~/" +
                    manager_folder(runtime.family).string() + " to run " + runtime.id +
                    "; install " + name + " " + runtime.version +
                    ", e.g.: " + install_advice({program_of(runtime.family)}, places.distribution));
}

}  // namespace emulator::runtimes
