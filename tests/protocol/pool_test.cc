#include "emulator/environment/pool.h"

#include "tests/support/environment_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <set>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

std::function<std::string()> numbered() {
  return
      [count = std::make_shared<std::atomic<int>>(0)] { return "env-" + std::to_string(++*count); };
}

// Answers only once the gate is open.
struct Gate {
  std::promise<void> opened;
  std::shared_future<void> open = opened.get_future().share();
};

tests::Script gated(Gate& gate, std::atomic<int>& arrived) {
  return [&](ScriptedProcess& process) -> ScriptEnd {
    process.serve([&](const tests::HttpAnswer& next) {
      ++arrived;
      gate.open.wait();
      return next.body;
    });
  };
}

ScriptEnd echo(ScriptedProcess& process) {
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

const ServingTerms kWithLog{.release_at = ReleaseAt::report};

}  // namespace

TEST_CASE("an idle environment is reused before a new one is started") {
  EnvironmentWorld world(echo);
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(pool.serve(spec, next_invocation("id-" + std::to_string(i)), {}));
  }
  CHECK(world.launcher.launches() == 1);
  CHECK(pool.snapshots().size() == 1);
}

TEST_CASE("a further environment is started when all are busy, and no invocation is given twice") {
  EnvironmentWorld world(echo);
  Gate gate;
  std::atomic<int> arrived = 0;
  EnvironmentWorld busy(gated(gate, arrived));
  Pool pool({}, busy.world, numbered());
  const auto spec = busy.spec();
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 4; ++i) {
    answers.push_back(std::async(std::launch::async, [&, i] {
      const auto payload = std::to_string(i);
      const auto served = pool.serve(spec, next_invocation("id-" + payload, payload), kWithLog);
      return std::get<Responded>(served->outcome).body;
    }));
  }
  while (arrived < 4) std::this_thread::yield();
  CHECK(busy.launcher.launches() == 4);
  gate.opened.set_value();
  for (int i = 0; i < 4; ++i) {
    CHECK(answers[static_cast<std::size_t>(i)].get() == std::to_string(i));
  }
}

TEST_CASE("beyond the allowed concurrency a caller is refused, and served again afterwards") {
  Gate gate;
  std::atomic<int> arrived = 0;
  EnvironmentWorld world(gated(gate, arrived));
  Pool pool({.concurrency = {.account = 1}}, world.world, numbered());
  const auto spec = world.spec();
  auto first = std::async(std::launch::async,
                          [&] { return pool.serve(spec, next_invocation("id-1"), kWithLog); });
  while (arrived < 1) std::this_thread::yield();
  CHECK_FALSE(pool.serve(spec, next_invocation("id-2"), kWithLog));
  gate.opened.set_value();
  CHECK(first.get());
  CHECK(pool.serve(spec, next_invocation("id-3"), kWithLog));
}

TEST_CASE("the most recently used environment serves first") {
  Gate gate;
  std::atomic<int> arrived = 0;
  EnvironmentWorld world(gated(gate, arrived));
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  auto other = std::async(std::launch::async,
                          [&] { return pool.serve(spec, next_invocation("id-1"), kWithLog); });
  auto another = std::async(std::launch::async,
                            [&] { return pool.serve(spec, next_invocation("id-2"), kWithLog); });
  while (arrived < 2) std::this_thread::yield();
  gate.opened.set_value();
  other.get();
  another.get();
  for (int i = 0; i < 5; ++i) REQUIRE(pool.serve(spec, next_invocation("id"), kWithLog));
  std::multiset<std::uint64_t> served;
  for (const auto& snapshot : pool.snapshots()) served.insert(snapshot.invocations);
  CHECK(served == std::multiset<std::uint64_t>{1, 6});
}

TEST_CASE("a retired environment's successor is a cold start") {
  EnvironmentWorld world(echo);
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  REQUIRE(pool.serve(spec, next_invocation("id-1"), kWithLog));
  CHECK_FALSE(pool.retire("env-unknown"));
  CHECK(pool.retire("env-1"));
  REQUIRE(pool.serve(spec, next_invocation("id-2"), kWithLog));
  CHECK(world.launcher.launches() == 2);
  CHECK(world.reports()[1].init_duration.has_value());
}

TEST_CASE("an environment that idles beyond the timeout is retired") {
  EnvironmentWorld world(echo);
  Pool pool({.idle_timeout = 0ms}, world.world, numbered());
  REQUIRE(pool.serve(world.spec(), next_invocation("id-1"), kWithLog));
  while (!pool.snapshots().empty() || world.launcher.living() > 0) std::this_thread::yield();
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("stopping ends running invocations and refuses later ones") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.next();
    process.print("here\n");
    process.hang();
  });
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  auto running = std::async(std::launch::async,
                            [&] { return pool.serve(spec, next_invocation("id-1"), kWithLog); });
  world.await_log("here");
  pool.stop();
  const auto served = running.get();
  REQUIRE(served);
  CHECK(std::holds_alternative<RuntimeExited>(served->outcome));
  CHECK_FALSE(pool.serve(spec, next_invocation("id-2"), kWithLog));
  CHECK(world.launcher.living() == 0);
}

TEST_CASE("stopping does not wait for a runtime that is still starting") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.print("starting\n");
    process.hang();
  });
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  auto running =
      std::async(std::launch::async, [&] { return pool.serve(spec, next_invocation("id-1"), {}); });
  world.await_log("starting");
  pool.stop();
  const auto served = running.get();
  REQUIRE(served);
  CHECK(std::holds_alternative<RuntimeExited>(served->outcome));
  CHECK(world.launcher.launches() == 1);
  CHECK(world.launcher.living() == 0);
}

TEST_CASE("an event is refused at once like a request, and served when there is room") {
  Gate gate;
  std::atomic<int> arrived = 0;
  EnvironmentWorld world(gated(gate, arrived));
  Pool pool({.concurrency = {.account = 1}}, world.world, numbered());
  const auto spec = world.spec();
  auto first = std::async(std::launch::async,
                          [&] { return pool.serve(spec, next_invocation("id-1"), kWithLog); });
  while (arrived < 1) std::this_thread::yield();
  const ServingTerms event{.release_at = ReleaseAt::report, .kind = InvocationKind::event};
  const auto refused = pool.serve(spec, next_invocation("id-2"), event);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::account_exceeded);
  gate.opened.set_value();
  CHECK(first.get());
  CHECK(pool.serve(spec, next_invocation("id-3"), event));
}

TEST_CASE("a function with nothing reserved is refused, and served again without the reservation") {
  EnvironmentWorld world(echo);
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  pool.set_reserved("f", 0);
  const auto refused = pool.serve(spec, next_invocation("id-1"), kWithLog);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::reserved_exceeded);
  CHECK(world.launcher.launches() == 0);
  pool.set_reserved("f", std::nullopt);
  CHECK(pool.serve(spec, next_invocation("id-2"), kWithLog));
}

TEST_CASE("a new environment counts for how fast a function scales, one that idles does not") {
  emulator::time::VirtualTime time(std::chrono::system_clock::time_point{1'768'262'400s});
  EnvironmentWorld world(echo, time);
  Pool pool({.concurrency = {.scaling_burst = 1, .scaling_window = 10s}}, world.world, numbered());
  const auto spec = world.spec();
  for (int i = 0; i < 3; ++i) REQUIRE(pool.serve(spec, next_invocation("id"), kWithLog));
  pool.retire_all();
  const auto refused = pool.serve(spec, next_invocation("id-2"), kWithLog);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::account_exceeded);
  CHECK(refused.error().retry_after == 10s);
  REQUIRE(time.advance(10s, [] {}));
  CHECK(pool.serve(spec, next_invocation("id-3"), kWithLog));
}

TEST_CASE("requests beyond a function's rate are refused until the clock has gone on") {
  emulator::time::VirtualTime time(std::chrono::system_clock::time_point{1'768'262'400s});
  EnvironmentWorld world(echo, time);
  Pool pool({}, world.world, numbered());
  pool.set_reserved("f", 1);
  const auto spec = world.spec();
  for (int i = 0; i < 10; ++i) REQUIRE(pool.serve(spec, next_invocation("id"), kWithLog));
  const auto refused = pool.serve(spec, next_invocation("id-2"), kWithLog);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::reserved_rate);
  CHECK(refused.error().retry_after == 100ms);
  REQUIRE(time.advance(refused.error().retry_after, [] {}));
  CHECK(pool.serve(spec, next_invocation("id-3"), kWithLog));
}

TEST_CASE(
    "environments that idle for one function make way for another's, the longest idle first") {
  emulator::time::VirtualTime time(std::chrono::system_clock::time_point{1'768'262'400s});
  EnvironmentWorld world(echo, time);
  Pool pool({.concurrency = {.account = 2}}, world.world, numbered());
  const std::vector<Pool::Spec> specs = {world.spec(), world.spec(), world.spec()};
  REQUIRE(pool.serve(specs[0], next_invocation("id-1"), kWithLog));
  REQUIRE(pool.serve(specs[1], next_invocation("id-2"), kWithLog));
  REQUIRE(pool.serve(specs[2], next_invocation("id-3"), kWithLog));
  const auto snapshots = pool.snapshots();
  REQUIRE(snapshots.size() == 2);
  CHECK(snapshots[0].id == "env-2");
  CHECK(snapshots[1].id == "env-3");
}
