#include "emulator/sandbox/control_group.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace emulator::sandbox;
namespace fs = std::filesystem;

TEST_CASE("a figure is found by its whole key at the start of a line", "[control_group]") {
  const std::string text = "oom_kill_disable 7\nunder_oom 0\noom_kill 3\nshmem_thp 9\nshmem 4096\n";
  CHECK(number_after(text, "oom_kill") == 3);
  CHECK(number_after(text, "shmem") == 4096);
  CHECK(number_after(text, "kill") == 0);
  CHECK(number_after(text, "file") == 0);
  CHECK(number_after("", "file") == 0);
  CHECK(number_after("populated 0\nfrozen 1", "frozen") == 1);
  CHECK(number_after("frozen", "frozen") == 0);
}

TEST_CASE("members are listed without those of other process namespaces", "[control_group]") {
  const tests::ScratchFolder folder;
  folder.write("cgroup.procs", "12\n0\n345\n");
  CHECK(group_members(folder.path().string()) == std::vector<pid_t>{12, 345});
}

TEST_CASE("a group that cannot be made is told of with its place", "[control_group]") {
  const tests::ScratchFolder folder;
  const auto missing = folder.path().string() + "/nowhere/hearth-1";
  const auto group = ControlGroup::make(missing);
  REQUIRE_FALSE(group);
  CHECK(group.error().error_number == ENOENT);
  CHECK(group.error().message.find(missing) != std::string::npos);
}

TEST_CASE("a group goes with its object", "[control_group]") {
  const tests::ScratchFolder folder;
  const auto name = folder.path().string() + "/hearth-1";
  {
    const auto group = ControlGroup::make(name);
    REQUIRE(group);
    CHECK(fs::exists(name));
  }
  CHECK_FALSE(fs::exists(name));
}

TEST_CASE("only groups of Hearths that are gone are swept", "[control_group]") {
  const tests::ScratchFolder folder;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  const auto make = [&folder](const std::string& name) {
    fs::create_directories(folder.path() / name);
  };
  const auto number = std::to_string(gone);
  const auto mine = std::to_string(::getpid());
  make("hearth-" + number + "/1");
  make("hearth-" + number + "/2");
  make("hearth-" + number + ".own");
  make("hearth-" + mine + "/1");
  make("hearth-");
  make("hearth-" + number + "x");
  make("user.slice");
  sweep_groups(folder.path().string());
  // Which of the two numbers sorts first is the kernel's choice.
  std::vector<std::string> staying{
      "hearth-", "hearth-" + mine, "hearth-" + number + "x", "user.slice"};
  std::sort(staying.begin(), staying.end());
  CHECK(folder.entries() == staying);
}

TEST_CASE("groups of a Hearth that is gone stay while something is in them", "[control_group]") {
  const tests::ScratchFolder folder;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  const auto name = "hearth-" + std::to_string(gone);
  folder.write(name + "/1/held", "");
  sweep_groups(folder.path().string());
  CHECK(fs::exists(folder.path() / name / "1"));
}
