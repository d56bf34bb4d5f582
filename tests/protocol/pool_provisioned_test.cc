// Environments that the pool keeps initialised ahead.
#include "emulator/environment/pool.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <optional>
#include <set>
#include <thread>

using namespace emulator::environment;
using namespace std::chrono_literals;
using emulator::time::VirtualTime;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

const ServingTerms kWithLog{.release_at = ReleaseAt::report};
constexpr std::chrono::system_clock::time_point kStart{1'768'262'400s};

std::function<std::string()> numbered() {
  return
      [count = std::make_shared<std::atomic<int>>(0)] { return "env-" + std::to_string(++*count); };
}

ScriptEnd echo(ScriptedProcess& process) {
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

template <class Condition>
void await(const Condition& condition) {
  while (!condition()) std::this_thread::yield();
}

// Lets so many pass as it was told, and the others wait.
class Gate {
 public:
  void pass() {
    ++waiting_;
    await([this] {
      int left = open_;
      while (left > 0) {
        if (open_.compare_exchange_weak(left, left - 1)) return true;
      }
      return false;
    });
    --waiting_;
  }
  void open(int more) { open_ += more; }
  int waiting() const { return waiting_; }

 private:
  std::atomic<int> open_ = 0;
  std::atomic<int> waiting_ = 0;
};

// One version with its pool.
struct Scene {
  explicit Scene(tests::Script script, PoolLimits limits = {})
      : world(std::move(script)), pool(limits, world.world, numbered()) {}
  Scene(tests::Script script, VirtualTime& time, PoolLimits limits = {})
      : world(std::move(script), time), pool(limits, world.world, numbered()) {}

  void provision(std::size_t environments) {
    pool.provision(candidates.provisioned, environments);
    pool.await_settled();
  }
  tl::expected<Served, Throttled> serve(const std::string& id, const std::string& payload = "{}") {
    return pool.serve(candidates, next_invocation(id, payload), kWithLog);
  }
  ProvisionedStatus status() const { return pool.provisioned_status(candidates.provisioned); }
  std::set<std::string> ids() const {
    std::set<std::string> ids;
    for (const auto& snapshot : pool.snapshots()) ids.insert(snapshot.id);
    return ids;
  }

  EnvironmentWorld world;
  Pool::Candidates candidates{.on_demand = world.spec(), .provisioned = world.provisioned_spec()};
  Pool pool;
};

// A runtime that is held back in its init, or in an invocation, until the gate opens.
tests::Script held_in_init(Gate& gate) {
  return [&](ScriptedProcess& process) -> ScriptEnd {
    gate.pass();
    return echo(process);
  };
}
tests::Script held_in_invocation(Gate& gate) {
  return [&](ScriptedProcess& process) -> ScriptEnd {
    process.serve([&](const tests::HttpAnswer& next) {
      gate.pass();
      return next.body;
    });
  };
}

}  // namespace

TEST_CASE("provisioned environments are there before anybody invokes, and serve without an init",
          "[provisioned]") {
  Scene scene(echo);
  scene.provision(3);
  CHECK(scene.world.launcher.launches() == 3);
  CHECK(scene.status().state == ProvisionedState::ready);
  CHECK(scene.status().available == 3);
  for (const auto& snapshot : scene.pool.snapshots()) {
    CHECK(snapshot.initialization == Initialization::provisioned_concurrency);
    CHECK(snapshot.phase == Phase::idle);
    CHECK(snapshot.invocations == 0);
  }
  for (int i = 0; i < 5; ++i) REQUIRE(scene.serve("id-" + std::to_string(i)));
  CHECK(scene.world.launcher.launches() == 3);
  for (const auto& report : scene.world.reports()) CHECK_FALSE(report.init_duration);
  CHECK(scene.pool.environments_by_function().at("f").environments == 3);
}

TEST_CASE("the status tells what was asked for, what is being made and what is ready",
          "[provisioned]") {
  Gate gate;
  Scene scene(held_in_init(gate));
  CHECK(scene.status().requested == 0);
  scene.pool.provision(scene.candidates.provisioned, 2);
  await([&] { return gate.waiting() == 2; });
  auto status = scene.status();
  CHECK(status.requested == 2);
  CHECK(status.allocated == 2);
  CHECK(status.available == 0);
  CHECK(status.state == ProvisionedState::in_progress);
  gate.open(1);
  await([&] { return scene.status().available == 1; });
  CHECK(scene.status().state == ProvisionedState::in_progress);
  gate.open(1);
  scene.pool.await_settled();
  status = scene.status();
  CHECK(status.available == 2);
  CHECK(status.in_use == 0);
  CHECK(status.state == ProvisionedState::ready);
}

TEST_CASE("only so many inits ahead run at the same time", "[provisioned]") {
  Gate gate;
  Scene scene(held_in_init(gate));
  scene.pool.provision(scene.candidates.provisioned, 3 * kMaxInitThreads);
  await([&] { return gate.waiting() == static_cast<int>(kMaxInitThreads); });
  CHECK(scene.world.launcher.launches() == static_cast<int>(kMaxInitThreads));
  CHECK(scene.status().allocated == 3 * kMaxInitThreads);
  gate.open(static_cast<int>(3 * kMaxInitThreads));
  scene.pool.await_settled();
  CHECK(scene.status().available == 3 * kMaxInitThreads);
}

TEST_CASE("what finds no provisioned environment free is served on demand", "[provisioned]") {
  Gate gate;
  Scene scene(held_in_invocation(gate));
  scene.provision(1);
  std::vector<std::future<bool>> calls;
  for (int i = 0; i < 2; ++i) {
    calls.push_back(std::async(std::launch::async, [&scene, i] {
      return scene.serve("id-" + std::to_string(i)).has_value();
    }));
    await([&] { return gate.waiting() == i + 1; });
  }
  CHECK(scene.status().in_use == 1);
  gate.open(2);
  for (auto& call : calls) CHECK(call.get());
  int cold = 0;
  for (const auto& report : scene.world.reports()) cold += report.init_duration ? 1 : 0;
  CHECK(cold == 1);
  CHECK(scene.world.launcher.launches() == 2);
  await([&] { return scene.pool.concurrency_use().in_flight == 0; });
}

TEST_CASE("provisioned environments take their share of the account, used or not",
          "[provisioned]") {
  Gate gate;
  Scene scene(held_in_invocation(gate), {.concurrency = {.account = 2}});
  scene.provision(1);
  CHECK(scene.pool.concurrency_use().unreserved_limit == 1);
  const Pool::Spec other = scene.world.spec();
  auto running = std::async(std::launch::async, [&] {
    return scene.pool.serve(other, next_invocation("id-other"), kWithLog).has_value();
  });
  await([&] { return gate.waiting() == 1; });
  const auto refused = scene.pool.serve(other, next_invocation("id-refused"), kWithLog);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::account_exceeded);
  auto provisioned =
      std::async(std::launch::async, [&] { return scene.serve("id-1").has_value(); });
  await([&] { return gate.waiting() == 2; });
  gate.open(2);
  CHECK(running.get());
  CHECK(provisioned.get());
  scene.provision(0);
  CHECK(scene.pool.concurrency_use().unreserved_limit == 2);
}

TEST_CASE("an init ahead that fails is told as the state, and no further one is begun",
          "[provisioned]") {
  std::atomic<bool> broken = true;
  Scene scene([&](ScriptedProcess& process) -> ScriptEnd {
    if (!broken) return echo(process);
    process.post("/2018-06-01/runtime/init/error",
                 "{}",
                 {{"Lambda-Runtime-Function-Error-Type", "Function.Broken"}});
    return {.code = 1, .signal = {}};
  });
  scene.provision(50);
  CHECK(scene.status().state == ProvisionedState::failed);
  CHECK(scene.status().failure == "Function.Broken");
  CHECK(scene.status().requested == 50);
  CHECK(scene.status().available == 0);
  CHECK(scene.world.launcher.launches() <= static_cast<int>(2 * kMaxInitThreads));
  CHECK(scene.pool.snapshots().empty());
  CHECK(scene.pool.concurrency_use().unreserved_limit == 1000);
  broken = false;
  scene.provision(5);
  CHECK(scene.status().state == ProvisionedState::ready);
  CHECK(scene.status().failure.empty());
  CHECK(scene.status().available == 5);
}

TEST_CASE("a provisioned environment whose process ends is initialised again, ahead",
          "[provisioned]") {
  Scene scene(echo);
  scene.provision(1);
  const auto ids = scene.ids();
  scene.world.launcher.kill_newest();
  await([&] { return scene.world.launcher.launches() == 2; });
  scene.pool.await_settled();
  CHECK(scene.status().state == ProvisionedState::ready);
  CHECK(scene.ids() == ids);
  REQUIRE(scene.serve("id-1"));
  CHECK_FALSE(scene.world.reports().at(0).init_duration);
}

TEST_CASE("a provisioned environment that is reset by an invocation is initialised again, ahead",
          "[provisioned]") {
  Scene scene([](ScriptedProcess& process) -> ScriptEnd {
    process.serve([&](const tests::HttpAnswer& next) -> std::string {
      if (next.body == "\"hang\"") process.hang();
      return next.body;
    });
  });
  scene.candidates.provisioned = scene.world.provisioned_spec(20ms);
  scene.provision(1);
  const auto served = scene.serve("id-1", "\"hang\"");
  REQUIRE(served);
  CHECK(std::holds_alternative<TimedOut>(served->outcome));
  scene.pool.await_settled();
  CHECK(scene.status().available == 1);
  CHECK(scene.world.launcher.launches() == 2);
  REQUIRE(scene.serve("id-2"));
  CHECK(scene.world.launcher.launches() == 2);
  CHECK_FALSE(scene.world.reports().at(1).init_duration);
}

TEST_CASE("a runtime that ends each time it idles is given up, not started for ever",
          "[provisioned]") {
  Scene scene(echo);
  scene.provision(1);
  for (std::size_t loss = 0; loss <= kMaxIdleLosses; ++loss) {
    const auto expected = static_cast<int>(loss) + 1;
    await([&] { return scene.world.launcher.launches() == expected; });
    scene.pool.await_settled();
    CHECK(scene.status().state == ProvisionedState::ready);
    scene.world.launcher.kill_newest();
  }
  await([&] { return scene.status().state == ProvisionedState::failed; });
  CHECK(scene.status().failure == "Runtime.ExitError");
  scene.pool.await_settled();
  CHECK(scene.world.launcher.launches() == static_cast<int>(kMaxIdleLosses) + 1);
  CHECK(scene.pool.snapshots().empty());
}

TEST_CASE("fewer provisioned environments: the surplus goes, a busy one when it has served",
          "[provisioned]") {
  Gate gate;
  Scene scene(held_in_invocation(gate));
  scene.provision(3);
  auto running = std::async(std::launch::async, [&] { return scene.serve("id-1").has_value(); });
  await([&] { return gate.waiting() == 1; });
  scene.provision(1);
  CHECK(scene.status().available == 1);
  CHECK(scene.pool.snapshots().size() == 1);
  scene.provision(0);
  CHECK(scene.pool.snapshots().size() == 1);
  CHECK(scene.pool.concurrency_use().unreserved_limit == 999);
  gate.open(1);
  CHECK(running.get());
  scene.pool.await_settled();
  CHECK(scene.pool.snapshots().empty());
  CHECK(scene.pool.concurrency_use().unreserved_limit == 1000);
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("provisioned environments that are let go while they initialise end at once",
          "[provisioned]") {
  Scene scene([](ScriptedProcess& process) -> ScriptEnd {
    process.print("starting\n");
    process.hang();
  });
  scene.pool.provision(scene.candidates.provisioned, 20);
  scene.world.await_log("starting");
  scene.provision(0);
  CHECK(scene.pool.snapshots().empty());
  CHECK(scene.world.launcher.living() == 0);
  CHECK(scene.status().state == ProvisionedState::ready);
}

TEST_CASE("a provisioned environment that somebody retires is replaced", "[provisioned]") {
  Scene scene(echo);
  scene.provision(2);
  CHECK(scene.pool.retire(*scene.ids().begin()));
  scene.pool.await_settled();
  CHECK(scene.status().available == 2);
  scene.pool.retire_all();
  scene.pool.await_settled();
  CHECK(scene.status().available == 2);
  CHECK(scene.world.launcher.launches() == 5);
}

TEST_CASE("a version that is retired has no environment left of either kind", "[provisioned]") {
  Gate gate;
  Scene scene(held_in_invocation(gate));
  scene.provision(1);
  std::vector<std::future<bool>> calls;
  for (int i = 0; i < 2; ++i) {
    calls.push_back(std::async(std::launch::async, [&scene, i] {
      return scene.serve("id-" + std::to_string(i)).has_value();
    }));
    await([&] { return gate.waiting() == i + 1; });
  }
  scene.pool.retire_version(scene.candidates.on_demand);
  scene.pool.retire_version(scene.candidates.provisioned);
  CHECK(scene.pool.snapshots().size() == 2);
  gate.open(2);
  for (auto& call : calls) CHECK(call.get());
  scene.pool.await_settled();
  CHECK(scene.pool.snapshots().empty());
  CHECK(scene.world.launcher.launches() == 2);
  gate.open(1);
  REQUIRE(scene.serve("id-3"));
  CHECK(scene.world.launcher.launches() == 3);
}

TEST_CASE("an idle version is retired at once, and another function's environments stay",
          "[provisioned]") {
  Scene scene(echo);
  const Pool::Spec other = scene.world.spec();
  REQUIRE(scene.pool.serve(other, next_invocation("id-1"), kWithLog));
  REQUIRE(scene.serve("id-2"));
  scene.pool.retire_version(scene.candidates.on_demand);
  scene.pool.await_settled();
  CHECK(scene.ids() == std::set<std::string>{"env-1"});
}

TEST_CASE("idle environments are retired on the service's clock, provisioned ones never",
          "[provisioned]") {
  VirtualTime time(kStart);
  Scene scene(echo, time, {.idle_timeout = 10min});
  const auto settle = [&] { scene.pool.await_settled(); };
  scene.provision(1);
  const Pool::Spec other = scene.world.spec();
  REQUIRE(scene.pool.serve(other, next_invocation("id-1"), kWithLog));
  REQUIRE(time.advance(5min, settle));
  REQUIRE(scene.serve("id-2"));
  CHECK(scene.ids() == std::set<std::string>{"env-1", "env-2"});
  CHECK(scene.pool.snapshots().at(1).since_last_use == 5min);
  CHECK(time.advance(5min - 1ms, settle) == 0U);
  CHECK(scene.ids().count("env-2") == 1);
  CHECK(time.advance(1ms, settle) == 1U);
  CHECK(scene.ids() == std::set<std::string>{"env-1"});
  REQUIRE(time.advance(1h, settle));
  CHECK(scene.ids() == std::set<std::string>{"env-1"});
}

TEST_CASE("a provisioned environment that grew old is replaced by one that is ready before it goes",
          "[provisioned]") {
  VirtualTime time(kStart);
  Gate gate;
  Scene scene(held_in_init(gate), time);
  gate.open(2);
  scene.provision(2);
  const auto first = scene.ids();
  CHECK(time.advance(kProvisionedAge - 1ms, [&] { scene.pool.await_settled(); }) == 0U);
  CHECK(time.advance(1ms, [] {}) == 1U);
  await([&] { return gate.waiting() == 2; });
  CHECK(scene.status().available == 2);
  CHECK(scene.status().state == ProvisionedState::ready);
  REQUIRE(scene.serve("id-1"));  // by an old one
  gate.open(2);
  scene.pool.await_settled();
  CHECK(scene.status().available == 2);
  CHECK(scene.pool.snapshots().size() == 2);
  for (const auto& id : scene.ids()) CHECK(first.count(id) == 0);
  gate.open(100);
  CHECK(time.advance(kProvisionedAge, [&] { scene.pool.await_settled(); }) == 1U);
  CHECK(scene.status().available == 2);
  CHECK(scene.world.launcher.launches() == 6);
}

TEST_CASE("while old and new are there together, no more serve than were asked for",
          "[provisioned]") {
  VirtualTime time(kStart);
  Gate gate;
  Scene scene(held_in_invocation(gate), time);
  scene.provision(1);
  auto running = std::async(std::launch::async, [&] { return scene.serve("id-1").has_value(); });
  await([&] { return gate.waiting() == 1; });
  REQUIRE(time.advance(kProvisionedAge, [&] { scene.pool.await_settled(); }) == 1U);
  CHECK(scene.pool.snapshots().size() == 2);
  auto other = std::async(std::launch::async, [&] { return scene.serve("id-2").has_value(); });
  await([&] { return gate.waiting() == 2; });
  CHECK(scene.pool.snapshots().size() == 3);  // it was served on demand
  gate.open(2);
  CHECK(running.get());
  CHECK(other.get());
  scene.pool.await_settled();
  CHECK(scene.status().available == 1);
  CHECK(scene.pool.snapshots().size() == 2);
}

TEST_CASE("stopping does not wait for an init ahead", "[provisioned]") {
  Scene scene([](ScriptedProcess& process) -> ScriptEnd {
    process.print("starting\n");
    process.hang();
  });
  scene.pool.provision(scene.candidates.provisioned, 10);
  scene.world.await_log("starting");
  scene.pool.stop();
  CHECK(scene.pool.snapshots().empty());
  CHECK(scene.world.launcher.living() == 0);
  scene.pool.provision(scene.candidates.provisioned, 1);
  CHECK(scene.pool.snapshots().empty());
}
