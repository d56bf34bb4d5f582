#include "emulator/runtimes/client_recipe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <map>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

// Our choice: the versions tested with. Maven resolves no "newest" that would be the same tomorrow.
constexpr std::string_view kJavaClientVersion = "2.10.1";
constexpr std::string_view kMavenDependencyPlugin =
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

// AWS's client for Node.js has two lines: one for Node.js 22 and later, which starts when it is
// imported, and the one before, which has a function for that. Its package manager would choose
// among them by the interpreter too, but a line after these might lie in its folder otherwise.
struct NodeClient {
  int from_node;  // the first Node.js that it is for
  std::string_view package;
  std::string_view entry;
  std::string_view folder;  // of what it consists of, in the package
};
constexpr std::array<NodeClient, 2> kNodeClients = {
    {{22, "aws-lambda-ric@4", "import 'aws-lambda-ric';\n", ""},
     {0,
      "aws-lambda-ric@3",
      "import { run } from 'aws-lambda-ric';\n"
      "await run(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), process.argv[2]);\n",
      "dist/"}}};

const NodeClient& node_client(const Interpreter& interpreter) {
  int version = 0;
  std::from_chars(
      interpreter.version.data(), interpreter.version.data() + interpreter.version.size(), version);
  return version >= kNodeClients.front().from_node ? kNodeClients.front() : kNodeClients.back();
}

// PATH with the interpreter's folder first, so that npm's and pip's children run on it as well.
std::map<std::string, std::string> environment_for(const Interpreter& interpreter) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): never written here
  const auto folder = interpreter.program.parent_path().string();
  return {{"PATH", path != nullptr ? folder + ":" + path : folder}};
}

ClientRecipe python_recipe(const Interpreter& interpreter, const fs::path& folder) {
  const auto program = interpreter.program.string();
  ClientRecipe recipe;
  recipe.announcement = "installing awslambdaric with " + program;
  recipe.installer.argv = {program,
                           "-m",
                           "pip",
                           "install",
                           "--target",
                           folder.string(),
                           "--no-input",
                           "--disable-pip-version-check",
                           "awslambdaric"};
  recipe.makes = {"awslambdaric/__main__.py", "awslambdaric/bootstrap.py"};
  return recipe;
}

// Source of the programs: the install scripts of aws-lambda-ric, which configure and make libcurl
// and aws-lambda-cpp, and node-gyp, which needs Python.
ClientRecipe node_recipe(const Interpreter& interpreter, const fs::path& folder) {
  const auto& client = node_client(interpreter);
  ClientRecipe recipe;
  recipe.announcement = "installing aws-lambda-ric with npm; it compiles for about a minute";
  recipe.programs = {
      "npm", "autoconf", "automake", "libtoolize", "cmake", "g++", "make", "python3"};
  recipe.installer.argv = {"npm",
                           "install",
                           "--prefix",
                           folder.string(),
                           "--foreground-scripts",
                           "--no-audit",
                           "--no-fund",
                           "--no-update-notifier",
                           std::string(client.package)};
  const auto package = "node_modules/aws-lambda-ric/" + std::string(client.folder);
  recipe.makes = {package + "index.mjs", package + "rapid-client.node"};
  recipe.after = {{std::string(kNodeEntryFile), std::string(client.entry)}};
  return recipe;
}

ClientRecipe java_recipe(const fs::path& folder) {
  constexpr std::string_view kName = "aws-lambda-java-runtime-interface-client";
  ClientRecipe recipe;
  recipe.announcement = "installing " + std::string(kName) + " with Maven";
  recipe.programs = {"mvn"};
  std::string project =
      "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>hearth</groupId>\n"
      "  <artifactId>runtime-client</artifactId>\n  <version>1</version>\n"
      "  <dependencies>\n    <dependency>\n      <groupId>com.amazonaws</groupId>\n"
      "      <artifactId>";
  project.append(kName).append("</artifactId>\n      <version>").append(kJavaClientVersion);
  project.append("</version>\n    </dependency>\n  </dependencies>\n</project>\n");
  recipe.before = {{"pom.xml", project}};
  recipe.installer.argv = {
      "mvn",
      "--batch-mode",
      "-Dstyle.color=never",
      std::string(kMavenDependencyPlugin) + ":copy-dependencies",
      "-DincludeScope=runtime",
      "-Dmdep.stripVersion=true",
      "-DoutputDirectory=" + (folder / kJavaLibraryFolder).string(),
  };
  for (const auto* archive : {"runtime-interface-client", "core", "serialization"}) {
    recipe.makes.push_back(std::string(kJavaLibraryFolder) + "/aws-lambda-java-" + archive +
                           ".jar");
  }
  return recipe;
}

// The gem with what it depends on, in a folder that GEM_PATH will name.
ClientRecipe ruby_recipe(const Interpreter& interpreter, const fs::path& folder) {
  ClientRecipe recipe;
  recipe.announcement = "installing aws_lambda_ric with gem";
  // Run by this Ruby and no other's gem: what it installs is for one version.
  recipe.installer.argv = {interpreter.program.string(),
                           "-S",
                           "gem",
                           "install",
                           "--install-dir",
                           folder.string(),
                           "--bindir",
                           (folder / "bin").string(),
                           "--no-document",
                           "aws_lambda_ric"};
  recipe.programs = {"gem"};
  recipe.makes = {std::string(kRubyProgram)};
  return recipe;
}

ClientRecipe recipe_of(const Runtime& runtime,
                       const Interpreter& interpreter,
                       const fs::path& folder) {
  switch (runtime.family) {
    case Family::python:
      return python_recipe(interpreter, folder);
    case Family::nodejs:
      return node_recipe(interpreter, folder);
    case Family::java:
      return java_recipe(folder);
    case Family::ruby:
      return ruby_recipe(interpreter, folder);
    case Family::provided:
    case Family::go:
      break;
  }
  return {};
}

bool starts_with_one_of(std::string_view line, std::initializer_list<std::string_view> words) {
  for (const auto word : words) {
    if (line.starts_with(word)) return true;
  }
  return false;
}

}  // namespace

ClientRecipe client_recipe(const Runtime& runtime,
                           const Interpreter& interpreter,
                           const fs::path& folder) {
  auto recipe = recipe_of(runtime, interpreter, folder);
  recipe.installer.folder = folder;
  recipe.installer.environment = environment_for(interpreter);
  return recipe;
}

std::optional<std::string> progress_of(Family family, std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  bool tells = false;
  switch (family) {
    case Family::python:
      tells = starts_with_one_of(line, {"Collecting ", "Downloading ", "Building ", "Installing "});
      break;
    case Family::nodejs:  // "> aws-lambda-ric@4.0.2 install", then what make prints of each part
      tells =
          starts_with_one_of(line, {"> ", "Making all in ", "[ ", "[1", "CXX(", "SOLINK_MODULE("});
      break;
    case Family::java:
      tells = starts_with_one_of(line, {"[INFO] Downloading from "});
      break;
    case Family::ruby:
      tells = starts_with_one_of(line, {"Fetching ", "Building ", "Successfully installed "});
      break;
    case Family::provided:
    case Family::go:
      break;
  }
  if (!tells) return std::nullopt;
  // Of an address the file is what tells something.
  if (family == Family::java) return "fetching " + std::string(line.substr(line.rfind('/') + 1));
  return std::string(line);
}

}  // namespace emulator::runtimes
