#include "emulator/sandbox/resource_control.h"

#include "emulator/sandbox/cgroup_v2.h"
#include "emulator/sandbox/kernel_clock.h"
#include "tests/support/member_processes.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using namespace emulator::sandbox;
using tests::MemberProcesses;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;
using Version = CgroupPlace::Version;

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

bool holds_word(std::string text, const std::string& word) {
  for (char& c : text) {
    if (c == ',' || c == '\n') c = ' ';
  }
  return (" " + text + " ").find(" " + word + " ") != std::string::npos;
}

std::optional<CgroupPlace> found_place(const std::string& control) {
  const auto places = find_cgroups(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"));
  if (control == "memory") return places.memory;
  if (control == "cpu") return places.cpu;
  if (control == "pids") return places.pids;
  return places.freezer;
}

// Where Hearth would make groups for the control; or, for a version it would not choose, the root
// of the hierarchy that offers it. Nothing if this user may not.
std::optional<CgroupPlace> place_of(const std::string& control, Version version) {
  if (const auto found = found_place(control); found && found->version == version) return found;
  std::istringstream mounts(text_of("/proc/self/mountinfo"));
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string folder;
    for (int field = 0; field < 4; ++field) fields >> skipped;
    fields >> folder;
    const auto kind = line.substr(line.find(" - ") + 3);
    const bool unified = kind.starts_with("cgroup2 ");
    if (unified != (version == Version::v2)) continue;
    if (!unified && !kind.starts_with("cgroup ")) continue;
    const bool offered = unified ? control == "freezer" ||
                                       holds_word(text_of(folder + "/cgroup.controllers"), control)
                                 : holds_word(kind, control);
    if (offered && ::access(folder.c_str(), W_OK) == 0) return CgroupPlace{version, folder};
  }
  return std::nullopt;
}

CgroupPlace required_place(const std::string& control, Version version) {
  const auto place = place_of(control, version);
  if (!place) {
    SKIP("this user may not make groups for " << control << " in control groups v"
                                              << (version == Version::v1 ? 1 : 2));
  }
  return *place;
}

std::string label() { return "hearth-" + std::to_string(::getpid()); }

// A controller and what it was made from.
struct Setting {
  IsolationPlan plan;
  CgroupPlaces places;

  ResourceController controller() const { return {plan, places, label()}; }
};

Setting memory_setting(Version version) {
  Setting setting;
  setting.places.memory = required_place("memory", version);
  setting.plan.memory = version == Version::v1 ? MemoryMeans::cgroup_v1 : MemoryMeans::cgroup_v2;
  return setting;
}

Setting memory_setting(MemoryMeans means) {
  if (means == MemoryMeans::cgroup_v1) return memory_setting(Version::v1);
  if (means == MemoryMeans::cgroup_v2) return memory_setting(Version::v2);
  Setting setting;
  setting.plan.memory = means;
  return setting;
}

Setting freeze_setting(FreezeMeans means) {
  Setting setting;
  setting.plan.freeze = means;
  if (means == FreezeMeans::cgroup_v1) {
    setting.places.freezer = required_place("freezer", Version::v1);
  }
  if (means == FreezeMeans::cgroup_v2) {
    setting.places.freezer = required_place("freezer", Version::v2);
  }
  return setting;
}

Setting cpu_setting(CpuMeans means) {
  Setting setting;
  setting.plan.cpu = means;
  if (means == CpuMeans::cgroup_v1) setting.places.cpu = required_place("cpu", Version::v1);
  if (means == CpuMeans::cgroup_v2) setting.places.cpu = required_place("cpu", Version::v2);
  return setting;
}

std::unique_ptr<ResourceControl> made(ResourceController& controller,
                                      const ResourceRequest& request) {
  auto control = controller.make(request);
  if (!control) FAIL(control.error().message);
  return std::move(*control);
}

// Tells of the limit, and ends the members as its owner would.
class LimitPassed {
 public:
  explicit LimitPassed(MemberProcesses& members) : members_(members) {}
  std::function<void()> callback() {
    return [this] {
      members_.signal_all(SIGKILL);
      passed_.set_value();
    };
  }
  void wait() { passed_.get_future().wait(); }

 private:
  MemberProcesses& members_;
  std::promise<void> passed_;
};

// Takes memory for good, one mebibyte after the other.
[[noreturn]] void fill_memory(volatile std::uint64_t& mebibytes) {
  while (true) {
    void* const taken =
        ::mmap(nullptr, kMebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (taken == MAP_FAILED) ::_exit(3);
    for (std::uint64_t at = 0; at < kMebibyte; at += 4096) static_cast<char*>(taken)[at] = 1;
    mebibytes = mebibytes + 1;
  }
}

// As fast as it can; false when the file system or the limit refuses.
bool write_file(const std::string& path, std::uint64_t mebibytes) {
  static const std::vector<char> block(kMebibyte, 'x');
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  bool whole = file >= 0;
  for (; whole && mebibytes > 0; --mebibytes) {
    whole = ::write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size());
  }
  ::close(file);
  return whole;
}

[[noreturn]] void spin(volatile std::uint64_t& rounds) {
  while (true) rounds = rounds + 1;
}

// A folder on a tmpfs that stands for the sandbox's /tmp. Others may use that tmpfs too: what is
// not charged to a group counts for nothing there.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = "/dev/shm/hearth-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) SKIP("there is no tmpfs at /dev/shm");
    path_ = name;
    struct statfs system {};
    constexpr auto kTmpfs = 0x01021994;
    if (::statfs(name.c_str(), &system) != 0 || system.f_type != kTmpfs) {
      fs::remove_all(path_);
      SKIP("/dev/shm is no tmpfs");
    }
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { fs::remove_all(path_); }

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::uint64_t used() const {
    struct statfs system {};
    ::statfs(path_.c_str(), &system);
    return (system.f_blocks - system.f_bfree) * static_cast<std::uint64_t>(system.f_bsize);
  }

 private:
  fs::path path_;
};

// Until a process that nobody holds up has done a fixed amount of work.
void await_work(MemberProcesses& free_processes) {
  const pid_t pid = free_processes.start({}, [](volatile std::uint64_t& rounds) {
    for (rounds = 0; rounds < 20'000'000;) rounds = rounds + 1;
    ::_exit(0);
  });
  REQUIRE(free_processes.await(pid) == Exit{.code = 0, .signal = {}});
}

}  // namespace

TEST_CASE("a hog is ended when it has taken the memory it may have", "[isolation][memory]") {
  const auto version = GENERATE(Version::v1, Version::v2);
  const auto setting = memory_setting(version);
  auto controller = setting.controller();
  MemberProcesses members;
  LimitPassed passed(members);
  const auto control = made(
      controller,
      {.memory_bytes = 64 * kMebibyte, .members = &members, .memory_exceeded = passed.callback()});
  const pid_t bystander = members.start(control->membership(), [](auto&) { ::pause(); });
  const pid_t hog = members.start(control->membership(), fill_memory);
  CHECK(members.await(hog) == Exit{.code = {}, .signal = SIGKILL});
  passed.wait();
  CHECK(members.await(bystander) == Exit{.code = {}, .signal = SIGKILL});
  CHECK(members.counter(hog) <= 64);
  CHECK(members.counter(hog) >= 48);
  const auto memory = control->memory();
  CHECK(memory.exceeded);
  CHECK(memory.peak_bytes == 64 * kMebibyte);
}

TEST_CASE("without a memory controller a hog is found by its size and ended",
          "[isolation][memory]") {
  auto controller = memory_setting(MemoryMeans::watcher).controller();
  MemberProcesses members;
  LimitPassed passed(members);
  const auto control = made(
      controller,
      {.memory_bytes = 64 * kMebibyte, .members = &members, .memory_exceeded = passed.callback()});
  const pid_t hog = members.start(control->membership(), fill_memory);
  passed.wait();
  CHECK(members.await(hog) == Exit{.code = {}, .signal = SIGKILL});
  // The rest is the process itself, which is larger where it is built with sanitizers.
  CHECK(members.counter(hog) >= 48);
  CHECK(control->memory().exceeded);
  CHECK(control->memory().peak_bytes == 64 * kMebibyte);
}

TEST_CASE("what processes share after a fork is counted once without a memory controller",
          "[isolation][memory]") {
  auto controller = memory_setting(MemoryMeans::watcher).controller();
  MemberProcesses members;
  const auto control = made(
      controller, {.memory_bytes = 90 * kMebibyte, .members = &members, .memory_exceeded = [] {}});
  // 40 MiB, then two more processes that have them too.
  const pid_t parent = members.start(control->membership(), [](volatile std::uint64_t& ready) {
    void* const taken =
        ::mmap(nullptr, 40 * kMebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (std::uint64_t at = 0; at < 40 * kMebibyte; at += 4096) static_cast<char*>(taken)[at] = 1;
    if (::fork() == 0) ::pause();
    ready = 1;
    ::pause();
  });
  members.await_counter(parent, 1);
  members.adopt_children_of(parent);
  REQUIRE(members.processes().size() == 2);
  const auto memory = control->memory();
  CHECK_FALSE(memory.exceeded);
  CHECK(memory.current_bytes >= 40 * kMebibyte);
  // Twice would be 80, and a sanitizer has pages of its own.
  CHECK(memory.current_bytes < 70 * kMebibyte);
}

TEST_CASE("what lies in /tmp is not memory, however fast it is written", "[isolation][memory]") {
  const auto means = GENERATE(MemoryMeans::cgroup_v1, MemoryMeans::cgroup_v2, MemoryMeans::watcher);
  auto controller = memory_setting(means).controller();
  const TemporaryFolder temporary;
  MemberProcesses members;
  const auto control = made(controller,
                            {.memory_bytes = 128 * kMebibyte,
                             .temporary_bytes = 512 * kMebibyte,
                             .temporary_used = [&temporary] { return temporary.used(); },
                             .members = &members,
                             .memory_exceeded = [] {}});
  const auto path = temporary.file("data");
  const pid_t writer = members.start(control->membership(),
                                     [&path](auto&) { ::_exit(write_file(path, 400) ? 0 : 1); });
  CHECK(members.await(writer) == Exit{.code = 0, .signal = {}});
  const auto memory = control->memory();
  CHECK_FALSE(memory.exceeded);
  CHECK(memory.peak_bytes < 40 * kMebibyte);
  CHECK(memory.current_bytes < 40 * kMebibyte);
}

TEST_CASE("a hog is ended when /tmp is full of data too", "[isolation][memory]") {
  const auto version = GENERATE(Version::v1, Version::v2);
  auto controller = memory_setting(version).controller();
  const TemporaryFolder temporary;
  MemberProcesses members;
  LimitPassed passed(members);
  const auto control = made(controller,
                            {.memory_bytes = 128 * kMebibyte,
                             .temporary_bytes = 512 * kMebibyte,
                             .temporary_used = [&temporary] { return temporary.used(); },
                             .members = &members,
                             .memory_exceeded = passed.callback()});
  const auto path = temporary.file("data");
  const bool removed = GENERATE(false, true);
  const pid_t hog = members.start(control->membership(), [&](volatile std::uint64_t& mebibytes) {
    if (!write_file(path, 300)) ::_exit(1);
    if (removed) ::unlink(path.c_str());
    fill_memory(mebibytes);
  });
  CHECK(members.await(hog) == Exit{.code = {}, .signal = SIGKILL});
  passed.wait();
  CHECK(members.counter(hog) >= 112);
  // The kernel's own limit, should no look have come in time.
  CHECK(members.counter(hog) <= 128 + 64);
  CHECK(control->memory().exceeded);
  CHECK(control->memory().peak_bytes == 128 * kMebibyte);
}

TEST_CASE("files that are read take no memory from the processes", "[isolation][memory]") {
  const auto version = GENERATE(Version::v1, Version::v2);
  auto controller = memory_setting(version).controller();
  const tests::ScratchFolder folder;
  const auto path = folder.write("large", "");
  fs::resize_file(path, 300 * kMebibyte);
  MemberProcesses members;
  const auto control = made(
      controller, {.memory_bytes = 64 * kMebibyte, .members = &members, .memory_exceeded = [] {}});
  const pid_t reader = members.start(control->membership(), [&path](auto&) {
    static std::vector<char> block(kMebibyte);
    const int file = ::open(path.c_str(), O_RDONLY);
    while (::read(file, block.data(), block.size()) > 0) {
    }
    ::_exit(0);
  });
  CHECK(members.await(reader) == Exit{.code = 0, .signal = {}});
  CHECK_FALSE(control->memory().exceeded);
  CHECK(control->memory().peak_bytes < 32 * kMebibyte);
}

TEST_CASE("frozen processes stand still until they are thawed", "[isolation][freeze]") {
  const auto means =
      GENERATE(FreezeMeans::stop_and_continue, FreezeMeans::cgroup_v1, FreezeMeans::cgroup_v2);
  auto controller = freeze_setting(means).controller();
  MemberProcesses members;
  MemberProcesses free_processes;
  const auto control = made(controller, {.members = &members});
  const pid_t spinner = members.start(control->membership(), spin);
  members.await_counter(spinner, 1);
  for (int time = 0; time < 3; ++time) {
    REQUIRE(control->freeze());
    members.await_stillness(spinner, means == FreezeMeans::stop_and_continue);
    const auto rounds = members.counter(spinner);
    await_work(free_processes);
    CHECK(members.counter(spinner) == rounds);
    REQUIRE(control->thaw());
    members.await_counter(spinner, rounds + 1);
  }
  members.end();
}

TEST_CASE("a process that waits for its next CPU period is frozen too, and keeps its quota",
          "[isolation][freeze]") {
  const auto version = GENERATE(Version::v1, Version::v2);
  auto setting = cpu_setting(version == Version::v1 ? CpuMeans::cgroup_v1 : CpuMeans::cgroup_v2);
  for (const auto means : {FreezeMeans::cgroup_v1, FreezeMeans::cgroup_v2}) {
    const auto place =
        place_of("freezer", means == FreezeMeans::cgroup_v1 ? Version::v1 : Version::v2);
    if (place) {
      setting.plan.freeze = means;
      setting.places.freezer = place;
    }
  }
  if (!setting.places.freezer) SKIP("this user may not make groups that freeze");
  auto controller = setting.controller();
  MemberProcesses members;
  MemberProcesses free_processes;
  const auto control =
      made(controller, {.cpu_quota = std::chrono::microseconds(1'447), .members = &members});
  const pid_t spinner = members.start(control->membership(), spin);
  for (int time = 0; time < 5; ++time) {
    const auto throttled = control->throttled();
    while (control->throttled() == throttled) members.await_progress(spinner);
    REQUIRE(control->freeze());
    const auto rounds = members.counter(spinner);
    await_work(free_processes);
    CHECK(members.counter(spinner) == rounds);
    REQUIRE(control->thaw());
  }
  members.end();
}

TEST_CASE("frozen processes that were killed are gone once they are thawed",
          "[isolation][freeze]") {
  const auto means =
      GENERATE(FreezeMeans::stop_and_continue, FreezeMeans::cgroup_v1, FreezeMeans::cgroup_v2);
  auto controller = freeze_setting(means).controller();
  MemberProcesses members;
  const auto control = made(controller, {.members = &members});
  const pid_t spinner = members.start(control->membership(), spin);
  members.await_counter(spinner, 1);
  REQUIRE(control->freeze());
  members.signal_all(SIGKILL);
  REQUIRE(control->thaw());
  CHECK(members.await(spinner) == Exit{.code = {}, .signal = SIGKILL});
}

TEST_CASE("a CPU quota holds a spinning process up, and none does not", "[isolation][cpu]") {
  const auto means =
      GENERATE(CpuMeans::stop_and_continue, CpuMeans::cgroup_v1, CpuMeans::cgroup_v2);
  auto controller = cpu_setting(means).controller();
  MemberProcesses members;
  MemberProcesses free_processes;
  const auto control =
      made(controller, {.cpu_quota = std::chrono::microseconds(1'447), .members = &members});
  const auto begun = kernel_now();
  const pid_t held = members.start(control->membership(), spin);
  const pid_t free_one = free_processes.start({}, spin);
  while (control->throttled() < std::chrono::milliseconds(300))
    free_processes.await_progress(free_one);
  const auto used = cpu_time_of(held);
  REQUIRE(used);
  CHECK(*used * 2 < kernel_now() - begun);
  CHECK(control->cpu_time() > std::chrono::milliseconds(1));

  REQUIRE(control->set_cpu_quota(std::nullopt));
  members.await_progress(held);
  const auto throttled = control->throttled();
  for (int time = 0; time < 20; ++time) members.await_progress(held);
  CHECK(control->throttled() == throttled);
  members.end();
}

TEST_CASE("a quota and the freezer may both stop processes by signals", "[isolation][cpu]") {
  Setting setting;
  setting.plan.cpu = CpuMeans::stop_and_continue;
  setting.plan.freeze = FreezeMeans::stop_and_continue;
  auto controller = setting.controller();
  MemberProcesses members;
  MemberProcesses free_processes;
  const auto control =
      made(controller, {.cpu_quota = std::chrono::microseconds(1'447), .members = &members});
  const pid_t spinner = members.start(control->membership(), spin);
  while (control->throttled() == std::chrono::nanoseconds(0)) members.await_progress(spinner);
  REQUIRE(control->freeze());
  members.await_stillness(spinner, true);
  const auto throttled = control->throttled();
  const auto rounds = members.counter(spinner);
  await_work(free_processes);
  CHECK(members.counter(spinner) == rounds);
  CHECK(control->throttled() == throttled);
  REQUIRE(control->thaw());
  members.await_counter(spinner, rounds + 1);
  members.end();
}

TEST_CASE("no more processes begin than may", "[isolation][pids]") {
  const auto version = GENERATE(Version::v1, Version::v2);
  Setting setting;
  setting.places.pids = required_place("pids", version);
  setting.plan.process_count =
      version == Version::v1 ? ProcessCountMeans::cgroup_v1 : ProcessCountMeans::cgroup_v2;
  auto controller = setting.controller();
  MemberProcesses members;
  const auto control = made(controller, {.processes = 5, .members = &members});
  const pid_t parent = members.start(control->membership(), [](volatile std::uint64_t& children) {
    for (int time = 0; time < 10; ++time) {
      const pid_t child = ::fork();
      if (child == 0) ::pause();
      if (child > 0) children = children + 1;
    }
    ::kill(0, SIGKILL);
  });
  CHECK(members.await(parent) == Exit{.code = {}, .signal = SIGKILL});
  CHECK(members.counter(parent) == 4);
}

TEST_CASE("no group is left, although the processes are only just ending", "[isolation]") {
  Setting setting;
  for (const auto version : {Version::v1, Version::v2}) {
    if (const auto place = place_of("freezer", version)) {
      setting.places.freezer = place;
      setting.plan.freeze =
          version == Version::v1 ? FreezeMeans::cgroup_v1 : FreezeMeans::cgroup_v2;
    }
  }
  if (const auto place = place_of("memory", Version::v1)) {
    setting.places.memory = place;
    setting.plan.memory = MemoryMeans::cgroup_v1;
  }
  if (!setting.places.freezer) SKIP("this user may not make control groups");
  std::vector<std::string> parents;
  {
    auto controller = setting.controller();
    parents = controller.parent_folders();
    REQUIRE_FALSE(parents.empty());
    MemberProcesses members;
    auto control = made(controller, {.memory_bytes = 512 * kMebibyte, .members = &members});
    for (int time = 0; time < 10; ++time) {
      members.await_counter(members.start(control->membership(), spin), 1);
    }
    members.signal_all(SIGKILL);
    control.reset();
    for (const auto& parent : parents) {
      CHECK(fs::exists(parent));
      CHECK_FALSE(fs::exists(parent + "/1"));
    }
  }
  for (const auto& parent : parents) CHECK_FALSE(fs::exists(parent));
}

TEST_CASE("where Hearth runs in the group that gives controllers, it moves aside and back",
          "[isolation]") {
  const auto root = required_place("freezer", Version::v2).folder;
  const auto offered = text_of(root + "/cgroup.controllers");
  const auto* const name = holds_word(offered, "memory") ? "memory" : "hugetlb";
  if (!holds_word(offered, name)) SKIP("the unified hierarchy has no controller to try");
  const auto folder = root + "/hearth-test-" + std::to_string(::getpid());
  {
    const auto at_root = cgroup_v2::Controllers::enable(root, {name}, "hearth-1.own");
    REQUIRE(at_root);
    const auto group = ControlGroup::make(folder);
    REQUIRE(group);
    const GroupFile door(folder, "cgroup.procs", O_WRONLY);
    MemberProcesses processes;
    // A program in a delegated scope.
    const pid_t program = processes.start({door.descriptor()}, [&](auto&) {
      const auto members = group_members(folder);
      {
        const auto enabled = cgroup_v2::Controllers::enable(folder, {name}, "hearth-1.own");
        if (!enabled) ::_exit(1);
        if (!group_members(folder).empty()) ::_exit(2);
        if (group_members(folder + "/hearth-1.own") != members) ::_exit(3);
        if (!holds_word(text_of(folder + "/cgroup.subtree_control"), name)) ::_exit(4);
      }
      if (group_members(folder) != members) ::_exit(5);
      if (fs::exists(folder + "/hearth-1.own")) ::_exit(6);
      ::_exit(0);
    });
    const auto end = processes.await(program);
    REQUIRE(end);
    CHECK(end->code == 0);
  }
  CHECK_FALSE(fs::exists(folder));
}

TEST_CASE("groups of a Hearth that was killed are removed by the next one", "[isolation]") {
  const auto version = GENERATE(Version::v1, Version::v2);
  const auto place = required_place("freezer", version);
  MemberProcesses processes;
  const pid_t gone = processes.start({}, [](auto&) { ::_exit(0); });
  REQUIRE(processes.await(gone));
  const auto left = place.folder + "/hearth-" + std::to_string(gone);
  fs::create_directory(left);
  fs::create_directory(left + "/7");
  Setting setting;
  setting.places.freezer = place;
  setting.plan.freeze = version == Version::v1 ? FreezeMeans::cgroup_v1 : FreezeMeans::cgroup_v2;
  const auto controller = setting.controller();
  CHECK_FALSE(fs::exists(left));
}

TEST_CASE("a plan that asks for groups the host does not offer makes no control", "[isolation]") {
  Setting setting;
  setting.plan.memory = MemoryMeans::cgroup_v2;
  auto controller = setting.controller();
  const auto control = controller.make({});
  REQUIRE_FALSE(control);
  CHECK(control.error().message.find("the memory limit") != std::string::npos);
}
