// The snapshots that the pool keeps of versions with SnapStart.
#include "emulator/environment/pool.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <string>
#include <thread>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

using State = VersionStatus::State;
const ServingTerms kWithLog{.release_at = ReleaseAt::report};

template <class Condition>
void await(const Condition& condition) {
  while (!condition()) std::this_thread::yield();
}

ScriptEnd restorable(ScriptedProcess& process) {
  process.restore_next();
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

struct Scene {
  explicit Scene(tests::Script script, PoolLimits limits = {})
      : world(std::move(script)),
        pool(limits, world.world, [this] { return "env-" + std::to_string(++made); }) {}

  tl::expected<Served, Throttled> serve(const std::string& id) {
    return pool.serve(spec, next_invocation(id), kWithLog);
  }
  State state() const { return pool.version_status(spec).state; }
  void keep() {
    pool.keep_snapshot(spec);
    pool.await_settled();
  }

  std::atomic<int> made = 0;
  EnvironmentWorld world;
  Pool::Spec spec = world.snap_start_spec();
  Pool pool;
};

}  // namespace

TEST_CASE("a version's snapshot is made ahead, and another one when it is taken", "[restore]") {
  Scene scene(restorable);
  CHECK(scene.state() == State::none);
  scene.keep();
  CHECK(scene.state() == State::active);
  CHECK(scene.made == 1);
  // It is nobody's concurrency.
  CHECK(scene.pool.concurrency_use().in_flight == 0);

  REQUIRE(scene.serve("id-1"));
  scene.pool.await_settled();
  CHECK(scene.made == 2);
  CHECK_FALSE(scene.world.reports().at(0).init_duration);
  // The one that was restored is warm.
  REQUIRE(scene.serve("id-2"));
  scene.pool.await_settled();
  CHECK(scene.made == 2);
  CHECK_FALSE(scene.world.reports().at(1).restore_duration);
}

TEST_CASE("a version cannot be invoked until its first snapshot is there", "[restore]") {
  std::atomic<bool> held = true;
  Scene scene([&](ScriptedProcess& process) -> ScriptEnd {
    await([&] { return !held.load(); });
    return restorable(process);
  });
  scene.pool.keep_snapshot(scene.spec);
  CHECK(scene.state() == State::pending);
  held = false;
  scene.pool.await_settled();
  CHECK(scene.state() == State::active);
}

TEST_CASE("a first snapshot that fails is told with its error, and not made again by itself",
          "[restore]") {
  std::atomic<bool> broken = true;
  Scene scene([&](ScriptedProcess& process) -> ScriptEnd {
    if (broken) return {.code = 3, .signal = {}};
    return restorable(process);
  });
  scene.keep();
  CHECK(scene.state() == State::failed);
  CHECK(error_type(*scene.pool.version_status(scene.spec).failure) == "Runtime.ExitError");
  CHECK(scene.world.launcher.launches() == 1);
  CHECK(scene.world.log().starts_with("INIT_REPORT"));
  broken = false;
  scene.keep();
  CHECK(scene.state() == State::active);
}

TEST_CASE("what starts beside a taken snapshot makes its own", "[restore]") {
  std::atomic<int> running = 0;
  Scene scene([&](ScriptedProcess& process) -> ScriptEnd {
    process.restore_next();
    process.serve([&](const tests::HttpAnswer&) {
      ++running;
      await([&] { return running >= 3; });
      return std::string("{}");
    });
  });
  scene.keep();
  std::vector<std::future<tl::expected<Served, Throttled>>> all;
  for (const auto* id : {"a", "b", "c"}) {
    all.push_back(std::async(std::launch::async, [&scene, id] { return scene.serve(id); }));
  }
  for (auto& one : all) {
    const auto served = one.get();
    REQUIRE(served);
    CHECK(succeeded(served->outcome));
  }
  for (const auto& report : scene.world.reports()) CHECK_FALSE(report.init_duration);
}

TEST_CASE("an environment that lost its processes makes way for the snapshot", "[restore]") {
  std::atomic<int> invocations = 0;
  Scene scene([&](ScriptedProcess& process) -> ScriptEnd {
    process.restore_next();
    if (++invocations == 1) {
      process.next();
      return {.code = 9, .signal = {}};
    }
    process.serve([](const tests::HttpAnswer& next) { return next.body; });
  });
  scene.keep();
  const auto died = scene.serve("id-1");
  REQUIRE(died);
  CHECK(error_type(died->outcome) == "Runtime.ExitError");
  scene.pool.await_settled();
  const auto left = scene.pool.snapshots();
  REQUIRE(left.size() == 1);
  CHECK(left[0].id == "env-2");
  const auto served = scene.serve("id-2");
  CHECK(succeeded(served->outcome));
  CHECK(served->report->restore_duration);
}

TEST_CASE("a snapshot that dies in its sleep is made again, and not for ever", "[restore]") {
  Scene scene(restorable);
  scene.keep();
  for (std::size_t death = 0; death < kMaxIdleLosses; ++death) {
    const auto launches = scene.world.launcher.launches();
    scene.world.launcher.kill_newest();
    await([&] { return scene.world.launcher.launches() > launches; });
    scene.pool.await_settled();
  }
  CHECK(scene.pool.snapshots().size() == 1);
  scene.world.launcher.kill_newest();
  await([&] { return scene.pool.snapshots().empty(); });
  scene.pool.await_settled();
  // It had one, so it can be invoked.
  CHECK(scene.state() == State::active);
  CHECK(succeeded(scene.serve("id-1")->outcome));
}

TEST_CASE("a snapshot idles for ever, makes way for nobody, and goes with its version",
          "[restore]") {
  Scene scene(restorable, {.concurrency = {.account = 1}, .idle_timeout = 0ms});
  scene.keep();
  const auto other = scene.world.spec();
  const auto plain = std::make_shared<EnvironmentSpec>(snap_start_variant(*other));
  REQUIRE(scene.pool.serve(Pool::Spec(plain), next_invocation("o"), kWithLog));
  scene.pool.await_settled();
  CHECK(scene.state() == State::active);
  scene.pool.retire_version(scene.spec);
  scene.pool.retire_version(plain);
  scene.pool.await_settled();
  CHECK(scene.state() == State::none);
  CHECK(scene.pool.snapshots().empty());
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("a snapshot that is retired by its id, or with all others, is made again", "[restore]") {
  Scene scene(restorable);
  scene.keep();
  CHECK(scene.pool.retire("env-1"));
  scene.pool.await_settled();
  REQUIRE(scene.pool.snapshots().size() == 1);
  CHECK(scene.pool.snapshots()[0].id == "env-2");
  scene.pool.retire_all();
  scene.pool.await_settled();
  REQUIRE(scene.pool.snapshots().size() == 1);
  CHECK(scene.pool.snapshots()[0].initialization == Initialization::snap_start);
}

TEST_CASE("a pool that stops while a snapshot is made leaves nothing", "[restore]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd { process.hang(); });
  Pool pool({}, world.world, [] { return std::string("env"); });
  pool.keep_snapshot(world.snap_start_spec());
  await([&] { return world.launcher.launches() == 1; });
  pool.stop();
  CHECK(world.launcher.living() == 0);
}
