#include "emulator/sandbox/cgroup_v1.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::sandbox;
using namespace std::chrono_literals;

namespace {

// A group's files without a kernel behind them.
struct FakeGroup {
  tests::ScratchFolder folder;

  std::string path() const { return folder.path().string(); }
  void with_cpu() const {
    folder.write("cpu.cfs_quota_us", "");
    folder.write("cpu.cfs_period_us", "");
    folder.write("cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 1500\n");
  }
  void with_memory() const {
    folder.write("memory.limit_in_bytes", "");
    folder.write("memory.usage_in_bytes", "8192\n");
    folder.write("memory.max_usage_in_bytes", "16384\n");
    folder.write("memory.stat", "cache 1\ninactive_file 100\nactive_file 20\nshmem 4096\n");
    folder.write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
    folder.write("cgroup.event_control", "");
  }
};

}  // namespace

TEST_CASE("on v1 a quota is written with a period of 20 ms", "[cgroup_v1]") {
  const FakeGroup group;
  group.with_cpu();
  const auto cpu = cgroup_v1::cpu_group(group.path());
  REQUIRE(cpu);
  REQUIRE((*cpu)->set_quota(1447us));
  CHECK(group.folder.read("cpu.cfs_period_us") == "20000");
  CHECK(group.folder.read("cpu.cfs_quota_us").starts_with("1447"));
  CHECK((*cpu)->throttled() == 1500ns);
}

TEST_CASE("on v1 memory and swap are limited together", "[cgroup_v1]") {
  const FakeGroup group;
  group.with_memory();
  group.folder.write("memory.memsw.limit_in_bytes", "");
  const auto memory = cgroup_v1::memory_group(group.path());
  REQUIRE(memory);
  REQUIRE((*memory)->set_limit(134'217'728));
  CHECK(group.folder.read("memory.limit_in_bytes") == "134217728");
  CHECK(group.folder.read("memory.memsw.limit_in_bytes") == "134217728");
  CHECK((*memory)->usage() == 8192);
  CHECK((*memory)->highest() == 16'384);
  CHECK((*memory)->parts().file_bytes == 120);
  CHECK((*memory)->parts().shared_bytes == 4096);
  CHECK_FALSE((*memory)->killed());
}

TEST_CASE("on v1 memory is limited where the kernel does not account for swap", "[cgroup_v1]") {
  const FakeGroup group;
  group.with_memory();
  const auto memory = cgroup_v1::memory_group(group.path());
  REQUIRE(memory);
  REQUIRE((*memory)->set_limit(134'217'728));
  CHECK(group.folder.read("memory.limit_in_bytes") == "134217728");
}

TEST_CASE("on v1 a group without the controller is told of with its file", "[cgroup_v1]") {
  const FakeGroup group;
  const auto freezer = cgroup_v1::freezer_group(group.path());
  REQUIRE_FALSE(freezer);
  CHECK(freezer.error().message.find("freezer.state") != std::string::npos);
}
