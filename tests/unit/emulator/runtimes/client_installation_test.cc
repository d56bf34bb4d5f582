#include "emulator/runtimes/client_installation.h"

#include "emulator/runtimes/client_recipe.h"
#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <optional>
#include <set>
#include <thread>

using namespace emulator::runtimes;
using runtimes_test::TemporaryFolder;

namespace {

namespace fs = std::filesystem;

const Runtime kPython{"python3.11", Family::python, "3.11"};
const Runtime kNode{"nodejs20.x", Family::nodejs, "20"};
const Interpreter kPython311{"/usr/bin/python3.11", "3.11"};
const Interpreter kNode20{"/usr/bin/node", "20"};

std::string contents(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void touch(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

// Stands for pip, npm, Maven and gem: records what it was asked, and leaves the files they would.
struct FakeInstaller {
  std::vector<std::vector<std::string>> asked;
  std::set<std::string, std::less<>> absent_programs;
  std::string files_say = "first";
  int status = 0;
  bool compiles = true;
  bool has_pip = true;

  InstallationHost host() {
    return {.has_program =
                [this](std::string_view program) { return absent_programs.count(program) == 0; },
            .run = [this](const ChildCommand& command,
                          const fs::path& log,
                          const LineSink& told) { return run(command, log, told); },
            .distribution = Distribution::debian};
  }

  Expected<int> run(const ChildCommand& command, const fs::path& log, const LineSink& told) {
    asked.push_back(command.argv);
    if (command.argv.back() == "--version") return has_pip ? 0 : 1;
    for (const auto* line : {"Collecting awslambdaric", "  noise", "Collecting awslambdaric"}) {
      told(line);
    }
    for (int line = 1; line <= 40; ++line) {
      std::ofstream(log, std::ios::app) << "line " << line << "\n";
    }
    if (status != 0) return status;
    touch(command.folder / "awslambdaric/__main__.py", files_say);
    touch(command.folder / "awslambdaric/bootstrap.py", files_say);
    const auto package = command.folder / "node_modules/aws-lambda-ric";
    const auto node = command.argv.back().ends_with("@3") ? package / "dist" : package;
    touch(node / "index.mjs", files_say);
    if (compiles) touch(node / "rapid-client.node", files_say);
    for (const auto* name : {"runtime-interface-client", "core", "serialization"}) {
      touch(command.folder / ("lib/aws-lambda-java-" + std::string(name) + ".jar"), files_say);
    }
    touch(command.folder / "bin/aws_lambda_ric", files_say);
    return 0;
  }
};

const LineSink kQuiet = [](std::string_view) {};

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("an installed client is found again, under its runtime and interpreter", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  std::vector<std::string> lines;
  const auto installed =
      install_client({kPython, kPython311}, cache, installer.host(), [&](std::string_view line) {
        lines.emplace_back(line);
      });
  REQUIRE(installed);
  CHECK(cache.find("python3.11", "3.11") == *installed);
  CHECK_FALSE(cache.find("python3.11", "3.12"));
  CHECK(cache.list() == std::vector{*installed});
  CHECK(lines == std::vector<std::string>{"installing awslambdaric with /usr/bin/python3.11",
                                          "Collecting awslambdaric",
                                          "installed in " + installed->folder.string()});
  CHECK(installer.asked.back().back() == "awslambdaric");
  CHECK(installer.asked.size() == 2);
  CHECK(fs::status(cache.root()).permissions() == fs::perms::owner_all);
  CHECK(fs::status(installed->folder).permissions() == fs::perms::owner_all);
}

TEST_CASE("a client for Node.js is started by an entry file that prints nothing", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  const auto installed = install_client({kNode, kNode20}, cache, installer.host(), kQuiet);
  REQUIRE(installed);
  const auto entry = contents(installed->folder / kNodeEntryFile);
  CHECK(entry.find("aws-lambda-ric") != std::string::npos);
  CHECK(entry.find("console") == std::string::npos);
  CHECK(entry.find("run(") != std::string::npos);
  CHECK(installer.asked.back().back() == "aws-lambda-ric@3");
}

TEST_CASE("from Node.js 22 on there is another client, which starts when it is imported",
          "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  for (const auto* version : {"22", "24"}) {
    const auto installed =
        install_client({{"nodejs" + std::string(version) + ".x", Family::nodejs, version},
                        {"/usr/bin/node", version}},
                       cache,
                       installer.host(),
                       kQuiet);
    REQUIRE(installed);
    CHECK(contents(installed->folder / kNodeEntryFile) == "import 'aws-lambda-ric';\n");
    CHECK(installer.asked.back().back() == "aws-lambda-ric@4");
  }
}

TEST_CASE("what the host lacks is named with its apt-get line before anything starts",
          "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  installer.absent_programs = {"autoconf", "libtoolize", "g++"};
  const auto installed = install_client({kNode, kNode20}, cache, installer.host(), kQuiet);
  REQUIRE_FALSE(installed);
  CHECK(installed.error().kind == RuntimeError::Kind::tools_missing);
  CHECK(installed.error().message.find("apt-get install autoconf libtool g++") !=
        std::string::npos);
  CHECK(installer.asked.empty());
}

TEST_CASE("an interpreter without pip is told how to get it", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  installer.has_pip = false;
  const auto installed = install_client({kPython, kPython311}, cache, installer.host(), kQuiet);
  REQUIRE_FALSE(installed);
  CHECK(installed.error().message.find("python3-pip") != std::string::npos);
}

TEST_CASE("a failed installer leaves nothing behind but its log, and shows its end", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  installer.status = 7;
  const auto installed = install_client({kPython, kPython311}, cache, installer.host(), kQuiet);
  REQUIRE_FALSE(installed);
  CHECK(installed.error().kind == RuntimeError::Kind::installation_failed);
  const auto& message = installed.error().message;
  CHECK(message.find("failed with status 7") != std::string::npos);
  CHECK(message.find("line 40\n") != std::string::npos);
  CHECK(message.find("line 28\n") == std::string::npos);
  CHECK(cache.list().empty());
  CHECK(entries(cache.root()) == 2);  // the log and the lock
  CHECK(fs::exists(cache.log_file("python3.11", "3.11")));
}

TEST_CASE("an installer that succeeds without compiling has not succeeded", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  installer.compiles = false;
  const auto installed = install_client({kNode, kNode20}, cache, installer.host(), kQuiet);
  REQUIRE_FALSE(installed);
  CHECK(installed.error().message.find("rapid-client.node") != std::string::npos);
  CHECK(cache.list().empty());
}

TEST_CASE("installing what is installed does nothing, unless it is to be replaced", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  REQUIRE(install_client({kPython, kPython311}, cache, installer.host(), kQuiet));
  const auto asked = installer.asked.size();
  installer.files_say = "second";
  auto installed = install_client({kPython, kPython311}, cache, installer.host(), kQuiet);
  REQUIRE(installed);
  CHECK(installer.asked.size() == asked);
  CHECK(contents(installed->folder / "awslambdaric/bootstrap.py") == "first");
  installed =
      install_client({kPython, kPython311, Existing::replaced}, cache, installer.host(), kQuiet);
  REQUIRE(installed);
  CHECK(contents(installed->folder / "awslambdaric/bootstrap.py") == "second");
  CHECK(cache.list().size() == 1);
  CHECK(entries(cache.root()) == 3);  // the client, the log and the lock
}

TEST_CASE("of two who install the same client at once, one installs and both have it",
          "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;  // what it records is guarded by the cache's own lock
  std::array<std::optional<InstalledClient>, 2> installed;
  {
    std::vector<std::jthread> threads;
    for (auto& result : installed) {
      threads.emplace_back([&cache, &installer, &result] {
        if (auto client = install_client({kNode, kNode20}, cache, installer.host(), kQuiet)) {
          result = *client;
        }
      });
    }
  }
  REQUIRE(installed[0]);
  CHECK(installed[0] == installed[1]);
  CHECK(installer.asked.size() == 1);
  CHECK(entries(cache.root()) == 3);
}

TEST_CASE("Java's client comes by Maven and Ruby's by gem, and both are whole or refused",
          "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  const InstallationWish java{{"java21", Family::java, "21"}, {"/jvm/17/bin/java", "17"}};
  const auto installed = install_client(java, cache, installer.host(), kQuiet);
  REQUIRE(installed);
  CHECK(installed->folder.filename() == "java21-17");
  CHECK(installer.asked.back().front() == "mvn");
  CHECK(contents(installed->folder / "pom.xml").find("runtime-interface-client") !=
        std::string::npos);
  const InstallationWish ruby{{"ruby3.3", Family::ruby, "3.3"}, {"/usr/bin/ruby3.3", "3.3"}};
  REQUIRE(install_client(ruby, cache, installer.host(), kQuiet));
  CHECK(installer.asked.back().back() == "aws_lambda_ric");
  installer.absent_programs = {"mvn", "gem"};
  CHECK(missing_programs(java, installer.host()) == std::vector<std::string>{"mvn"});
  CHECK(missing_programs(ruby, installer.host()) == std::vector<std::string>{"gem"});
}

TEST_CASE("of what installers print, what tells how far they are is told", "[runtimes]") {
  CHECK(progress_of(Family::python, "Building wheel for awslambdaric") ==
        "Building wheel for awslambdaric");
  CHECK_FALSE(progress_of(Family::python, "  Preparing metadata"));
  CHECK(progress_of(Family::nodejs, "> aws-lambda-ric@4.0.2 install"));
  CHECK_FALSE(progress_of(Family::nodejs, "checking for gcc... gcc"));
  CHECK(progress_of(Family::java, "[INFO] Downloading from here: https://a/b/core-1.4.0.jar") ==
        "fetching core-1.4.0.jar");
  CHECK(progress_of(Family::ruby, "Successfully installed aws_lambda_ric-3.0.0"));
  CHECK_FALSE(progress_of(Family::java, ""));
}

TEST_CASE("what an interrupted installation left is cleared by the next", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  const auto leftover = cache.root() / ".installing-left00";
  touch(leftover / "half/a/client", "");
  CHECK(cache.list().empty());
  REQUIRE(cache.stage());
  CHECK_FALSE(fs::exists(leftover));
}

TEST_CASE("removing a runtime's client removes its log, and only its own", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.path() / "cache");
  FakeInstaller installer;
  REQUIRE(install_client({kPython, kPython311}, cache, installer.host(), kQuiet));
  REQUIRE(install_client({kNode, kNode20}, cache, installer.host(), kQuiet));
  CHECK(cache.remove("python3.11").value() == 1);
  CHECK(cache.remove("python3.11").value() == 0);
  CHECK_FALSE(fs::exists(cache.log_file("python3.11", "3.11")));
  REQUIRE(cache.list().size() == 1);
  CHECK(cache.list()[0].runtime == "nodejs20.x");
}

TEST_CASE("a cache that cannot be made says where and what to set", "[runtimes]") {
  const TemporaryFolder folder;
  const RuntimeClientCache cache(folder.write("a-file", "") / "cache");
  const auto staging = cache.stage();
  REQUIRE_FALSE(staging);
  CHECK(staging.error().kind == RuntimeError::Kind::cache_unusable);
  CHECK(staging.error().message.find("XDG_CACHE_HOME") != std::string::npos);
}

TEST_CASE("the cache lies where the XDG specification says", "[runtimes]") {
  CHECK(default_cache_root("/x", "/home/me") == "/x/hearth/runtimes");
  CHECK(default_cache_root("", "/home/me") == "/home/me/.cache/hearth/runtimes");
  CHECK(default_cache_root("relative", "/home/me") == "/home/me/.cache/hearth/runtimes");
}

TEST_CASE("a child's output is returned or logged, and its failure is a value", "[runtimes]") {
  const TemporaryFolder folder;
  const auto command = [&](const char* script) {
    return ChildCommand{
        .argv = {"/bin/sh", "-c", script}, .folder = folder.path(), .environment = {{"A", "b c"}}};
  };
  const LineSink quiet = [](std::string_view) {};
  CHECK(output_of(command("echo \"$A\"; echo error >&2")).value() == "b c\n");
  CHECK_FALSE(output_of(command("exit 3")));
  const auto log = folder.path() / "log";
  CHECK(run_to_log(command("pwd; echo error >&2; exit 3"), log, quiet).value() == 3);
  CHECK(contents(log) == folder.path().string() + "\nerror\n");
  CHECK(run_to_log(command("kill -TERM $$"), log, quiet).value() == 128 + 15);
  CHECK_FALSE(
      run_to_log({.argv = {"/no/such/program"}, .folder = {}, .environment = {}}, log, quiet));
}

TEST_CASE("a child's lines are told as they come, whoever of its family lives on", "[runtimes]") {
  const TemporaryFolder folder;
  std::vector<std::string> lines;
  // The second process keeps the output open until the test has its answer.
  const auto fifo = folder.path() / "fifo";
  const ChildCommand command{
      .argv = {"/bin/sh",
               "-c",
               "mkfifo fifo; (read x <fifo) & printf 'one\\ntwo\\rthree\\n\\nfour'"},
      .folder = folder.path(),
      .environment = {}};
  CHECK(run_to_log(command, folder.path() / "log", [&](std::string_view line) {
          lines.emplace_back(line);
        }).value() == 0);
  CHECK(lines == std::vector<std::string>{"one", "two", "three"});
  CHECK(contents(folder.path() / "log") == "one\ntwo\rthree\n\nfour");
  std::ofstream(fifo) << "go\n";
}
