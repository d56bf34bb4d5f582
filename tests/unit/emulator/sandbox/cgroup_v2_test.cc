#include "emulator/sandbox/cgroup_v2.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>

#include <string>

using namespace emulator::sandbox;
using namespace std::chrono_literals;

namespace {

// A group's files without a kernel behind them.
struct FakeGroup {
  tests::ScratchFolder folder;

  std::string path() const { return folder.path().string(); }
  void with_cpu() const {
    folder.write("cpu.max", "");
    folder.write("cpu.stat", "usage_usec 70\nnr_throttled 2\nthrottled_usec 15\n");
  }
  void with_memory() const {
    folder.write("memory.max", "");
    folder.write("memory.swap.max", "max\n");
    folder.write("memory.oom.group", "0\n");
    folder.write("memory.current", "8192\n");
    folder.write("memory.peak", "16384\n");
    folder.write("memory.stat", "anon 1\nshmem 4096\ninactive_file 100\nactive_file 20\n");
    folder.write("memory.events", "low 0\nhigh 0\nmax 4\noom 0\noom_kill 0\noom_group_kill 0\n");
  }
};

}  // namespace

TEST_CASE("on v2 a quota is written with its period", "[cgroup_v2]") {
  const FakeGroup group;
  group.with_cpu();
  const auto cpu = cgroup_v2::cpu_group(group.path());
  REQUIRE(cpu);
  REQUIRE((*cpu)->set_quota(1447us));
  CHECK(group.folder.read("cpu.max") == "1447 20000");
  CHECK((*cpu)->throttled() == 15us);
  CHECK(cgroup_v2::cpu_time(GroupFile(group.path(), "cpu.stat", O_RDONLY)) == 70us);
}

TEST_CASE("on v2 no quota is written as max", "[cgroup_v2]") {
  const FakeGroup group;
  group.with_cpu();
  const auto cpu = cgroup_v2::cpu_group(group.path());
  REQUIRE(cpu);
  REQUIRE((*cpu)->set_quota(std::nullopt));
  CHECK(group.folder.read("cpu.max") == "max 20000");
}

TEST_CASE("a quota below what the kernel takes keeps its share in a longer period", "[cgroup_v2]") {
  const auto taken = kernel_quota(500us, 20ms);
  CHECK(taken.quota == 1ms);
  CHECK(taken.period == 40ms);
  CHECK(kernel_quota(1447us, 20ms).period == 20ms);
  CHECK(kernel_quota(0us, 20ms).period == 1s);
}

TEST_CASE("on v2 memory has no swap, and is lost as a whole", "[cgroup_v2]") {
  const FakeGroup group;
  group.with_memory();
  const auto memory = cgroup_v2::memory_group(group.path());
  REQUIRE(memory);
  REQUIRE((*memory)->set_limit(134'217'728));
  CHECK(group.folder.read("memory.max") == "134217728");
  CHECK(group.folder.read("memory.swap.max") == "0");
  CHECK(group.folder.read("memory.oom.group") == "1");
  CHECK((*memory)->usage() == 8192);
  CHECK((*memory)->highest() == 16'384);
  CHECK((*memory)->parts().file_bytes == 120);
  CHECK((*memory)->parts().shared_bytes == 4096);
  CHECK_FALSE((*memory)->killed());
  group.folder.write("memory.events", "max 9\noom 1\noom_kill 2\n");
  CHECK((*memory)->killed());
}

TEST_CASE("on v2 memory is limited where the kernel has no swap and tells no peak", "[cgroup_v2]") {
  const FakeGroup group;
  group.with_memory();
  std::filesystem::remove(group.folder.path() / "memory.swap.max");
  std::filesystem::remove(group.folder.path() / "memory.peak");
  const auto memory = cgroup_v2::memory_group(group.path());
  REQUIRE(memory);
  CHECK((*memory)->highest() == 0);
}

TEST_CASE("controllers are asked for unless they are there, and given back", "[cgroup_v2]") {
  const FakeGroup group;
  group.folder.write("cgroup.subtree_control", "cpuset memory\n");
  {
    const auto there = cgroup_v2::Controllers::enable(group.path(), {"memory"}, "hearth-1.own");
    REQUIRE(there);
    CHECK(group.folder.read("cgroup.subtree_control") == "cpuset memory\n");
    const auto asked = cgroup_v2::Controllers::enable(group.path(), {"cpu"}, "hearth-1.own");
    REQUIRE(asked);
    CHECK(group.folder.read("cgroup.subtree_control") == "+cpu");
  }
  CHECK(group.folder.read("cgroup.subtree_control") == "-cpu");
}
