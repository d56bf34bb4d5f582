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
  CHECK(parse_version(Family::java, "openjdk 17.0.15 2025-04-15\n") == "17");
  CHECK(parse_version(Family::java, "openjdk 25 2025-09-16\n") == "25");
  CHECK(parse_version(Family::java, "java 21.0.2 2024-01-16 LTS\n") == "21");
  CHECK(parse_version(Family::ruby, "ruby 3.1.2p20 (2022-04-12 revision 4491bb740a)\n") == "3.1");
}

TEST_CASE("Python 2, other programs and silence are no interpreters", "[runtimes]") {
  CHECK_FALSE(parse_version(Family::python, "Python 2.7.18"));
  CHECK_FALSE(parse_version(Family::python, ""));
  CHECK_FALSE(parse_version(Family::python, "Python three"));
  CHECK_FALSE(parse_version(Family::nodejs, "20.1.0"));
  CHECK_FALSE(parse_version(Family::nodejs, "v"));
  CHECK_FALSE(parse_version(Family::java, "gij 4.9"));
  CHECK_FALSE(parse_version(Family::ruby, "ruby 2.7.0p0"));
  CHECK_FALSE(parse_version(Family::go, "go1.22"));
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

TEST_CASE("each Java is found once, and its release file tells the version", "[runtimes]") {
  const TemporaryFolder folder;
  const auto java = [&](const std::string& name, const std::string& release) {
    folder.write(name + "/release", "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + release + "\"\n");
    return folder.write_program(name + "/bin/java");
  };
  const auto home = java("mine", "25");
  const auto old = java("jvm/java-8", "1.8.0_412");
  const auto seventeen = java("jvm/java-17", "17.0.15");
  const auto sdkman = java("home/.sdkman/candidates/java/21.0.2-tem", "21.0.2");
  std::filesystem::create_directories(folder.path() / "bin");
  std::filesystem::create_symlink(seventeen, folder.path() / "bin/java");
  const InterpreterPlaces places{.path = (folder.path() / "bin").string(),
                                 .home = folder.path() / "home",
                                 .java_home = folder.path() / "mine",
                                 .java_parent = folder.path() / "jvm"};
  CHECK(interpreter_programs(Family::java, places) ==
        std::vector<std::filesystem::path>{home, seventeen, sdkman, old});
  const auto version = [&](const char* id, const char* wanted) {
    return find_interpreter({id, Family::java, wanted}, places).value().version;
  };
  CHECK(version("java8.al2", "8") == "8");
  CHECK(version("java11", "11") == "17");
  CHECK(version("java17", "17") == "17");
  CHECK(version("java25", "25") == "25");
}

TEST_CASE("a Java older than asked for is the last choice", "[runtimes]") {
  const Runtime java17{"java17", Family::java, "17"};
  CHECK(chosen(java17, {{"/a", "11"}, {"/b", "25"}}) == "25");
  CHECK(chosen(java17, {{"/a", "8"}, {"/b", "11"}}) == "11");
}

TEST_CASE("a Java 8 is known by the release file above its folder jre", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("java-8/release", "JAVA_VERSION=\"1.8.0_412\"\n");
  const auto java = folder.write_program("java-8/jre/bin/java");
  CHECK(version_from_name(Family::java, java) == "8");
  CHECK_FALSE(version_from_name(Family::java, folder.write_program("other/bin/java")));
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
  const auto message = [](const Runtime& runtime, Distribution distribution) {
    const auto found =
        find_interpreter(runtime, {.path = "", .home = {}, .distribution = distribution});
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == RuntimeError::Kind::interpreter_missing);
    return found.error().message;
  };
  CHECK(message(kNode20, Distribution::debian)
            .ends_with("install Node.js 20, e.g.: apt-get install nodejs"));
  CHECK(message(kPython311, Distribution::arch).ends_with("pacman -S python"));
  CHECK(message({"java21", Family::java, "21"}, Distribution::fedora)
            .ends_with("dnf install java-latest-openjdk-headless"));
  CHECK(message({"ruby3.3", Family::ruby, "3.3"}, Distribution::unknown)
            .find("Debian's packages: ruby") != std::string::npos);
}
