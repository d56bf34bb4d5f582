// Sandboxes made and ended with faults at random: nothing of them is left, and this process does
// not grow. HEARTH_LEAK_ROUNDS says how many (`make soak`: 10,000), HEARTH_LEAK_SEED repeats a run.
#include "tests/isolation/sandboxed_testee.h"
#include "tests/support/host_requirements.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace isolation_test;
using namespace emulator::sandbox;

namespace {

using Clock = std::chrono::steady_clock;

long number_from(const char* name, long otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return text != nullptr ? std::strtol(text, nullptr, 10) : otherwise;
}

// Kills, at a moment it is given, every child of this process that was not there when it was made:
// what a start-up has running then, in whatever step it is.
class Killer {
 public:
  Killer() : spared_(tests::child_processes()), thread_([this] { serve(); }) {}
  Killer(const Killer&) = delete;
  Killer& operator=(const Killer&) = delete;
  ~Killer() {
    set({}, true);
    thread_.join();
  }

  void strike_at(Clock::time_point moment) { set(moment, false); }

  // No strike comes after this.
  void call_off() {
    std::unique_lock lock(mutex_);
    moment_.reset();
    changed_.notify_all();
    changed_.wait(lock, [&] { return !striking_; });
  }

 private:
  void set(std::optional<Clock::time_point> moment, bool ending) {
    const std::lock_guard lock(mutex_);
    moment_ = moment;
    ending_ = ending;
    changed_.notify_all();
  }

  void serve() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      if (!moment_) {
        changed_.wait(lock);
      } else if (Clock::now() < *moment_) {
        changed_.wait_until(lock, *moment_);
      } else {
        moment_.reset();
        striking_ = true;
        lock.unlock();
        strike();
        lock.lock();
        striking_ = false;
        changed_.notify_all();
      }
    }
  }

  void strike() const {
    for (const auto pid : tests::child_processes()) {
      if (!std::binary_search(spared_.begin(), spared_.end(), pid)) ::kill(pid, SIGKILL);
    }
  }

  const std::vector<pid_t> spared_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<Clock::time_point> moment_;
  bool striking_ = false;
  bool ending_ = false;
  std::thread thread_;
};

struct Fault {
  const char* name;
  void (*round)(class Rounds&);
};

std::vector<Fault> wanted_faults();

// Sandboxes of one launcher, one at a time, each with a fault.
class Rounds {
 public:
  explicit Rounds(unsigned long seed) : random_(seed) {
    empty_.write("readme", "no bootstrap here");
    begin_start();
    SandboxedTestee measured(testee_start("slow_init", {tag_}));
    start_up_ = Clock::now() - started_;
  }

  void next();
  const std::string& tag() const { return tag_; }
  const std::map<std::string, int>& counts() const { return counts_; }

  void ends_with_its_program() {
    SandboxedTestee testee(testee_start("exits_in_init", {tag_}));
    testee.await_exit();
  }
  void is_never_started() { REQUIRE(launcher().make(testee_request())); }
  void has_no_program() {
    auto start = testee_start("echo", {tag_});
    start.program.argv = {"/no/such/program"};
    expect_no_start(testee_request(), start);
  }
  void has_no_working_folder() {
    auto start = testee_start("echo", {tag_});
    start.program.working_folder = "/no/such/folder";
    expect_no_start(testee_request(), start);
  }
  void has_no_code() {
    auto request = testee_request();
    request.view.folders = {{.host = empty_.path().string(), .seen = "/var/task"},
                            {.host = "/no/such/layer", .seen = "/opt"}};
    auto start = testee_start("echo", {tag_});
    start.program.argv = {"/var/task/bootstrap"};
    expect_no_start(request, start);
  }
  void is_struck_in_start_up() {
    begin_start();
    auto within = std::uniform_int_distribution<Clock::rep>(0, 2 * start_up_.count());
    killer_.strike_at(started_ + Clock::duration(within(random_)));
    {
      auto made = launcher().make(testee_request());
      if (made) {
        auto started = (*made)->start(testee_start("slow_init", {tag_}));
        killer_.call_off();
        // And, having survived or not, once more.
        if (started) started->reset();
        std::ignore = (*made)->start(testee_start("slow_init", {tag_}));
      }
      killer_.call_off();
    }
  }
  void is_killed_in_init() {
    SandboxedTestee testee(testee_start("slow_init", {tag_, "TESTEE_LEAVES_DAEMON=1"}));
    testee.process().kill();
    if (coin()) testee.await_exit();
  }
  void is_killed_from_outside() {
    SandboxedTestee testee(testee_start("slow_init", {tag_}));
    ::kill(testee.process().pid(), SIGKILL);
    if (coin()) testee.await_exit();
    if (coin()) testee.start(testee_start("slow_init", {tag_}));
  }
  void crashes() {
    SandboxedTestee testee(testee_start("crashes_in_init", {tag_, "TESTEE_LEAVES_DAEMON=1"}));
    testee.await_exit();
    if (coin()) testee.start(testee_start("exits_in_init", {tag_}));
  }
  void is_ended_while_frozen() {
    SandboxedTestee testee(testee_start("slow_init", {tag_, "TESTEE_LEAVES_DAEMON=1"}));
    testee.sandbox().freeze();
    if (coin()) testee.process().kill();
    if (coin()) testee.end();
    if (coin()) testee.start(testee_start("exits_in_init", {tag_}));
  }
  void is_killed_from_outside_while_frozen() {
    SandboxedTestee testee(testee_start("slow_init", {tag_}));
    testee.sandbox().freeze();
    ::kill(testee.process().pid(), SIGKILL);
    if (coin()) testee.sandbox().thaw();
  }
  void is_ended_while_it_breeds() {
    SandboxedTestee testee(testee_start("breeds_processes", {tag_, "TESTEE_COUNT=20000"}));
    testee.answer();
  }
  void runs_out_of_memory() {
    auto request = testee_request();
    request.memory_bytes = 16ULL << 20;
    SandboxedTestee testee(testee_start("hogs_memory", {tag_, "TESTEE_BYTES=33554432"}), request);
    testee.await_exit();
  }

  // Several programs in one sandbox.

  void has_programs_that_end_in_any_order() {
    const auto sandbox = sandbox_of(launcher(), testee_request());
    auto programs = several_in(*sandbox);
    if (coin()) sandbox->freeze();
    for (const auto& program : programs) do_something_to(*program);
    std::shuffle(programs.begin(), programs.end(), random_);
    while (!programs.empty()) {
      programs.pop_back();
      if (coin()) keep(sandbox->start(testee_start("exits_in_init", {tag_})), programs);
      if (programs.size() > kMostPrograms) programs.clear();
    }
  }
  void is_struck_while_a_program_joins() {
    const auto sandbox = sandbox_of(launcher(), testee_request());
    auto programs = several_in(*sandbox);
    begin_start();
    auto within = std::uniform_int_distribution<Clock::rep>(0, start_up_.count());
    killer_.strike_at(started_ + Clock::duration(within(random_)));
    keep(sandbox->start(testee_start("slow_init", {tag_})), programs);
    keep(sandbox->start(testee_start("slow_init", {tag_})), programs);
    killer_.call_off();
  }
  void is_killed_while_a_program_joins() {
    const auto sandbox = sandbox_of(launcher(), testee_request());
    auto programs = several_in(*sandbox);
    auto& first = *programs.front();
    std::thread killing([&first] { first.kill(); });
    auto joined = sandbox->start(testee_start("slow_init", {tag_}));
    killing.join();
    keep(std::move(joined), programs);
  }
  void cannot_start_a_program_beside_others() {
    const auto sandbox = sandbox_of(launcher(), testee_request());
    const auto programs = several_in(*sandbox);
    auto start = testee_start("echo", {tag_});
    start.program.argv = {"/no/such/program"};
    CHECK_FALSE(sandbox->start(start));
  }

 private:
  using Programs = std::vector<std::unique_ptr<Process>>;
  static constexpr std::size_t kMostPrograms = 6;

  bool coin() { return std::bernoulli_distribution()(random_); }

  static void keep(tl::expected<std::unique_ptr<Process>, SandboxError> started,
                   Programs& programs) {
    if (started) programs.push_back(std::move(*started));
  }
  Programs several_in(Sandbox& sandbox) {
    const auto count = std::uniform_int_distribution<std::size_t>(2, 4)(random_);
    Programs programs;
    while (programs.size() < count) {
      auto variables = std::vector<std::string>{tag_};
      if (coin()) variables.emplace_back("TESTEE_LEAVES_DAEMON=1");
      auto started = sandbox.start(testee_start("slow_init", variables));
      REQUIRE(started);
      programs.push_back(std::move(*started));
    }
    return programs;
  }
  void do_something_to(Process& program) {
    switch (std::uniform_int_distribution<int>(0, 5)(random_)) {
      case 0:
        return program.end();
      case 1:
        return program.terminate();
      case 2:
        return program.kill();
      case 3:
        ::kill(program.pid(), SIGKILL);
        return;
      default:
        return;
    }
  }
  void begin_start() { started_ = Clock::now(); }

  static void expect_no_start(const SandboxRequest& request, const StartRequest& start) {
    auto made = launcher().make(request);
    if (made) CHECK_FALSE((*made)->start(start));
  }

  std::mt19937_64 random_;
  const std::vector<Fault> faults_ = wanted_faults();
  const std::string tag_ = tests::new_tag();
  const tests::ScratchFolder empty_;
  Clock::time_point started_;
  Clock::duration start_up_{};
  std::map<std::string, int> counts_;
  Killer killer_;
};

constexpr std::array kFaults = {
    Fault{"ends with its program", [](Rounds& r) { r.ends_with_its_program(); }},
    Fault{"is never started", [](Rounds& r) { r.is_never_started(); }},
    Fault{"has no program", [](Rounds& r) { r.has_no_program(); }},
    Fault{"has no working folder", [](Rounds& r) { r.has_no_working_folder(); }},
    Fault{"has no code", [](Rounds& r) { r.has_no_code(); }},
    Fault{"is struck in start-up", [](Rounds& r) { r.is_struck_in_start_up(); }},
    Fault{"is struck in start-up", [](Rounds& r) { r.is_struck_in_start_up(); }},
    Fault{"is struck in start-up", [](Rounds& r) { r.is_struck_in_start_up(); }},
    Fault{"is killed in init", [](Rounds& r) { r.is_killed_in_init(); }},
    Fault{"is killed from outside", [](Rounds& r) { r.is_killed_from_outside(); }},
    Fault{"crashes", [](Rounds& r) { r.crashes(); }},
    Fault{"is ended while frozen", [](Rounds& r) { r.is_ended_while_frozen(); }},
    Fault{"is killed from outside while frozen",
          [](Rounds& r) { r.is_killed_from_outside_while_frozen(); }},
    Fault{"is ended while it breeds", [](Rounds& r) { r.is_ended_while_it_breeds(); }},
    Fault{"runs out of memory", [](Rounds& r) { r.runs_out_of_memory(); }},
    Fault{"has programs that end in any order",
          [](Rounds& r) { r.has_programs_that_end_in_any_order(); }},
    Fault{"has programs that end in any order",
          [](Rounds& r) { r.has_programs_that_end_in_any_order(); }},
    Fault{"is struck while a program joins",
          [](Rounds& r) { r.is_struck_while_a_program_joins(); }},
    Fault{"is killed while a program joins",
          [](Rounds& r) { r.is_killed_while_a_program_joins(); }},
    Fault{"cannot start a program beside others",
          [](Rounds& r) { r.cannot_start_a_program_beside_others(); }},
};

std::vector<Fault> wanted_faults() {
  const char* only = std::getenv("HEARTH_LEAK_FAULT");  // NOLINT(concurrency-mt-unsafe)
  std::vector<Fault> wanted;
  for (const auto& fault : kFaults) {
    if (only == nullptr || std::string(fault.name).find(only) != std::string::npos) {
      wanted.push_back(fault);
    }
  }
  REQUIRE_FALSE(wanted.empty());
  return wanted;
}

void Rounds::next() {
  const auto at = std::uniform_int_distribution<std::size_t>(0, faults_.size() - 1)(random_);
  ++counts_[faults_[at].name];
  INFO("the sandbox that " << faults_[at].name);
  faults_[at].round(*this);
}

struct Possessions {
  int descriptors = 0;
  std::vector<pid_t> children;
  std::size_t control_groups = 0;
  std::vector<std::string> mounts;
  std::ptrdiff_t temporary_folders = 0;
  bool operator==(const Possessions&) const = default;
};

std::ptrdiff_t hearth_folders() {
  std::ptrdiff_t count = 0;
  const auto name = std::to_string(::getpid());
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::temp_directory_path())) {
    const auto file = entry.path().filename().string();
    if (file.starts_with("hearth") && file.find(name) != std::string::npos) ++count;
  }
  return count;
}

Possessions possessions() {
  return {.descriptors = tests::open_descriptors(),
          .children = tests::child_processes(),
          .control_groups = tests::control_groups_of(::getpid()).size(),
          .mounts = tests::mounts_with("hearth"),
          .temporary_folders = hearth_folders()};
}

}  // namespace

TEST_CASE("sandboxes that end in every way leave nothing behind", "[leaks]") {
  tests::requires_namespaces();
  const long rounds = number_from("HEARTH_LEAK_ROUNDS", 200);
  const long seed = number_from("HEARTH_LEAK_SEED", static_cast<long>(std::random_device{}()));
  std::cerr << "HEARTH_LEAK_SEED=" << seed << " HEARTH_LEAK_ROUNDS=" << rounds << "\n";
  INFO("seed " << seed);

  launcher();  // and what belongs to it, which no fault is to strike
  Rounds sandboxes(static_cast<unsigned long>(seed));
  // What is made once and kept, and what the allocator has grown to.
  const long warm_up = std::min<long>(rounds / 2, 500);
  for (long round = 0; round < warm_up; ++round) sandboxes.next();
  const auto before = possessions();
  const long resident_before = tests::resident_kib();
  for (long round = warm_up; round < rounds; ++round) {
    INFO("round " << round);
    sandboxes.next();
    if (round % 1000 == 999) {
      std::cerr << round + 1 << " sandboxes, " << tests::resident_kib() << " KiB resident, "
                << tests::open_descriptors() << " descriptors\n";
    }
  }
  for (const auto& [name, count] : sandboxes.counts()) INFO(count << " x " << name);
  CHECK(tests::soon([&] { return possessions() == before; }));
  const auto after = possessions();
  CHECK(after.descriptors == before.descriptors);
  CHECK(after.children == before.children);
  CHECK(after.control_groups == before.control_groups);
  CHECK(after.mounts == before.mounts);
  CHECK(after.temporary_folders == before.temporary_folders);
  CHECK(tests::processes_with(sandboxes.tag()).empty());
  // Fragments of the allocator's, not sandboxes: 10,000 that each left 100 bytes would show. A
  // sanitizer keeps what was freed.
#if defined(__SANITIZE_ADDRESS__)
  constexpr long kGrowthKib = 256 * 1024;
#else
  constexpr long kGrowthKib = 1024;
#endif
  CHECK(tests::resident_kib() - resident_before <= kGrowthKib);
}
