#include "emulator/app/runtime_command.h"

#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <sstream>

using namespace emulator::app;
using runtimes_test::TemporaryFolder;

namespace {

struct Terminal {
  TemporaryFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  int installer_status = 0;
  int installations = 0;

  int run(const std::vector<std::string>& arguments) {
    out.str("");
    err.str("");
    folder.write_program("bin/python3.11");
    const RuntimeCommandHost host{
        .cache_root = folder.path() / "cache",
        .places = {.path = (folder.path() / "bin").string(), .home = {}},
        .probe = emulator::runtimes::probe_version,
        .installation = {.has_program = [](std::string_view) { return true; },
                         .run = [this](const auto& command,
                                       const auto&,
                                       const auto&) { return install(command); }}};
    return run_runtime_command(arguments, host, out, err);
  }

  emulator::runtimes::Expected<int> install(const emulator::runtimes::ChildCommand& command) {
    if (command.argv.back() == "--version") return 0;
    ++installations;
    for (const auto* name : {"__main__.py", "bootstrap.py"}) {
      folder.write(command.folder / "awslambdaric" / name, "");
    }
    return installer_status;
  }
};

}  // namespace

TEST_CASE("hearth runtime installs, lists and removes a client", "[runtimes][app]") {
  Terminal terminal;
  const auto client = (terminal.folder.path() / "cache/python3.11-3.11").string();
  CHECK(terminal.run({"install", "python3.11"}) == 0);
  CHECK(terminal.out.str() == client + "\n");
  CHECK(terminal.err.str().find("python3.11: installing") != std::string::npos);
  CHECK(terminal.run({"list"}) == 0);
  CHECK(terminal.out.str() == "python3.11\t3.11\t" + client + "\n");
  CHECK(terminal.run({"remove", "python3.11"}) == 0);
  CHECK(terminal.run({"list"}) == 0);
  CHECK(terminal.out.str().empty());
}

TEST_CASE("hearth runtime installs again only when told to", "[runtimes][app]") {
  Terminal terminal;
  const auto client = (terminal.folder.path() / "cache/python3.11-3.11").string();
  CHECK(terminal.run({"install", "python3.11"}) == 0);
  CHECK(terminal.run({"install", "python3.11"}) == 0);
  CHECK(terminal.out.str() == client + "\n");
  CHECK(terminal.err.str().find("is installed already") != std::string::npos);
  CHECK(terminal.installations == 1);
  CHECK(terminal.run({"install", "--reinstall", "python3.11"}) == 0);
  CHECK(terminal.installations == 2);
}

TEST_CASE("hearth runtime list --json is one document, of nothing too", "[runtimes][app]") {
  Terminal terminal;
  CHECK(terminal.run({"list", "--json"}) == 0);
  CHECK(terminal.out.str() == "{\"clients\":[]}\n");
  CHECK(terminal.run({"install", "python3.11"}) == 0);
  CHECK(terminal.run({"list", "--json"}) == 0);
  CHECK(terminal.out.str() ==
        R"({"clients":[{"runtime":"python3.11","interpreter_version":"3.11","folder":")" +
            (terminal.folder.path() / "cache/python3.11-3.11").string() + "\"}]}\n");
}

TEST_CASE("hearth runtime ends with 2 when it is asked wrongly", "[runtimes][app]") {
  Terminal terminal;
  CHECK(terminal.run({}) == 2);
  CHECK(terminal.run({"install"}) == 2);
  CHECK(terminal.run({"frobnicate"}) == 2);
  CHECK(terminal.err.str().find("'frobnicate'") != std::string::npos);
  CHECK(terminal.run({"install", "python3.1"}) == 2);
  CHECK(terminal.err.str().find("did you mean") != std::string::npos);
  CHECK(terminal.run({"remove", "python3.11"}) == 2);
  CHECK(terminal.out.str().empty());
}

TEST_CASE("hearth runtime ends with 3 when the host cannot install", "[runtimes][app]") {
  Terminal terminal;
  CHECK(terminal.run({"install", "nodejs20.x"}) == 3);
  terminal.installer_status = 1;
  CHECK(terminal.run({"install", "python3.11"}) == 3);
  CHECK(terminal.out.str().empty());
}

TEST_CASE("hearth runtime --help goes to stdout", "[runtimes][app]") {
  Terminal terminal;
  CHECK(terminal.run({"--help"}) == 0);
  CHECK(terminal.out.str().find("install") != std::string::npos);
  CHECK(terminal.run({"install", "--help"}) == 0);
  CHECK(terminal.out.str().find("RUNTIME") != std::string::npos);
}

TEST_CASE("a runtime that brings its own bootstrap needs no installation", "[runtimes][app]") {
  Terminal terminal;
  CHECK(terminal.run({"install", "provided.al2023"}) == 0);
  CHECK(terminal.err.str().find("nothing to install") != std::string::npos);
}
