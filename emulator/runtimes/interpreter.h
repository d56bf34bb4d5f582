// The host's Python, Node.js, Java and Ruby: which are there, and which of them is nearest to what
// a function asks for.
//
// Threads: any.
#pragma once

#include "emulator/runtimes/catalog.h"
#include "emulator/runtimes/host_packages.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::runtimes {

struct Interpreter {
  std::filesystem::path program;
  std::string version;  // "3.11" of Python and Ruby, "20" of Node.js, "17" of Java
  bool operator==(const Interpreter&) const = default;
};

// Where to look, as the user's environment says; empty when it does not.
struct InterpreterPlaces {
  std::string path;                     // folders separated by ':'
  std::filesystem::path home;           // for pyenv, nvm, SDKMAN and rbenv
  std::filesystem::path java_home{};    // JAVA_HOME's value
  std::filesystem::path java_parent{};  // where distributions put each Java: /usr/lib/jvm
  Distribution distribution = Distribution::unknown;  // for what to install when there is none
};

// Those of this host. The arguments are the values of PATH, HOME and JAVA_HOME.
InterpreterPlaces places_of_host(std::string path,
                                 std::filesystem::path home,
                                 std::filesystem::path java_home);

// The programs that could be interpreters of the runtime's language: Java's in JAVA_HOME, then in
// PATH's order, then those of version managers and of the distribution; each once, by its real
// path. Shims of version managers are left out: what they start depends on the folder.
std::vector<std::filesystem::path> interpreter_programs(Family family,
                                                        const InterpreterPlaces& places);

// What a version manager's folder, the program's own name or the file `release` of a Java tells
// without starting it.
std::optional<std::string> version_from_name(Family family, const std::filesystem::path& program);

// "Python 3.11.7" → "3.11", "v20.20.2" → "20", "openjdk 17.0.15 2025-04-15" → "17", "ruby 3.1.2p20"
// → "3.1"; nullopt when it is none of these.
std::optional<std::string> parse_version(Family family, std::string_view output);

// The nearest to the asked version: the same, else the fewest minor (Python, Ruby) or major
// (Node.js, Java) versions away, a newer one before an older one; the first of equals. An older
// Java is the last choice: it refuses classes of a newer one. nullopt when there is none.
std::optional<Interpreter> choose_interpreter(const Runtime& runtime,
                                              const std::vector<Interpreter>& candidates);

// A sentence to be told once when the interpreter is not of the version asked for.
std::optional<std::string> version_mismatch(const Runtime& runtime, const Interpreter& interpreter);

// Answers a program's version, as parse_version gives it; nullopt when it will not say.
using VersionProbe =
    std::function<std::optional<std::string>(Family family, const std::filesystem::path& program)>;

// By the name where it tells, else by starting it with --version.
std::optional<std::string> probe_version(Family family, const std::filesystem::path& program);

// The nearest interpreter among interpreter_programs. Stops probing at the first exact one.
Expected<Interpreter> find_interpreter(const Runtime& runtime,
                                       const InterpreterPlaces& places,
                                       const VersionProbe& probe = probe_version);

}  // namespace emulator::runtimes
