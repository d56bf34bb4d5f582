#include "emulator/runtimes/host_packages.h"

#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::runtimes;

TEST_CASE("a distribution is known by its id, or by the one it is like", "[runtimes]") {
  CHECK(distribution_of("NAME=\"Debian GNU/Linux\"\nID=debian\n") == Distribution::debian);
  CHECK(distribution_of("ID=\"amzn\"\nID_LIKE=\"fedora\"") == Distribution::fedora);
  CHECK(distribution_of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n") == Distribution::debian);
  CHECK(distribution_of("ID='opensuse-leap'\nID_LIKE=\"suse opensuse\"") == Distribution::suse);
  CHECK(distribution_of("ID=arch") == Distribution::arch);
  CHECK(distribution_of("ID=alpine\n") == Distribution::alpine);
  for (const auto* text : {"", "ID=", "ID=\"", "IDENTITY=debian", "ID=plan9\nID_LIKE=unix", "ID"}) {
    INFO(text);
    CHECK(distribution_of(text) == Distribution::unknown);
  }
}

TEST_CASE("a host without the file has an unknown distribution", "[runtimes]") {
  const runtimes_test::TemporaryFolder folder;
  CHECK(read_distribution(folder.path() / "absent") == Distribution::unknown);
  CHECK(read_distribution(folder.path()) == Distribution::unknown);
  CHECK(read_distribution(folder.write("os-release", "ID=ubuntu\n")) == Distribution::debian);
}

TEST_CASE("what is missing is named by the distribution's packages and its command", "[runtimes]") {
  const std::vector<std::string> missing = {"mvn", "g++", "libtoolize", "curl"};
  CHECK(install_advice(missing, Distribution::debian) == "apt-get install maven g++ libtool curl");
  CHECK(install_advice(missing, Distribution::fedora) == "dnf install maven gcc-c++ libtool curl");
  CHECK(install_advice({"java"}, Distribution::suse) == "zypper install java-21-openjdk-headless");
  CHECK(install_advice({"java"}, Distribution::alpine) == "apk add openjdk21-jre-headless");
  CHECK(install_advice({"gem", "ruby"}, Distribution::debian) == "apt-get install ruby");
  CHECK(install_advice({"mvn"}, Distribution::unknown) ==
        "install with this system's package manager mvn (Debian's packages: maven)");
}
