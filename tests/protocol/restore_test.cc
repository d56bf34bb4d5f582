// An environment with SnapStart: its Init, its restore, and how that may fail.
#include "emulator/environment/environment.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <regex>
#include <string>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

const ServingTerms kWithLog{.release_at = ReleaseAt::report};
const std::string kRestoreError = "/2018-06-01/runtime/restore/error";

std::shared_ptr<Environment> make(EnvironmentWorld& world,
                                  std::shared_ptr<const EnvironmentSpec> spec) {
  return std::make_shared<Environment>("env-1", std::move(spec), world.world, [](Environment&) {});
}

ScriptEnd echo(ScriptedProcess& process) {
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

// What AWS's clients do: hooks, the wait, other hooks, invocations.
ScriptEnd with_hooks(ScriptedProcess& process) {
  process.print("before\n");
  const auto restored = process.restore_next();
  CHECK(restored.status == 200);
  CHECK(restored.body.empty());
  process.print("after\n");
  return echo(process);
}

std::string without_times(std::string log) {
  log = std::regex_replace(log, std::regex("[0-9]+\\.[0-9]{2} ms"), "<t> ms");
  return std::regex_replace(log, std::regex("(Billed[ A-Za-z]*: )[0-9]+ ms"), "$1<n> ms");
}

const RestoreFailed& unrestored(const Served& served) {
  REQUIRE(std::holds_alternative<RestoreFailed>(served.outcome));
  return std::get<RestoreFailed>(served.outcome);
}

template <class Condition>
void await(const Condition& condition) {
  while (!condition()) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a snapshot is frozen, restored for its first invocation and then like any other",
          "[restore]") {
  EnvironmentWorld world(with_hooks);
  auto spec = world.snap_start_spec();
  spec->freezing = Freezing::on;
  spec->runtime_version = "java:21.v0";
  spec->runtime_version_arn = "arn:of:it";
  const auto environment = make(world, spec);
  REQUIRE_FALSE(environment->initialise_provisioned());
  await([&] { return world.launcher.machine().frozen.load(); });
  CHECK(without_times(world.log()) ==
        "INIT_START Runtime Version: java:21.v0\tRuntime Version ARN: arn:of:it\n"
        "before\nINIT_REPORT Init Duration: <t> ms\n");

  const auto served = environment->serve(next_invocation("id-1", "[1]"), kWithLog);
  CHECK(std::get<Responded>(served.outcome).body == "[1]");
  CHECK(world.launcher.machine().thaws == 1);
  environment->serve(next_invocation("id-2"), kWithLog);
  CHECK(without_times(world.log()) ==
        "INIT_START Runtime Version: java:21.v0\tRuntime Version ARN: arn:of:it\n"
        "before\nINIT_REPORT Init Duration: <t> ms\n"
        "RESTORE_START Runtime Version: java:21.v0\tRuntime Version ARN: arn:of:it\n"
        "after\nRESTORE_REPORT Restore Duration: <t> ms\n"
        "START RequestId: id-1 Version: $LATEST\nEND RequestId: id-1\n"
        "REPORT RequestId: id-1\tDuration: <t> ms\tBilled Duration: <n> ms\tMemory Size: 128 MB"
        "\tMax Memory Used: 20 MB\tRestore Duration: <t> ms\tBilled Restore Duration: <n> ms\t\n"
        "START RequestId: id-2 Version: $LATEST\nEND RequestId: id-2\n"
        "REPORT RequestId: id-2\tDuration: <t> ms\tBilled Duration: <n> ms\tMemory Size: 128 MB"
        "\tMax Memory Used: 20 MB\t\n");
  const auto first = world.reports().at(0);
  CHECK_FALSE(first.init_duration);
  REQUIRE(first.restore_duration);
  CHECK(*first.billed_restore_duration <= *first.restore_duration);
  CHECK_FALSE(world.reports().at(1).restore_duration);
}

TEST_CASE("an invocation that finds no snapshot waits for one, which is not billed to it",
          "[restore]") {
  EnvironmentWorld world(with_hooks);
  const auto environment = make(world, world.snap_start_spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(succeeded(served.outcome));
  CHECK(world.launcher.launches() == 1);
  CHECK_FALSE(world.reports().at(0).init_duration);
  CHECK(world.reports().at(0).restore_duration);
  CHECK(without_times(world.log())
            .starts_with("before\nINIT_REPORT Init Duration: <t> ms\nRESTORE_START\nafter\n"));
}

TEST_CASE("a runtime that knows nothing of snapshots is restored as well", "[restore]") {
  EnvironmentWorld world(echo);
  const auto environment = make(world, world.snap_start_spec());
  REQUIRE_FALSE(environment->initialise_provisioned());
  CHECK(succeeded(environment->serve(next_invocation("id-1"), kWithLog).outcome));
  CHECK(world.log().find("RESTORE_REPORT") != std::string::npos);
}

TEST_CASE("credentials are fetched, and are no variables", "[restore]") {
  std::string fetched;
  std::string refused;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    CHECK_FALSE(process.has_variable("AWS_ACCESS_KEY_ID"));
    CHECK_FALSE(process.has_variable("AWS_LAMBDA_LOG_STREAM_NAME"));
    CHECK(process.variable("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start");
    CHECK(process.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") ==
          "http://" + process.variable("AWS_LAMBDA_RUNTIME_API") + "/2021-04-23/credentials");
    const auto token = process.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    fetched = process.get("/2021-04-23/credentials", {{"Authorization", token}}).body;
    refused = process.get("/2021-04-23/credentials").body;
    return with_hooks(process);
  });
  auto on_demand = world.spec();
  on_demand->variables = {{"AWS_ACCESS_KEY_ID", "AKIA"},
                          {"AWS_SECRET_ACCESS_KEY", "secret"},
                          {"AWS_SESSION_TOKEN", "token"}};
  const auto spec = std::make_shared<EnvironmentSpec>(snap_start_variant(*on_demand));
  const auto environment = make(world, spec);
  REQUIRE_FALSE(environment->initialise_provisioned());
  CHECK(fetched.starts_with(
      R"({"AccessKeyId":"AKIA","SecretAccessKey":"secret","Token":"token","Expiration":"2)"));
  CHECK(refused == "cannot get credentials for the provided token\n");
}

TEST_CASE("without SnapStart its calls are unknown", "[restore]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    CHECK(process.restore_next().status == 404);
    CHECK(process.post(kRestoreError, "{}").status == 404);
    CHECK(process.get("/2021-04-23/credentials", {{"Authorization", ""}}).status == 404);
    CHECK_FALSE(process.has_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    return echo(process);
  });
  const auto environment = make(world, world.spec());
  CHECK(succeeded(environment->serve(next_invocation("id-1"), kWithLog).outcome));
}

TEST_CASE("hooks that report an error leave the invocation unserved", "[restore]") {
  std::atomic<bool> broken = true;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    process.restore_next();
    if (!broken) return echo(process);
    CHECK(process
              .post(kRestoreError,
                    R"({"errorMessage":"no socket"})",
                    {{"Lambda-Runtime-Function-Error-Type", "Runtime.AfterRestoreError"}})
              .status == 202);
    return {.code = 64, .signal = {}};
  });
  const auto environment = make(world, world.snap_start_spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(unrestored(served).kind == RestoreFailed::Kind::failed);
  CHECK(unrestored(served).error_type == "Runtime.AfterRestoreError");
  CHECK(unrestored(served).reason == R"({"errorMessage":"no socket"})");
  CHECK(without_times(world.log()) ==
        "INIT_REPORT Init Duration: <t> ms\nRESTORE_START\n"
        "RESTORE_REPORT Restore Duration: <t> ms\tStatus: error\tError Type: "
        "Runtime.AfterRestoreError\n");
  CHECK(environment->phase() == Phase::reset);
  broken = false;
  CHECK(succeeded(environment->serve(next_invocation("id-2"), kWithLog).outcome));
}

TEST_CASE("hooks that go on beyond the limit leave the invocation unserved", "[restore]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.restore_next();
    process.hang();
  });
  auto spec = world.snap_start_spec();
  spec->restore_limit = 0ms;
  const auto environment = make(world, spec);
  const auto served = environment->serve(next_invocation("id-1"), {});
  CHECK(unrestored(served).kind == RestoreFailed::Kind::timed_out);
  CHECK(without_times(world.log())
            .ends_with("RESTORE_REPORT Restore Duration: <t> ms\tStatus: timeout\n"));
  CHECK(world.reports().at(0).error_type == "Sandbox.Timedout");
  CHECK(world.launcher.living() == 0);
}

TEST_CASE("a runtime that ends while it is restored leaves the invocation unserved", "[restore]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.restore_next();
    return {.code = 3, .signal = {}};
  });
  const auto environment = make(world, world.snap_start_spec());
  REQUIRE_FALSE(environment->initialise_provisioned());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(unrestored(served).error_type == "Runtime.ExitError");
  CHECK(unrestored(served).reason == "Runtime exited with error: exit status 3");
  CHECK(world.log().find("START RequestId") == std::string::npos);
}

TEST_CASE("a snapshot whose runtime has died is made anew for the invocation", "[restore]") {
  EnvironmentWorld world(with_hooks);
  const auto environment = make(world, world.snap_start_spec());
  REQUIRE_FALSE(environment->initialise_provisioned());
  world.launcher.kill_newest();
  CHECK(succeeded(environment->serve(next_invocation("id-1"), kWithLog).outcome));
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("an Init that fails for an invocation is its outcome", "[restore]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.post("/2018-06-01/runtime/init/error",
                 "{}",
                 {{"Lambda-Runtime-Function-Error-Type", "Runtime.BeforeCheckpointError"}});
    return {.code = 64, .signal = {}};
  });
  const auto environment = make(world, world.snap_start_spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(error_type(served.outcome) == "Runtime.BeforeCheckpointError");
  CHECK(world.launcher.launches() == 1);
  CHECK(world.log().find("Status: error\tError Type: Runtime.BeforeCheckpointError") !=
        std::string::npos);
  CHECK(environment->phase() == Phase::reset);
}

TEST_CASE("a sandbox that cannot be made fails the invocation that needed a snapshot",
          "[restore]") {
  EnvironmentWorld world(with_hooks);
  world.launcher.refuse({.kind = emulator::sandbox::SandboxError::Kind::entrypoint,
                         .operation = "start",
                         .error_number = ENOENT,
                         .message = "no"});
  const auto environment = make(world, world.snap_start_spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(error_type(served.outcome) == "Runtime.InvalidEntrypoint");
}

TEST_CASE("a runtime that dies when it was restored and idles is restored anew", "[restore]") {
  EnvironmentWorld world(with_hooks);
  const auto environment = make(world, world.snap_start_spec());
  environment->serve(next_invocation("id-1"), kWithLog);
  world.launcher.kill_newest();
  CHECK(succeeded(environment->serve(next_invocation("id-2"), kWithLog).outcome));
  CHECK(world.reports().at(1).restore_duration);
}

TEST_CASE("the published emulator restores inside the invocation, and tells nobody", "[restore]") {
  EnvironmentWorld world(with_hooks);
  auto on_demand = world.spec();
  on_demand->profile = Profile::rie;
  const auto spec = std::make_shared<EnvironmentSpec>(snap_start_variant(*on_demand));
  const auto environment = make(world, spec);
  CHECK(succeeded(environment->serve(next_invocation("id-1"), kWithLog).outcome));
  CHECK(world.log().find("before\nafter\n") != std::string::npos);
  CHECK(world.log().find("RESTORE") == std::string::npos);
  CHECK(world.log().find("INIT_REPORT") == std::string::npos);
}
