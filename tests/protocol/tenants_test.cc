// Tenant isolation: environments of one function that are never shared between tenants.
#include "emulator/environment/pool.h"
#include "emulator/invoke/invoker.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;
using emulator::invoke::InvocationRequest;
using emulator::invoke::Invoker;
using emulator::invoke::Refusal;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

std::function<std::string()> numbered() {
  return
      [count = std::make_shared<std::atomic<int>>(0)] { return "env-" + std::to_string(++*count); };
}

// Answers with the tenant that the runtime was told of.
ScriptEnd name_tenant(ScriptedProcess& process) {
  process.serve([](const tests::HttpAnswer& next) {
    const auto tenant = next.headers.find("lambda-runtime-aws-tenant-id");
    return tenant == next.headers.end() ? "none" : tenant->second;
  });
}

Pool::Spec isolated(const EnvironmentWorld& world) {
  auto spec = world.spec();
  spec->tenant_isolation = TenantIsolation::per_tenant;
  return spec;
}

tl::expected<Served, Throttled> serve(Pool& pool,
                                      const Pool::Spec& spec,
                                      const std::string& id,
                                      const std::string& tenant) {
  auto next = next_invocation(id);
  next.tenant_id = tenant;
  return pool.serve(spec, std::move(next), {.release_at = ReleaseAt::report, .tenant_id = tenant});
}

std::vector<std::string> tenants_of(const Pool& pool) {
  std::vector<std::string> tenants;
  for (const auto& snapshot : pool.snapshots()) tenants.push_back(snapshot.tenant_id);
  return tenants;
}

InvocationRequest request_of(const std::string& function, std::optional<std::string> tenant) {
  InvocationRequest request;
  request.function_name = function;
  request.request_id = "id";
  request.payload = "{}";
  request.tenant_id = std::move(tenant);
  return request;
}

}  // namespace

TEST_CASE("a tenant's environment is reused for that tenant and for no other", "[tenants]") {
  EnvironmentWorld world(name_tenant);
  Pool pool({}, world.world, numbered());
  const auto spec = isolated(world);
  for (const auto* tenant : {"blue", "green", "blue", "green", "blue"}) {
    const auto served = serve(pool, spec, std::string("of ") + tenant, tenant);
    REQUIRE(served);
    CHECK(std::get<Responded>(served->outcome).body == tenant);
    CHECK(served->report->tenant_id == tenant);
  }
  CHECK(world.launcher.launches() == 2);
  CHECK(tenants_of(pool) == std::vector<std::string>{"blue", "green"});
}

TEST_CASE("without isolation a tenant is told to the runtime and shares environments",
          "[tenants]") {
  EnvironmentWorld world(name_tenant);
  Pool pool({}, world.world, numbered());
  const auto spec = world.spec();
  for (const auto* tenant : {"blue", "green"}) {
    CHECK(std::get<Responded>(serve(pool, spec, tenant, tenant)->outcome).body == tenant);
  }
  CHECK(world.launcher.launches() == 1);
  CHECK(tenants_of(pool) == std::vector<std::string>{""});
}

TEST_CASE("an environment that idles for one tenant makes way for another", "[tenants]") {
  EnvironmentWorld world(name_tenant);
  PoolLimits limits;
  limits.concurrency.account = 1;
  Pool pool(limits, world.world, numbered());
  const auto spec = isolated(world);
  for (const auto* tenant : {"blue", "green", "red"}) CHECK(serve(pool, spec, tenant, tenant));
  pool.await_settled();
  CHECK(tenants_of(pool) == std::vector<std::string>{"red"});
}

TEST_CASE("a version that changes takes the environments of all its tenants with it", "[tenants]") {
  EnvironmentWorld world(name_tenant);
  Pool pool({}, world.world, numbered());
  const auto spec = isolated(world);
  CHECK(serve(pool, spec, "1", "blue"));
  CHECK(serve(pool, spec, "2", "green"));
  pool.retire_version(spec);
  CHECK(pool.snapshots().empty());
  CHECK(serve(pool, spec, "3", "blue"));
  CHECK(world.launcher.launches() == 3);
}

TEST_CASE("an invocation names a tenant where tenants are isolated, and nowhere else",
          "[tenants]") {
  EnvironmentWorld world(name_tenant);
  Pool pool({}, world.world, numbered());
  Invoker invoker(pool,
                  emulator::invoke::fixed_targets(
                      {{"apart", {{.on_demand = isolated(world), .provisioned = nullptr}, "arn"}},
                       {"together", {{.on_demand = world.spec(), .provisioned = nullptr}, "arn"}}}),
                  {});
  CHECK(invoker.invoke(request_of("apart", "blue")));
  CHECK(invoker.invoke(request_of("together", std::nullopt)));
  const auto missing = invoker.invoke(request_of("apart", std::nullopt));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == Refusal::Kind::tenant_missing);
  CHECK(missing.error().message ==
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your "
        "request and try again.");
  CHECK(invoker.resolve(request_of("apart", std::nullopt)).error().kind ==
        Refusal::Kind::tenant_missing);
  CHECK(invoker.resolve(request_of("together", "blue")).error().kind ==
        Refusal::Kind::tenant_unexpected);
  CHECK(invoker.resolve(request_of("apart", "blue")));
}

namespace {

// Which tenants each process has served.
class Encounters {
 public:
  void note(int launch, const std::string& tenant) {
    const std::lock_guard lock(mutex_);
    tenants_[launch].insert(tenant);
  }
  bool never_shared() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [_, tenants] : tenants_) {
      if (tenants.size() > 1) return false;
    }
    return !tenants_.empty();
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, std::set<std::string>> tenants_;
};

ScriptEnd live_for(ScriptedProcess& process, Encounters& encounters) {
  for (int turn = 0;; ++turn) {
    const auto next = process.next();
    if (next.status != 200) return {.code = 1, .signal = {}};
    encounters.note(process.launch_number(), next.headers.at("lambda-runtime-aws-tenant-id"));
    // Some die while they serve, so that environments are reset too.
    if ((process.launch_number() + turn) % 11 == 10) return {.code = 3, .signal = {}};
    process.respond(ScriptedProcess::id_of(next), next.body);
  }
}

}  // namespace

TEST_CASE("whatever the schedule, no environment ever meets two tenants", "[tenants]") {
  constexpr int kCallers = 6;
  constexpr int kCalls = 40;
  Encounters encounters;
  EnvironmentWorld world([&](ScriptedProcess& process) { return live_for(process, encounters); });
  PoolLimits limits;
  limits.concurrency.account = 4;
  limits.concurrency.requests_per_unit = 0;
  limits.settle_grace = 1ms;
  Pool pool(limits, world.world, numbered());
  const auto spec = isolated(world);
  std::map<std::string, std::string> tenant_of_environment;
  std::mutex mutex;
  std::atomic<int> moved = 0;
  const auto look = [&] {
    for (const auto& snapshot : pool.snapshots()) {
      const std::lock_guard lock(mutex);
      const auto& [known, _] =
          *tenant_of_environment.emplace(snapshot.id, snapshot.tenant_id).first;
      if (tenant_of_environment.at(known) != snapshot.tenant_id) ++moved;
    }
  };
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      std::mt19937 random(Catch::getSeed() + static_cast<std::uint32_t>(caller));
      for (int call = 0; call < kCalls; ++call) {
        const auto tenant = "tenant-" + std::to_string(random() % 5);
        const auto id = std::to_string(caller) + "-" + std::to_string(call);
        // A refusal is an answer too: what is told here is only who met whom.
        static_cast<void>(serve(pool, spec, id, tenant));
        if (random() % 16 == 0) look();
        if (random() % 32 == 0) pool.retire_all();
      }
    });
  }
  callers.clear();
  pool.stop();
  CHECK(encounters.never_shared());
  CHECK(moved == 0);
}
