// Several programs beside one another in one sandbox: what is each one's own, and what is over all
// of them.
#include "emulator/sandbox/process_tree.h"
#include "emulator/sandbox/unique_fd.h"
#include "tests/isolation/sandboxed_testee.h"
#include "tests/support/forked_child.h"
#include "tests/support/host_requirements.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <list>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace isolation_test;
using namespace emulator::sandbox;

namespace {

constexpr std::uint64_t kMebibyte = 1ULL << 20;

const Exit kKilled{.code = {}, .signal = SIGKILL};

// How far the host's plan is followed.
enum class Level { none, without_control_groups, as_planned };

std::string name_of(Level level) {
  return level == Level::none                     ? "processes only"
         : level == Level::without_control_groups ? "without control groups"
                                                  : "as the host allows";
}

IsolationPlan plan_at(Level level) {
  if (level == Level::none) return bare_plan();
  auto plan = tests::host_plan();
  if (level == Level::as_planned) return plan;
  plan.memory = MemoryMeans::watcher;
  plan.cpu = CpuMeans::stop_and_continue;
  plan.freeze = FreezeMeans::stop_and_continue;
  plan.process_count = ProcessCountMeans::none;
  plan.cgroup_namespace = false;
  return plan;
}

Level any_level() {
  return GENERATE(Level::none, Level::without_control_groups, Level::as_planned);
}

// Prints "up" and takes no time.
StartRequest waiting() { return shell("echo up; exec sleep 1000"); }

// Prints "up" once its children run.
StartRequest breeding() { return shell("sleep 1000 & (sleep 1000 & sleep 1000) & echo up; wait"); }

bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  return text.empty() || text.find(") Z ") != std::string::npos;
}

bool are_gone(const std::vector<pid_t>& processes) {
  return std::all_of(processes.begin(), processes.end(), is_gone);
}

// Of one process, in ticks.
long cpu_time(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int field = 0; field < 11; ++field) fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return user + system;
}

// While this test works, as long as shows in such figures.
bool stand_still(const std::vector<pid_t>& pids) {
  std::vector<long> before;
  for (const auto pid : pids) before.push_back(cpu_time(pid));
  const auto begun = std::clock();
  while (std::clock() - begun < CLOCKS_PER_SEC / 10) {
  }
  return std::equal(pids.begin(), pids.end(), before.begin(), [](pid_t pid, long then) {
    return cpu_time(pid) == then;
  });
}

}  // namespace

TEST_CASE("programs of one sandbox have each their own output, process group and exit",
          "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  const auto sandbox = sandbox_of(launcher, {});
  StartedProgram stays(*sandbox, waiting());
  StartedProgram exits(*sandbox, shell("echo one; echo two >&2; exit 7"));
  StartedProgram crashes(*sandbox, shell("echo before; kill -SEGV $$"));
  CHECK(exits.line() == "one");
  CHECK(exits.line() == "two");
  CHECK(exits.line().empty());
  CHECK(exits.await_exit() == Exit{.code = 7, .signal = {}});
  CHECK(crashes.line() == "before");
  CHECK(crashes.await_exit() == Exit{.code = {}, .signal = SIGSEGV});
  CHECK(stays.line() == "up");
  CHECK_FALSE(stays.process().exited());
  for (const auto* program : {&stays, &exits, &crashes}) {
    CHECK(::getpgid(program->process().pid()) == program->process().pid());
  }
}

TEST_CASE("a program that is asked to end may do so in its own way, and no other is asked",
          "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  auto start = testee_start("ends_when_asked", {"TESTEE_EXIT_CODE=3"});
  if (level == Level::none) {
    start.program.argv = {HEARTH_BINARY_DIR "/handlers/testees/bootstrap"};
    start.program.working_folder = "/";
  }
  const auto sandbox = sandbox_of(launcher, testee_request());
  StartedProgram asked(*sandbox, start);
  StartedProgram other(*sandbox, start);
  StartedProgram unprepared(*sandbox, waiting());
  for (auto* program : {&asked, &other, &unprepared}) CHECK(program->line() == "up");
  asked.process().terminate();
  CHECK(asked.line() == "asked to end");
  CHECK(asked.await_exit() == Exit{.code = 3, .signal = {}});
  asked.process().terminate();  // of one that has ended, nothing comes
  unprepared.process().terminate();
  CHECK(unprepared.await_exit() == Exit{.code = {}, .signal = SIGTERM});
  CHECK_FALSE(other.process().exited());
  other.process().terminate();
  CHECK(other.line() == "asked to end");
}

TEST_CASE("a program that is ended leaves none of its processes, and the others theirs",
          "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  const auto sandbox = sandbox_of(launcher, {});
  StartedProgram ended(*sandbox, breeding());
  auto dropped = std::make_unique<StartedProgram>(*sandbox, breeding());
  StartedProgram other(*sandbox, breeding());
  for (auto* program : {&ended, dropped.get(), &other}) REQUIRE(program->line() == "up");
  const auto family = [](const StartedProgram& program) {
    std::vector<pid_t> tree;
    CHECK(tests::soon([&] {
      tree = process_tree(program.process().pid());
      return tree.size() >= 4;
    }));
    return tree;
  };
  const auto first = family(ended);
  const auto second = family(*dropped);
  const auto third = family(other);
  ended.process().end();
  ended.process().end();
  CHECK(ended.await_exit() == kKilled);
  CHECK(tests::soon([&] { return are_gone(first); }));
  dropped.reset();
  CHECK(tests::soon([&] { return are_gone(second); }));
  CHECK_FALSE(other.process().exited());
  CHECK(std::none_of(third.begin(), third.end(), is_gone));
}

TEST_CASE("what has left its program's group goes with the last program", "[companions]") {
  tests::requires_namespaces();
  const auto tag = tests::new_tag();
  LinuxLauncher launcher(tests::host_plan());
  const auto sandbox = sandbox_of(launcher, testee_request());
  auto leaver = std::make_unique<StartedProgram>(
      *sandbox, testee_start("ends_when_asked", {tag, "TESTEE_LEAVES_DAEMON=1"}));
  auto last = std::make_unique<StartedProgram>(*sandbox, waiting());
  REQUIRE(leaver->line() == "up");
  REQUIRE(last->line() == "up");
  leaver.reset();
  CHECK(tests::processes_with(tag).size() == 1);
  CHECK_FALSE(last->process().exited());
  last.reset();
  CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
}

TEST_CASE("programs of one sandbox may be let go by several threads at once", "[companions]") {
  tests::requires_namespaces();
  const auto tag = tests::new_tag();
  LinuxLauncher launcher(tests::host_plan());
  const auto sandbox = sandbox_of(launcher, testee_request());
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<Process>> programs;
    for (int i = 0; i < 3; ++i) {
      auto started = sandbox->start(testee_start("slow_init", {tag, "TESTEE_LEAVES_DAEMON=1"}));
      REQUIRE(started);
      programs.push_back(std::move(*started));
    }
    std::vector<std::thread> threads;
    for (auto& program : programs) threads.emplace_back([&program] { program.reset(); });
    for (auto& thread : threads) thread.join();
    CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
  }
}

TEST_CASE("to kill one program is to end all of the sandbox", "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  const auto sandbox = sandbox_of(launcher, {});
  {
    StartedProgram first(*sandbox, breeding());
    StartedProgram second(*sandbox, waiting());
    StartedProgram exited(*sandbox, shell("exit 5"));
    CHECK(exited.await_exit() == Exit{.code = 5, .signal = {}});
    exited.process().kill();
    CHECK(first.await_exit() == kKilled);
    CHECK(second.await_exit() == kKilled);
    CHECK(exited.await_exit() == Exit{.code = 5, .signal = {}});
  }
  StartedProgram anew(*sandbox, shell("echo again"));
  CHECK(anew.line() == "again");
}

TEST_CASE("ten programs run in one sandbox at once, and more after some of them", "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  auto sandbox = sandbox_of(launcher, {});
  const auto before = tests::open_descriptors();
  std::list<StartedProgram> programs;
  for (int i = 0; i < 10; ++i) programs.emplace_back(*sandbox, waiting());
  for (auto& program : programs) CHECK(program.line() == "up");
  for (int i = 0; i < 5; ++i) programs.erase(std::next(programs.begin(), i));
  for (int i = 0; i < 5; ++i) programs.emplace_back(*sandbox, waiting());
  for (const auto& program : programs) CHECK_FALSE(program.process().exited());
  programs.clear();
  CHECK(tests::open_descriptors() <= before);
}

TEST_CASE("a program inherits no descriptor of those that run beside it", "[companions]") {
  LinuxLauncher launcher(bare_plan());
  const auto sandbox = sandbox_of(launcher, {});
  std::list<StartedProgram> others;
  for (int i = 0; i < 3; ++i) others.emplace_back(*sandbox, waiting());
  const UniqueFd leaked(::open("/dev/null", O_RDONLY));  // without close-on-exec, on purpose
  StartedProgram lists(*sandbox, shell("echo $(ls /proc/self/fd)"));
  CHECK(lists.line() == "0 1 2 3");  // the last is the folder that ls reads
}

TEST_CASE("a failed start leaves the programs beside it alone", "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  const auto sandbox = sandbox_of(launcher, {});
  StartedProgram runs(*sandbox, waiting());
  REQUIRE(runs.line() == "up");
  auto missing = waiting();
  missing.program.argv = {"/no/such/program"};
  const auto refused = sandbox->start(missing);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == SandboxError::Kind::entrypoint);
  CHECK_FALSE(runs.process().exited());
  StartedProgram after(*sandbox, shell("echo after"));
  CHECK(after.line() == "after");
  CHECK(sandbox->freeze() == (launcher.plan().freeze != FreezeMeans::none));
}

TEST_CASE("programs of one sandbox stand still and go on together", "[companions]") {
  const auto level = GENERATE(Level::without_control_groups, Level::as_planned);
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  const auto sandbox = sandbox_of(launcher, {});
  StartedProgram first(*sandbox, shell("while :; do :; done"));
  StartedProgram second(*sandbox, shell("while :; do :; done"));
  const std::vector<pid_t> pids = {first.process().pid(), second.process().pid()};
  REQUIRE(sandbox->freeze());
  // Signals stop who runs on another CPU a moment later, and the kernel may count a last tick then.
  CHECK(tests::soon([&] { return stand_still(pids); }));

  const auto refused = sandbox->start(waiting());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("thaw") != std::string::npos);

  sandbox->thaw();
  for (const auto pid : pids) {
    const auto then = cpu_time(pid);
    CHECK(tests::soon([&] { return cpu_time(pid) > then; }));
  }
  StartedProgram joins(*sandbox, shell("echo joined"));
  CHECK(joins.line() == "joined");
}

TEST_CASE("to end one of several frozen programs lets the others go on", "[companions]") {
  const auto level = GENERATE(Level::without_control_groups, Level::as_planned);
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  const auto sandbox = sandbox_of(launcher, {});
  auto dropped = std::make_unique<StartedProgram>(*sandbox, waiting());
  StartedProgram ended(*sandbox, waiting());
  StartedProgram other(*sandbox, shell("while :; do :; done"));
  REQUIRE(sandbox->freeze());
  ended.process().end();
  CHECK(ended.await_exit() == kKilled);
  REQUIRE(sandbox->freeze());
  dropped.reset();
  const auto then = cpu_time(other.process().pid());
  CHECK(tests::soon([&] { return cpu_time(other.process().pid()) > then; }));
  CHECK_FALSE(other.process().exited());
}

TEST_CASE("memory is counted and limited over all programs of a sandbox", "[companions]") {
  const auto level = GENERATE(Level::without_control_groups, Level::as_planned);
  INFO(name_of(level));
  LinuxLauncher launcher(plan_at(level));
  auto request = testee_request();
  request.memory_bytes = 64 * kMebibyte;
  const auto sandbox = sandbox_of(launcher, request);
  // In a child of its own, which stays.
  const auto hog = [](std::uint64_t mebibytes) {
    return testee_start("child_hogs_memory",
                        {"TESTEE_BYTES=" + std::to_string(mebibytes * kMebibyte)});
  };
  {
    const StartedProgram first(*sandbox, hog(20));
    const StartedProgram second(*sandbox, hog(20));
    // Without control groups, kernels before 6.2 leave up to 64 pages of each thread uncounted.
    CHECK(tests::soon([&] { return sandbox->usage().memory_bytes >= 39 * kMebibyte; }));
    const auto usage = sandbox->usage();
    INFO(usage.memory_bytes);
    CHECK(usage.peak_memory_bytes >= usage.memory_bytes);
    CHECK_FALSE(usage.memory_exceeded);
    // Alone it would fit.
    const StartedProgram third(*sandbox, hog(40));
    // Where the kernel ends only the largest process, which is its child, it may end by itself
    // before it is ended.
    third.await_exit();
    CHECK(first.await_exit() == kKilled);
    CHECK(second.await_exit() == kKilled);
    CHECK(sandbox->usage().memory_exceeded);
  }
  StartedProgram anew(*sandbox, waiting());
  REQUIRE(anew.line() == "up");
  CHECK_FALSE(sandbox->usage().memory_exceeded);
  CHECK(sandbox->usage().peak_memory_bytes < 30 * kMebibyte);
}

TEST_CASE("programs of one sandbox see the same processors", "[companions]") {
  LinuxLauncher launcher(tests::host_plan());
  auto request = testee_request();
  request.cpu.visible_cpus = 1;
  const auto sandbox = sandbox_of(launcher, request);
  const auto visible = [](const StartedProgram& program) {
    std::ifstream status("/proc/" + std::to_string(program.process().pid()) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Cpus_allowed:")) return line;
    }
    return std::string();
  };
  const StartedProgram first(*sandbox, waiting());
  const StartedProgram second(*sandbox, waiting());
  const auto wanted = visible(first);
  CHECK_FALSE(wanted.empty());
  CHECK(visible(second) == wanted);
}

TEST_CASE("no program of several outlives an emulator that is killed", "[companions]") {
  const auto level = any_level();
  INFO(name_of(level));
  constexpr int kPrograms = 3;
  tests::ForkedChild emulator([level](const tests::ForkedChild::Tell& tell) {
    LinuxLauncher launcher(plan_at(level));
    const auto sandbox = sandbox_of(launcher, {});
    std::list<StartedProgram> programs;
    for (int i = 0; i < kPrograms; ++i) {
      programs.emplace_back(*sandbox, breeding());
      programs.back().line();
    }
    for (const auto& program : programs) {
      const auto tree = process_tree(program.process().pid());
      for (const auto pid : tree) tell(pid);
    }
    tell(0);
    ::pause();
  });
  std::vector<pid_t> programs;
  for (auto told = emulator.next(); told.value_or(0) != 0; told = emulator.next()) {
    programs.push_back(static_cast<pid_t>(*told));
  }
  REQUIRE(programs.size() > kPrograms);
  CHECK(std::none_of(programs.begin(), programs.end(), is_gone));
  emulator.kill_and_wait();
  CHECK(tests::soon([&] { return are_gone(programs); }));
}
