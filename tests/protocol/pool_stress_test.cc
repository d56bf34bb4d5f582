// Many callers, runtimes that fail in every way they can, and hands from outside that kill, retire
// and look. What is left to chance comes from the seed that Catch2 prints and takes back.
#include "emulator/environment/pool.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

constexpr int kCallers = 8;
constexpr int kCalls = 60;

std::uint64_t draw(std::uint64_t about) {
  std::mt19937_64 generator(Catch::getSeed() * 1'000'003ULL + about);
  return generator();
}

std::uint64_t draw(const std::string& about) { return draw(std::hash<std::string>{}(about)); }

// Who was handed which invocation.
class Deliveries {
 public:
  void note(const std::string& id, int launch) {
    const std::lock_guard lock(mutex_);
    given_[id].push_back(launch);
  }
  bool each_at_most_once() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [_, launches] : given_) {
      if (launches.size() > 1) return false;
    }
    return !given_.empty();
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<int>> given_;
};

// One turn of a runtime; an end of the process when it has one.
std::optional<ScriptEnd> turn(ScriptedProcess& process, Deliveries& deliveries) {
  const auto next = process.next();
  if (next.status != 200) return ScriptEnd{.code = 1, .signal = {}};
  const auto id = ScriptedProcess::id_of(next);
  deliveries.note(id, process.launch_number());
  switch (draw(id) % 16) {
    case 0:
      return ScriptEnd{.code = 3, .signal = {}};
    case 1:
      return ScriptEnd{.code = {}, .signal = 11};
    case 2:
      process.respond(id, next.body);
      return ScriptEnd{.code = 0, .signal = {}};
    case 3:
      process.hang();
    case 4:
      process.respond(id, next.body);
      process.hang();
    case 5:
    case 6:
      process.post("/2018-06-01/runtime/invocation/" + id + "/error",
                   next.body,
                   {{"Lambda-Runtime-Function-Error-Type", "Runtime.Random"}});
      return std::nullopt;
    default:
      process.print(id + "\n");
      process.respond(id, next.body);
      return std::nullopt;
  }
}

ScriptEnd live(ScriptedProcess& process, Deliveries& deliveries) {
  switch (draw(static_cast<std::uint64_t>(process.launch_number())) % 12) {
    case 0:
      return {.code = 1, .signal = {}};
    case 1:
      process.post("/2018-06-01/runtime/init/error", "{}");
      return {.code = 1, .signal = {}};
    default:
      break;
  }
  while (true) {
    if (const auto end = turn(process, deliveries)) return *end;
  }
}

// What somebody outside does now and then: the kernel, the developer, a page that shows the pool.
void meddle(Pool& pool,
            const Pool::Candidates& candidates,
            EnvironmentWorld& world,
            const std::string& id) {
  const auto chance = draw("meddling at " + id);
  if (chance % 5 == 0) world.launcher.kill_any(static_cast<std::size_t>(chance / 5));
  if (chance % 41 == 0) pool.retire_all();
  if (chance % 29 == 0) pool.provision(candidates.provisioned, chance / 29 % 4);
  if (chance % 31 == 0) pool.set_reserved("f", chance / 31 % 5 + 3);
  if (chance % 37 == 0) pool.set_reserved("f", std::nullopt);
  if (chance % 43 == 0) pool.retire_version(candidates.on_demand);
  if (chance % 7 != 0) return;
  const auto snapshots = pool.snapshots();
  if (!snapshots.empty()) pool.retire(snapshots.front().id);
}

struct Scene {
  Deliveries deliveries;
  EnvironmentWorld world{[this](ScriptedProcess& process) { return live(process, deliveries); }};
  std::atomic<std::size_t> served = 0;
  std::atomic<int> wrong = 0;
};

// Calls one after the other.
void call(Scene& scene, Pool& pool, const Pool::Candidates& candidates, int caller) {
  for (int i = 0; i < kCalls; ++i) {
    const auto id = std::to_string(caller) + "-" + std::to_string(i);
    meddle(pool, candidates, scene.world, id);
    const auto chance = draw("terms of " + id);
    ServingTerms terms;
    if (chance % 2 == 0) terms.release_at = ReleaseAt::report;
    if (chance % 3 == 0) terms.kind = InvocationKind::event;
    const auto served = pool.serve(candidates, next_invocation(id, "\"" + id + "\""), terms);
    if (!served) continue;
    ++scene.served;
    const auto* responded = std::get_if<Responded>(&served->outcome);
    if (responded != nullptr && responded->body != "\"" + id + "\"") ++scene.wrong;
  }
}

PoolLimits tight() {
  PoolLimits limits;
  limits.concurrency.account = 6;
  limits.idle_timeout = 3ms;
  limits.settle_grace = 1ms;
  limits.concurrency.requests_per_unit = 0;
  return limits;
}

Pool::Candidates impatient(const EnvironmentWorld& world) {
  auto on_demand = world.spec(30ms);
  auto provisioned = world.provisioned_spec(30ms);
  on_demand->init_limit = provisioned->init_limit = 200ms;
  return {.on_demand = std::move(on_demand), .provisioned = std::move(provisioned)};
}

std::function<std::string()> numbered() {
  return
      [count = std::make_shared<std::atomic<int>>(0)] { return "env-" + std::to_string(++*count); };
}

}  // namespace

TEST_CASE("whatever runtimes do, each call has one outcome and nothing is left behind",
          "[stress]") {
  Scene scene;
  Pool pool(tight(), scene.world.world, numbered());
  const auto candidates = impatient(scene.world);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] { call(scene, pool, candidates, caller); });
  }
  for (auto& caller : callers) caller.join();
  pool.stop();
  CHECK(pool.concurrency_use().in_flight == 0);
  CHECK(scene.wrong == 0);
  CHECK(scene.served > 0);
  CHECK(scene.world.reports().size() == scene.served);
  CHECK(scene.deliveries.each_at_most_once());
  CHECK(pool.snapshots().empty());
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("a pool that is stopped in the middle of it leaves nothing alive", "[stress]") {
  Scene scene;
  for (int round = 0; round < 4; ++round) {
    Pool pool(tight(), scene.world.world, numbered());
    const auto candidates = impatient(scene.world);
    std::vector<std::thread> callers;
    const auto reported = scene.world.reports().size();
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back(
          [&, caller, round] { call(scene, pool, candidates, caller + kCallers * round); });
    }
    scene.world.await_reports(reported + 8);
    pool.stop();
    CHECK(scene.world.launcher.living() == 0);
    for (auto& caller : callers) caller.join();
  }
  CHECK(scene.wrong == 0);
  CHECK(scene.deliveries.each_at_most_once());
}
