#include "emulator/sandbox/host_capabilities.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace {

using namespace emulator::sandbox;
using Version = CgroupPlace::Version;
using Place = std::optional<CgroupPlace>;

// Groups as the kernel shows them, below a folder that stands for "/".
class FakeGroups {
 public:
  FakeGroups& v1(const std::string& folder) {
    tree_.write(folder.substr(1) + "/cgroup.procs", "");
    return *this;
  }

  // Without cgroup.procs nothing can be moved there.
  FakeGroups& closed(const std::string& folder) {
    tree_.write(folder.substr(1) + "/tasks", "");
    return *this;
  }

  struct Group {
    std::string controllers{};
    std::string given{};      // to the groups below
    std::string processes{};  // in it
    bool root = false;        // of the hierarchy
  };
  FakeGroups& v2(const std::string& folder, const Group& group) {
    const auto inside = folder.substr(1);
    tree_.write(inside + "/cgroup.procs", group.processes);
    tree_.write(inside + "/cgroup.controllers", group.controllers);
    tree_.write(inside + "/cgroup.subtree_control", group.given);
    if (!group.root) tree_.write(inside + "/cgroup.type", "domain\n");
    return *this;
  }

  bool mark(const std::string& folder, const char* name) const {
    const auto path = tree_.path().string() + folder;
    return ::setxattr(path.c_str(), name, "1", 1, 0) == 0;
  }

  CgroupPlaces find(const std::string& self_cgroup, const std::string& mountinfo) const {
    return find_cgroups(self_cgroup, mountinfo, tree_.path().string());
  }

 private:
  tests::ScratchFolder tree_;
};

Place v1(const std::string& folder) { return CgroupPlace{Version::v1, folder}; }
Place v2(const std::string& folder) { return CgroupPlace{Version::v2, folder}; }

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string refusals(const CgroupPlaces& places) {
  return places.no_memory + places.no_cpu + places.no_freezer + places.no_pids;
}

const std::string kSelf = std::to_string(::getpid()) + "\n";

constexpr const char* kMountsOfV1 =
    "23 1 0:21 / / rw,relatime - ext4 /dev/vda rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:9 - cgroup cgroup rw,freezer\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n";

constexpr const char* kSelfOfV1 = "8:pids:/\n6:freezer:/\n4:memory:/session/one\n1:cpu,cpuacct:/\n";

constexpr const char* kMountOfV2 =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

constexpr const char* kScope = "/sys/fs/cgroup/user.slice/app.slice/run-1.scope";

TEST_CASE("in v1 each controller is found at its own mount and its own group", "[cgroups]") {
  FakeGroups groups;
  groups.v1("/sys/fs/cgroup/cpu,cpuacct")
      .v1("/sys/fs/cgroup/memory/session/one")
      .v1("/sys/fs/cgroup/memory")
      .v1("/sys/fs/cgroup/freezer")
      .v1("/sys/fs/cgroup/pids");
  const auto places = groups.find(kSelfOfV1, kMountsOfV1);
  CHECK(places.controllers == Version::v1);
  CHECK(places.cpu == v1("/sys/fs/cgroup/cpu,cpuacct"));
  CHECK(places.memory == v1("/sys/fs/cgroup/memory/session/one"));
  CHECK(places.freezer == v1("/sys/fs/cgroup/freezer"));
  CHECK(places.pids == v1("/sys/fs/cgroup/pids"));
  CHECK(refusals(places).empty());
}

TEST_CASE("a controller of v1 that is not mounted is missing alone", "[cgroups]") {
  FakeGroups groups;
  groups.v1("/sys/fs/cgroup/memory");
  const auto places = groups.find(
      "4:memory:/\n", "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n");
  CHECK(places.memory == v1("/sys/fs/cgroup/memory"));
  CHECK_FALSE(places.cpu);
  CHECK_FALSE(places.freezer);
  CHECK_FALSE(places.pids);
  CHECK(places.no_memory.empty());
  CHECK(places.no_cpu == "the controller cpu is not mounted");
  CHECK(places.no_freezer == "the controller freezer is not mounted");
}

TEST_CASE("a group of v1 that may not be written gives way to one above it that may", "[cgroups]") {
  FakeGroups groups;
  groups.v1("/sys/fs/cgroup/cpu,cpuacct")
      .closed("/sys/fs/cgroup/memory/session/one")
      .v1("/sys/fs/cgroup/memory")
      .v1("/sys/fs/cgroup/freezer")
      .v1("/sys/fs/cgroup/pids");
  const auto places = groups.find(kSelfOfV1, kMountsOfV1);
  CHECK(places.memory == v1("/sys/fs/cgroup/memory"));
}

TEST_CASE("the freezer of v2 is taken before that of v1, though v2 has no controllers",
          "[cgroups]") {
  FakeGroups groups;
  groups.v1("/sys/fs/cgroup/cpu,cpuacct")
      .v1("/sys/fs/cgroup/memory/session/one")
      .v1("/sys/fs/cgroup/freezer")
      .v1("/sys/fs/cgroup/pids")
      .v2("/sys/fs/cgroup/unified", {.root = true});
  const auto places =
      groups.find(std::string(kSelfOfV1) + "0::/\n",
                  std::string(kMountsOfV1) +
                      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
  CHECK(places.controllers == Version::v1);
  CHECK(places.freezer == v2("/sys/fs/cgroup/unified"));
  CHECK(places.memory == v1("/sys/fs/cgroup/memory/session/one"));
  CHECK(places.cpu == v1("/sys/fs/cgroup/cpu,cpuacct"));
  CHECK(refusals(places).empty());
}

TEST_CASE("a delegated group of v2 in which we are alone gives everything", "[cgroups]") {
  FakeGroups groups;
  groups.v2(kScope, {.controllers = "cpu io memory pids\n", .processes = kSelf});
  const auto places = groups.find("0::/user.slice/app.slice/run-1.scope\n", kMountOfV2);
  CHECK(places.controllers == Version::v2);
  for (const auto& found : {places.memory, places.cpu, places.freezer, places.pids}) {
    CHECK(found == v2(kScope));
  }
  CHECK(refusals(places).empty());
}

TEST_CASE("a group of v2 with other processes in it passes no controller on", "[cgroups]") {
  FakeGroups groups;
  groups.v2(kScope, {.controllers = "cpu memory pids\n", .processes = "1\n" + kSelf});
  const auto places = groups.find("0::/user.slice/app.slice/run-1.scope\n", kMountOfV2);
  CHECK_FALSE(places.memory);
  CHECK_FALSE(places.cpu);
  CHECK_FALSE(places.pids);
  CHECK(places.freezer == v2(kScope));  // which is no controller
  CHECK(contains(places.no_memory, "other processes"));
  CHECK(places.no_freezer.empty());
}

TEST_CASE("a delegated group of v2 is ours with all that is in it", "[cgroups]") {
  FakeGroups groups;
  groups.v2(kScope, {.controllers = "cpu memory pids\n", .processes = "1\n" + kSelf});
  if (!groups.mark(kScope, "user.delegate")) {
    SKIP("SKIPPED: the temporary folder's file system takes no attributes of users");
  }
  const auto places = groups.find("0::/user.slice/app.slice/run-1.scope\n", kMountOfV2);
  CHECK(places.memory == v2(kScope));
  CHECK(places.cpu == v2(kScope));
  CHECK(refusals(places).empty());
}

TEST_CASE("a group above ours is used for what it gives already, and is not changed", "[cgroups]") {
  FakeGroups groups;
  groups.v2(kScope, {.controllers = "memory pids\n", .processes = "1\n" + kSelf})
      .v2("/sys/fs/cgroup/user.slice/app.slice",
          {.controllers = "cpu memory pids\n", .given = "memory pids\n"});
  const auto places = groups.find("0::/user.slice/app.slice/run-1.scope\n", kMountOfV2);
  const auto above = v2("/sys/fs/cgroup/user.slice/app.slice");
  CHECK(places.memory == above);
  CHECK(places.pids == above);
  CHECK(places.freezer == above);  // a process is in one group of v2
  CHECK_FALSE(places.cpu);
  CHECK(contains(places.no_cpu, "the controller cpu is not given to groups in /sys/fs"));
  CHECK(places.no_memory.empty());
}

TEST_CASE("the root of v2 passes controllers on whoever is in it", "[cgroups]") {
  FakeGroups groups;
  groups.v2("/sys/fs/cgroup",
            {.controllers = "cpu memory pids\n", .processes = "1\n2\n", .root = true});
  const auto places = groups.find("0::/\n", kMountOfV2);
  CHECK(places.memory == v2("/sys/fs/cgroup"));
  CHECK(places.cpu == v2("/sys/fs/cgroup"));
}

TEST_CASE("without delegation v2 gives nothing and says which group refused", "[cgroups]") {
  const FakeGroups groups;
  const auto places = groups.find("0::/user.slice/app.slice/run-1.scope\n", kMountOfV2);
  CHECK(places.controllers == Version::v2);
  for (const auto& found : {places.memory, places.cpu, places.freezer, places.pids}) {
    CHECK_FALSE(found);
  }
  CHECK(contains(places.no_freezer, "may not make groups in /sys/fs/cgroup"));
}

TEST_CASE("a hierarchy that is mounted read-only is of no use", "[cgroups]") {
  FakeGroups groups;
  groups.v2("/sys/fs/cgroup", {.controllers = "cpu memory pids\n", .processes = kSelf});
  const auto places = groups.find(
      "0::/\n", "30 24 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n");
  CHECK_FALSE(places.memory);
  CHECK_FALSE(places.freezer);
  CHECK(places.no_memory == "/sys/fs/cgroup is mounted read-only");
  CHECK(places.no_freezer == "/sys/fs/cgroup is mounted read-only");
}

TEST_CASE("in a container the mount itself is our group where the path is one of the host's",
          "[cgroups]") {
  FakeGroups groups;
  groups.v2("/sys/fs/cgroup", {.controllers = "cpu memory pids\n", .processes = kSelf});
  for (const auto* own : {"0::/\n",
                          "0::/../other\n",
                          "0::/system.slice/docker-1.scope\n",
                          "0::/system.slice/docker-1.scope/sub\n"}) {
    for (const auto* root : {"/", "/system.slice/docker-1.scope", "/../.."}) {
      CAPTURE(own, root);
      const auto places =
          groups.find(own,
                      "30 24 0:26 " + std::string(root) +
                          " /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n");
      CHECK(places.memory == v2("/sys/fs/cgroup"));
    }
  }
}

TEST_CASE("a part of a hierarchy that is mounted shows the groups below it", "[cgroups]") {
  FakeGroups groups;
  groups.v1("/sys/fs/cgroup/memory/inner").v1("/sys/fs/cgroup/memory");
  const auto places = groups.find("4:memory:/docker/one/inner\n",
                                  "35 31 0:32 /docker/one /sys/fs/cgroup/memory rw - cgroup cgroup "
                                  "rw,memory\n");
  CHECK(places.memory == v1("/sys/fs/cgroup/memory/inner"));
}

TEST_CASE("a mount's folder may have a space in its name", "[cgroups]") {
  FakeGroups groups;
  groups.v1("/control groups/memory");
  const auto places = groups.find(
      "4:memory:/\n", "35 31 0:32 / /control\\040groups/memory rw - cgroup cgroup rw,memory\n");
  CHECK(places.memory == v1("/control groups/memory"));
}

TEST_CASE("a host without control groups says so", "[cgroups]") {
  const FakeGroups groups;
  for (const auto* mounts : {"", "garbage\n - \n", "1 2 3 / / rw - ext4 /dev/vda rw\n"}) {
    const auto places = groups.find("", mounts);
    CHECK_FALSE(places.controllers);
    CHECK_FALSE(places.memory);
    CHECK(places.no_memory == "no control groups are mounted");
    CHECK(places.no_freezer == "no control groups are mounted");
  }
}

}  // namespace
