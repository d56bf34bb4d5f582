#include "emulator/runtimes/interpreter.h"

#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::runtimes;
using runtimes_test::TemporaryFolder;

namespace {

const Runtime kPython311{"python3.11", Family::python, "3.11"};
const Runtime kNode20{"nodejs20.x", Family::nodejs, "20"};

std::string chosen(const Runtime& runtime, const std::vector<Interpreter>& candidates) {
  return choose_interpreter(runtime, candidates).value().version;
}

}  // namespace

TEST_CASE("what an interpreter says of itself is read as far as binary modules depend on it",
          "[runtimes]") {
  CHECK(parse_version(Family::python, "Python 3.11.7\n") == "3.11");
  CHECK(parse_version(Family::python, "Python 3.14.0rc1\n") == "3.14");
  CHECK(parse_version(Family::nodejs, "v20.20.2\n") == "20");
}

TEST_CASE("Python 2, other programs and silence are no interpreters", "[runtimes]") {
  CHECK_FALSE(parse_version(Family::python, "Python 2.7.18"));
  CHECK_FALSE(parse_version(Family::python, ""));
  CHECK_FALSE(parse_version(Family::python, "Python three"));
  CHECK_FALSE(parse_version(Family::nodejs, "20.1.0"));
  CHECK_FALSE(parse_version(Family::nodejs, "v"));
}

TEST_CASE("the interpreter of the asked version is chosen before a nearer place in PATH",
          "[runtimes]") {
  CHECK(chosen(kPython311, {{"/a", "3.12"}, {"/b", "3.11"}, {"/c", "3.11"}}) == "3.11");
  CHECK(choose_interpreter(kPython311, {{"/a", "3.12"}, {"/b", "3.11"}, {"/c", "3.11"}})
            .value()
            .program == "/b");
}

TEST_CASE("without the asked version the nearest is chosen, a newer one before an older",
          "[runtimes]") {
  CHECK(chosen(kPython311, {{"/a", "3.8"}, {"/b", "3.14"}, {"/c", "3.13"}}) == "3.13");
  CHECK(chosen(kPython311, {{"/a", "3.10"}, {"/b", "3.12"}}) == "3.12");
  CHECK(chosen(kNode20, {{"/a", "18"}, {"/b", "24"}}) == "18");
  CHECK_FALSE(choose_interpreter(kNode20, {}));
}

TEST_CASE("an interpreter of another version is remarked upon, the right one is not",
          "[runtimes]") {
  CHECK_FALSE(version_mismatch(kPython311, {"/usr/bin/python3.11", "3.11"}));
  const auto remark = version_mismatch(kPython311, {"/usr/bin/python3.12", "3.12"});
  REQUIRE(remark);
  CHECK(remark->find("python3.11 runs on Python 3.12 (/usr/bin/python3.12)") == 0);
}

TEST_CASE("interpreters are found in PATH, then below pyenv and nvm, each once", "[runtimes]") {
  const TemporaryFolder folder;
  const auto real = folder.write_program("usr/bin/python3.11");
  std::filesystem::create_symlink("python3.11", folder.path() / "usr/bin/python3");
  folder.write("usr/bin/python3.10", "not executable");
  folder.write_program("usr/bin/python3.11-config");
  folder.write_program("home/.pyenv/shims/python3");
  const auto pyenv = folder.write_program("home/.pyenv/versions/3.12.1/bin/python3.12");
  const auto nvm = folder.write_program("home/.nvm/versions/node/v22.1.0/bin/node");
  const InterpreterPlaces places{.path = (folder.path() / "home/.pyenv/shims").string() +
                                         "::relative:" + (folder.path() / "usr/bin").string() +
                                         ":" + (folder.path() / "absent").string(),
                                 .home = folder.path() / "home"};
  CHECK(interpreter_programs(Family::python, places) ==
        std::vector<std::filesystem::path>{real, pyenv});
  CHECK(interpreter_programs(Family::nodejs, places) == std::vector<std::filesystem::path>{nvm});
}

TEST_CASE("a version in a program's name spares starting it", "[runtimes]") {
  const TemporaryFolder folder;
  const auto python = folder.write_program("bin/python3.11");
  std::filesystem::create_symlink("python3.11", folder.path() / "bin/python3");
  CHECK(version_from_name(Family::python, folder.path() / "bin/python3") == "3.11");
  CHECK(version_from_name(Family::nodejs, "/h/.nvm/versions/node/v22.1.0/bin/node") == "22");
  CHECK_FALSE(version_from_name(Family::nodejs, "/usr/bin/node"));
  CHECK_FALSE(version_from_name(Family::python, "/usr/bin/python-without-a-number"));
}

TEST_CASE("probing stops at the first interpreter of the asked version", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write_program("a/python3.9");
  folder.write_program("b/python3.11");
  folder.write_program("c/python3.12");
  std::vector<std::string> probed;
  const auto found = find_interpreter(
      kPython311,
      {.path = (folder.path() / "a").string() + ":" + (folder.path() / "b").string() + ":" +
               (folder.path() / "c").string(),
       .home = {}},
      [&](Family, const std::filesystem::path& program) -> std::optional<std::string> {
        probed.push_back(program.filename().string());
        return program.filename().string().substr(6);
      });
  REQUIRE(found);
  CHECK(found->program == folder.path() / "b/python3.11");
  CHECK(probed == std::vector<std::string>{"python3.9", "python3.11"});
}

TEST_CASE("a host without the language is told what to install", "[runtimes]") {
  const auto found = find_interpreter(kNode20, {.path = "", .home = {}});
  REQUIRE_FALSE(found);
  CHECK(found.error().kind == RuntimeError::Kind::interpreter_missing);
  CHECK(found.error().message.find("install Node.js 20") != std::string::npos);
}
