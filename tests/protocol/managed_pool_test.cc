// How many environments a version on Managed Instances has: kept, scaled out and in, and gone.
#include "emulator/environment/pool.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <set>
#include <string>
#include <thread>

using namespace emulator::environment;
using namespace std::chrono_literals;
using emulator::time::VirtualTime;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

constexpr std::chrono::system_clock::time_point kStart{1'768'262'400s};
constexpr auto kIdleTimeout = 10min;

template <class Condition>
void await(const Condition& condition) {
  while (!condition()) std::this_thread::yield();
}

// Runtimes that park one call each, and hold what they are given until they are told to answer.
struct Scene {
  ScriptEnd run(ScriptedProcess& process) {
    await([this] { return !init_held.load(); });
    if (init_fails) return {.code = 3, .signal = {}};
    process.serve([this](const tests::HttpAnswer& next) {
      ++given;
      await([this] { return answering.load(); });
      return next.body;
    });
  }

  void keep(std::size_t least, std::size_t most) {
    pool.keep(spec, ManagedScale{.min_environments = least, .max_environments = most});
    pool.await_settled();
  }
  VersionStatus::State state() const { return pool.status(spec).state; }
  auto serve(const std::string& id) { return pool.serve(spec, next_invocation(id), {}); }
  auto serve_elsewhere(const std::string& id) {
    return std::async(std::launch::async, [this, id] { return serve(id).has_value(); });
  }
  void pass(std::chrono::milliseconds by) {
    REQUIRE(time.advance(by, [this] { pool.await_settled(); }));
  }
  std::set<std::string> ids() const {
    std::set<std::string> ids;
    for (const auto& snapshot : pool.snapshots()) ids.insert(snapshot.id);
    return ids;
  }

  std::atomic<int> given = 0;
  std::atomic<bool> answering = true;
  std::atomic<bool> init_held = false;
  std::atomic<bool> init_fails = false;
  std::atomic<int> made = 0;
  VirtualTime time{kStart};
  EnvironmentWorld world{[this](ScriptedProcess& process) { return run(process); }, time};
  ManagedPool::Spec spec =
      std::make_shared<const EnvironmentSpec>(managed_variant(*world.spec(), {.told = "1"}));
  ManagedPool pool{world.world, [this] { return "env-" + std::to_string(++made); }, kIdleTimeout};
};

}  // namespace

TEST_CASE("an environment beyond the least is let go when it has idled", "[managed]") {
  Scene scene;
  scene.answering = false;
  scene.keep(1, 2);
  auto first = scene.serve_elsewhere("id-1");
  await([&] { return scene.given == 1; });
  auto second = scene.serve_elsewhere("id-2");
  await([&] { return scene.given == 2; });
  CHECK(scene.serve("id-3").error().reason == ThrottleReason::no_idle_poll);
  // It does not idle while it serves.
  scene.pass(2 * kIdleTimeout);
  CHECK(scene.ids() == std::set<std::string>{"env-1", "env-2"});
  scene.answering = true;
  CHECK(first.get());
  CHECK(second.get());
  scene.pass(kIdleTimeout - 1ms);
  CHECK(scene.ids() == std::set<std::string>{"env-1", "env-2"});
  scene.pass(1ms);
  CHECK(scene.ids() == std::set<std::string>{"env-1"});
  scene.pass(10 * kIdleTimeout);
  CHECK(scene.ids() == std::set<std::string>{"env-1"});
}

TEST_CASE("a version has as many environments as it is told to keep", "[managed]") {
  Scene scene;
  scene.keep(2, 2);
  const auto both = scene.ids();
  CHECK(both == std::set<std::string>{"env-1", "env-2"});
  scene.keep(1, 1);
  CHECK(scene.ids().size() == 1);
  CHECK(both.contains(*scene.ids().begin()));
  // Nothing but an invocation makes the further ones that it may have.
  scene.keep(1, 3);
  CHECK(scene.made == 2);
  scene.keep(0, 0);
  CHECK(scene.ids().empty());
  CHECK(scene.serve("id-1").error().reason == ThrottleReason::no_idle_poll);
  scene.keep(1, 1);
  CHECK(scene.ids() == std::set<std::string>{"env-3"});
  CHECK(scene.serve("id-2"));
}

TEST_CASE("an environment that is no longer wanted goes when it has served", "[managed]") {
  Scene scene;
  scene.answering = false;
  scene.keep(1, 1);
  auto served = scene.serve_elsewhere("id-1");
  await([&] { return scene.given == 1; });
  scene.keep(0, 0);
  CHECK(scene.ids() == std::set<std::string>{"env-1"});
  scene.answering = true;
  CHECK(served.get());
  scene.pool.await_settled();
  CHECK(scene.ids().empty());
}

TEST_CASE("of a version that was retired nothing stays", "[managed]") {
  Scene scene;
  scene.keep(1, 3);
  CHECK(scene.pool.versions() == 1);
  scene.pool.retire_version(scene.spec);
  scene.pool.await_settled();
  CHECK(scene.ids().empty());
  CHECK(scene.pool.versions() == 0);
  // A caller who held it still is served; what that takes is not kept.
  CHECK(scene.serve("id-1"));
  CHECK(scene.pool.versions() == 1);
  scene.pass(kIdleTimeout);
  CHECK(scene.ids().empty());
  CHECK(scene.pool.versions() == 0);
}

TEST_CASE("of a version that is not kept and cannot start nothing stays", "[managed]") {
  Scene scene;
  EnvironmentWorld broken([](ScriptedProcess&) { return ScriptEnd{.code = 3, .signal = {}}; });
  ManagedPool pool(
      broken.world, [] { return "env"; }, kIdleTimeout);
  const auto served = pool.serve(scene.spec, next_invocation("id-1"), {});
  REQUIRE(served);
  CHECK(error_type(served->outcome) == "Runtime.ExitError");
  CHECK(pool.versions() == 0);
}

TEST_CASE("a version is pending until its least environments are there, once", "[managed]") {
  using State = VersionStatus::State;
  Scene scene;
  CHECK(scene.state() == State::none);
  scene.init_held = true;
  scene.pool.keep(scene.spec, ManagedScale{.min_environments = 2, .max_environments = 3});
  CHECK(scene.state() == State::pending);
  scene.init_held = false;
  scene.pool.await_settled();
  CHECK(scene.state() == State::active);
  // What is asked for later is made beside what serves already.
  scene.init_held = true;
  scene.pool.keep(scene.spec, ManagedScale{.min_environments = 3, .max_environments = 3});
  CHECK(scene.state() == State::active);
  scene.init_held = false;
  scene.pool.retire_version(scene.spec);
  scene.pool.await_settled();
  CHECK(scene.state() == State::none);
}

TEST_CASE("a version whose first Init fails has failed, until an Init succeeds", "[managed]") {
  using State = VersionStatus::State;
  Scene scene;
  scene.init_fails = true;
  scene.keep(1, 1);
  CHECK(scene.state() == State::failed);
  CHECK(error_type(*scene.pool.status(scene.spec).failure) == "Runtime.ExitError");
  scene.init_fails = false;
  CHECK(scene.serve("id-1"));
  CHECK(scene.state() == State::active);
}

TEST_CASE("a version that is to have no environment waits for none", "[managed]") {
  Scene scene;
  scene.keep(0, 1);
  CHECK(scene.state() == VersionStatus::State::active);
}
