#include "emulator/environment/environment.h"

#include "tests/support/environment_world.h"
#include "tests/support/manual_clock.h"

#include <catch2/catch_test_macros.hpp>

#include <signal.h>
#include <sys/eventfd.h>

#include <atomic>
#include <functional>
#include <future>
#include <regex>
#include <thread>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

std::shared_ptr<Environment> make(EnvironmentWorld& world,
                                  std::shared_ptr<const EnvironmentSpec> spec) {
  return std::make_shared<Environment>("env-1", std::move(spec), world.world, [](Environment&) {});
}

const ServingTerms kWithLog{.release_at = ReleaseAt::report};

ScriptEnd echo(ScriptedProcess& process) {
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

std::string body_of(const Served& served) {
  const auto* responded = std::get_if<Responded>(&served.outcome);
  return responded == nullptr ? std::string(error_type(served.outcome)) : responded->body;
}

// Times differ from run to run; everything else of the log must not.
std::string without_times(std::string log) {
  log = std::regex_replace(log, std::regex("[0-9]+\\.[0-9]{2} ms"), "<t> ms");
  log =
      std::regex_replace(log, std::regex("Billed Duration: [0-9]+ ms"), "Billed Duration: <n> ms");
  return std::regex_replace(log, std::regex("[0-9]{4}-[0-9-]+T[0-9:.]+Z"), "<time>");
}

}  // namespace

TEST_CASE("a cold and a warm invocation are logged as the service logs them") {
  EnvironmentWorld world(echo);
  const auto environment = make(world, world.spec());
  CHECK(body_of(environment->serve(next_invocation("id-1", "{\"a\":1}"), kWithLog)) == "{\"a\":1}");
  CHECK(body_of(environment->serve(next_invocation("id-2", "[]"), kWithLog)) == "[]");
  CHECK(without_times(world.log()) ==
        "START RequestId: id-1 Version: $LATEST\n"
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tDuration: <t> ms\tBilled Duration: <n> ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 20 MB\tInit Duration: <t> ms\t\n"
        "START RequestId: id-2 Version: $LATEST\n"
        "END RequestId: id-2\n"
        "REPORT RequestId: id-2\tDuration: <t> ms\tBilled Duration: <n> ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 20 MB\t\n");
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("the runtime is given the id, deadline, ARN and only the optional headers that exist") {
  tests::HttpAnswer seen;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    process.serve([&](const tests::HttpAnswer& next) {
      seen = next;
      return "null";
    });
  });
  const auto environment = make(world, world.spec());
  auto next = next_invocation("id-1");
  next.client_context = "{\"custom\":{}}";
  const auto before = world.clock.wall_now() + world.spec()->timeout;
  environment->serve(next, kWithLog);
  CHECK(seen.headers.at("lambda-runtime-aws-request-id") == "id-1");
  CHECK(seen.headers.at("lambda-runtime-invoked-function-arn") == next.function_arn);
  CHECK(seen.headers.at("lambda-runtime-client-context") == "{\"custom\":{}}");
  CHECK(seen.headers.at("content-type") == "application/json");
  CHECK(seen.headers.count("lambda-runtime-cognito-identity") == 0);
  CHECK(seen.headers.count("lambda-runtime-trace-id") == 0);
  const auto deadline = std::stoll(seen.headers.at("lambda-runtime-deadline-ms"));
  const auto earliest =
      std::chrono::duration_cast<std::chrono::milliseconds>(before.time_since_epoch()).count();
  CHECK(deadline >= earliest - 1);
}

TEST_CASE("a function error passes its bytes unchanged and names its type in REPORT") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    while (true) {
      const auto next = process.next();
      process.post("/2018-06-01/runtime/invocation/" + process.id_of(next) + "/error",
                   "{\"errorMessage\" : \"no\"}",
                   {{"Lambda-Runtime-Function-Error-Type", "Runtime.Refused"}});
    }
  });
  const auto environment = make(world, world.spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  const auto& error = std::get<FunctionError>(served.outcome);
  CHECK(error.body == "{\"errorMessage\" : \"no\"}");
  CHECK(error.error_type == "Runtime.Refused");
  CHECK(served.log_tail.find("\tStatus: error\tError Type: Runtime.Refused\n") !=
        std::string::npos);
  CHECK(body_of(environment->serve(next_invocation("id-2"), kWithLog)) == "Runtime.Refused");
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("a timeout resets the environment, and the next invocation starts inside a new process") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    if (process.launch_number() > 1) return echo(process);
    process.next();
    process.hang();
  });
  const auto environment = make(world, world.spec(50ms));
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  REQUIRE(std::holds_alternative<TimedOut>(served.outcome));
  CHECK(describe(std::get<TimedOut>(served.outcome)) == "Task timed out after 0.05 seconds");
  CHECK(without_times(served.log_tail) ==
        "START RequestId: id-1 Version: $LATEST\n"
        "<time> id-1 Task timed out after 0.05 seconds\n\n"
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tDuration: <t> ms\tBilled Duration: <n> ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 20 MB\tInit Duration: <t> ms\tStatus: timeout\n");

  const auto patient = make(world, world.spec());
  CHECK(world.launcher.launches() == 1);
  CHECK(environment->snapshot().phase == Phase::reset);
}

TEST_CASE("after a reset the next invocation works and tells no init of its own") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    if (process.launch_number() > 1) return echo(process);
    process.next();
    return {.code = 3, .signal = {}};
  });
  const auto environment = make(world, world.spec());
  const auto first = environment->serve(next_invocation("id-1"), kWithLog);
  const auto& exited = std::get<RuntimeExited>(first.outcome);
  CHECK(describe(exited) == "Runtime exited with error: exit status 3");
  CHECK(exited.phase == FailurePhase::invoke);
  CHECK(first.log_tail.find("RequestId: id-1 Error: Runtime exited with error: exit status 3\n"
                            "Runtime.ExitError\nEND RequestId: id-1\n") != std::string::npos);

  const auto second = environment->serve(next_invocation("id-2", "[2]"), kWithLog);
  CHECK(body_of(second) == "[2]");
  CHECK(second.log_tail.find("Init Duration") == std::string::npos);
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("a failed init is told and repeated inside the invocation") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    if (process.launch_number() > 1) return echo(process);
    process.print("cannot start yet\n");
    return {.code = 1, .signal = {}};
  });
  const auto environment = make(world, world.spec());
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), kWithLog)) == "[1]");
  CHECK(without_times(world.log())
            .rfind("cannot start yet\n"
                   "INIT_REPORT Init Duration: <t> ms\tPhase: init\tStatus: error\t"
                   "Error Type: Runtime.ExitError\n"
                   "START RequestId: id-1 Version: $LATEST\n",
                   0) == 0);
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("an init error that the runtime reports is the answer when it comes twice") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.post("/2018-06-01/runtime/init/error",
                 "{\"errorType\":\"Runtime.ImportModuleError\",\"requestId\":\"\"}",
                 {{"Lambda-Runtime-Function-Error-Type", "Runtime.ImportModuleError"}});
    return {.code = 1, .signal = {}};
  });
  const auto environment = make(world, world.spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  const auto& error = std::get<FunctionError>(served.outcome);
  CHECK(error.phase == FailurePhase::init);
  CHECK(error.body == "{\"errorType\":\"Runtime.ImportModuleError\",\"requestId\":\"\"}");
  CHECK(without_times(world.log())
            .find("INIT_REPORT Init Duration: <t> ms\tPhase: invoke\tStatus: error\t"
                  "Error Type: Runtime.ImportModuleError\n") != std::string::npos);
}

TEST_CASE("an init beyond its limit is told as a timeout and repeated") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    if (process.launch_number() > 1) return echo(process);
    process.hang();
  });
  auto spec = world.spec();
  spec->init_limit = 20ms;
  const auto environment = make(world, spec);
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), kWithLog)) == "[1]");
  CHECK(without_times(world.log())
            .rfind("INIT_REPORT Init Duration: <t> ms\tPhase: init\tStatus: timeout\n", 0) == 0);
}

TEST_CASE("a bootstrap that does not exist is a function's error with a hint for the developer") {
  EnvironmentWorld world(echo);
  world.launcher.refuse({.kind = emulator::sandbox::SandboxError::Kind::entrypoint,
                         .operation = "executing",
                         .error_number = ENOENT,
                         .message = "cannot execute /task/bootstrap; build it there"});
  const auto environment = make(world, world.spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  const auto& never = std::get<NeverStarted>(served.outcome);
  CHECK(never.error_type == "Runtime.InvalidEntrypoint");
  CHECK(never.reason == "Couldn't find valid bootstrap(s): [scripted]");
  CHECK(world.advice().front() == "cannot execute /task/bootstrap; build it there");
}

TEST_CASE("a response over 6 MiB and 100 bytes is refused and the runtime goes on") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto first = process.next();
    const auto refused =
        process.respond(process.id_of(first), std::string(runtime_api::kMaxResponseBytes + 1, 'x'));
    CHECK(refused.status == 413);
    CHECK(refused.body ==
          "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\","
          "\"errorType\":\"RequestEntityTooLarge\"}\n");
    const auto second = process.next();
    CHECK(process.respond(process.id_of(second), std::string(runtime_api::kMaxResponseBytes, 'y'))
              .status == 202);
    return echo(process);
  });
  const auto environment = make(world, world.spec());
  const auto first = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(std::get<ResponseTooLarge>(first.outcome).size_bytes == runtime_api::kMaxResponseBytes + 1);
  const auto second = environment->serve(next_invocation("id-2"), kWithLog);
  CHECK(body_of(second).size() == runtime_api::kMaxResponseBytes);
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("what a function prints stands between START and END, and an unfinished line is ended") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    process.print("one\ntwo\nthree");
    process.respond(process.id_of(next), "1");
    return echo(process);
  });
  const auto environment = make(world, world.spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(served.log_tail.find("START RequestId: id-1 Version: $LATEST\n"
                             "one\ntwo\nthree\n"
                             "END RequestId: id-1\n") == 0);
}

TEST_CASE("the log tail holds the last 4 KB") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    process.print(std::string(9000, 'a') + "\n");
    process.respond(process.id_of(next), "1");
    return echo(process);
  });
  const auto environment = make(world, world.spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(served.log_tail.size() == kLogTailBytes);
  CHECK(served.log_tail.find("REPORT RequestId: id-1") != std::string::npos);
}

TEST_CASE("a runtime that exits after its answer leaves the answer good and the next one too") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    process.respond(process.id_of(next), "\"answered\"");
    return {.code = 1, .signal = {}};
  });
  const auto environment = make(world, world.spec());
  CHECK(body_of(environment->serve(next_invocation("id-1"), {})) == "\"answered\"");
  world.await_reports(1);
  CHECK(world.reports()[0].error_type == "Runtime.ExitError");
  CHECK(body_of(environment->serve(next_invocation("id-2"), {})) == "\"answered\"");
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("a caller is released at the response although the runtime never asks again") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    process.respond(process.id_of(next), "\"quick\"");
    process.hang();
  });
  const auto environment = make(world, world.spec(200ms));
  CHECK(body_of(environment->serve(next_invocation("id-1"), {})) == "\"quick\"");
  world.await_reports(1);
  CHECK(world.reports()[0].timed_out());
  CHECK(world.log().find("Status: timeout") != std::string::npos);
}

TEST_CASE("a process that dies while idle is replaced by the next invocation") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd { return echo(process); });
  const auto environment = make(world, world.spec());
  environment->serve(next_invocation("id-1"), kWithLog);
  world.launcher.kill_newest();
  while (world.launcher.living() > 0) std::this_thread::yield();
  CHECK(environment->snapshot().phase == Phase::reset);
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), kWithLog)) == "[2]");
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("an invocation that a process ended too early to see is given to a new one") {
  EnvironmentWorld world(echo);
  const auto environment = make(world, world.spec());
  environment->serve(next_invocation("id-1"), kWithLog);
  // The pump is held up, so that nobody can tell the environment that its process has ended.
  const emulator::sandbox::UniqueFd bell(::eventfd(1, EFD_CLOEXEC));
  std::promise<void> held;
  std::promise<void> go_on;
  const auto watch = world.pump.watch(bell.get(), [&] {
    held.set_value();
    go_on.get_future().wait();
    return OutputPump::Keep::no_more;
  });
  held.get_future().wait();
  world.launcher.kill_newest();
  auto served = std::async(std::launch::async, [&] {
    return environment->serve(next_invocation("id-2", "[2]"), kWithLog);
  });
  while (environment->snapshot().phase != Phase::invoking) std::this_thread::yield();
  go_on.set_value();
  CHECK(body_of(served.get()) == "[2]");
  CHECK(world.launcher.launches() == 2);
  world.pump.unwatch(watch);
}

TEST_CASE("a retired environment does not repeat a failed init") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.print("starting\n");
    process.hang();
  });
  const auto environment = make(world, world.spec());
  auto served = std::async(std::launch::async,
                           [&] { return environment->serve(next_invocation("id-1"), kWithLog); });
  world.await_log("starting");
  environment->kill();
  CHECK(body_of(served.get()) == "Runtime.ExitError");
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("the Runtime API's address is the environment's own, whatever was inherited") {
  EnvironmentWorld world(echo);
  auto spec = world.spec();
  spec->variables["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:1";
  CHECK(body_of(make(world, spec)->serve(next_invocation("id-1", "[1]"), kWithLog)) == "[1]");
}

TEST_CASE("a destroyed environment leaves no process") {
  EnvironmentWorld world(echo);
  make(world, world.spec())->serve(next_invocation("id-1"), kWithLog);
  CHECK(world.launcher.living() == 0);
}

TEST_CASE("the published emulator's profile starts with START and counts init into the timeout") {
  EnvironmentWorld world(echo);
  auto spec = world.spec();
  spec->profile = Profile::rie;
  spec->memory_size_mb = 3008;
  const auto environment = make(world, spec);
  environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(without_times(world.log()) ==
        "START RequestId: id-1 Version: $LATEST\n"
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tInit Duration: <t> ms\tDuration: <t> ms\t"
        "Billed Duration: <n> ms\tMemory Size: 3008 MB\tMax Memory Used: 3008 MB\t\n");
}

// ---- The machine around the runtime.

namespace {

std::shared_ptr<EnvironmentSpec> freezing(const EnvironmentWorld& world) {
  auto spec = world.spec();
  spec->freezing = Freezing::on;
  return spec;
}

void await(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

}  // namespace

TEST_CASE("an idle environment is frozen, and thawed before it is given the next event") {
  EnvironmentWorld* seen_by_script = nullptr;
  std::atomic<int> events_while_frozen = 0;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    process.serve([&](const tests::HttpAnswer& next) {
      if (seen_by_script->launcher.machine().frozen) ++events_while_frozen;
      return next.body;
    });
  });
  seen_by_script = &world;
  const auto environment = make(world, freezing(world));
  for (int round = 1; round <= 3; ++round) {
    CHECK(body_of(environment->serve(next_invocation("id"), kWithLog)) == "{}");
    await([&] { return environment->snapshot().frozen; });
    CHECK(environment->snapshot().phase == Phase::idle);
    CHECK(world.launcher.machine().frozen);
  }
  CHECK(body_of(environment->serve(next_invocation("id-last"), kWithLog)) == "{}");
  CHECK(events_while_frozen == 0);
  CHECK(world.launcher.machine().thaws == 3);
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("an environment is frozen only after the delay, and never where freezing is off") {
  tests::ManualClock still;  // no time passes: whatever is invoked, is invoked back to back
  EnvironmentWorld world(echo);
  emulator::time::TimerQueue housekeeping(still, emulator::time::TimerDrive::by_hand);
  World at_rest{.clock = still,
                .timers = world.timers,
                .housekeeping = housekeeping,
                .shutdowns = world.shutdowns,
                .launcher = world.launcher,
                .pump = world.pump,
                .log = world.world.log,
                .new_log_stream_id = world.world.new_log_stream_id,
                .new_uuid = world.world.new_uuid,
                .reported = world.world.reported,
                .advise = world.world.advise};
  const auto start = [&](Freezing wanted) {
    // Beyond the time that this host has run, by which threads wait.
    constexpr auto kNever = 24h * 365 * 50;
    auto spec = world.spec(kNever);
    spec->freezing = wanted;
    spec->init_limit = kNever;
    return std::make_shared<Environment>("env-1", spec, at_rest, [](Environment&) {});
  };
  const auto environment = start(Freezing::on);
  environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(housekeeping.run_due() == 0);
  still.advance(kFreezeDelay - 1us);
  environment->serve(next_invocation("id-2"), kWithLog);
  still.advance(kFreezeDelay - 1us);
  housekeeping.run_due();  // due for the first invocation, not for the second
  CHECK(world.launcher.machine().freezes == 0);
  still.advance(1us);
  housekeeping.run_due();
  CHECK(world.launcher.machine().freezes == 1);
  CHECK(environment->snapshot().frozen);

  const auto never = start(Freezing::off);
  never->serve(next_invocation("id-3"), kWithLog);
  still.advance(1h);
  housekeeping.run_due();
  CHECK(world.launcher.machine().freezes == 1);
}

TEST_CASE("a frozen environment that is retired or destroyed ends") {
  EnvironmentWorld world(echo);
  auto environment = make(world, freezing(world));
  environment->serve(next_invocation("id-1"), kWithLog);
  await([&] { return environment->snapshot().frozen; });
  environment->kill();
  CHECK(environment->snapshot().phase == Phase::gone);
  environment.reset();
  CHECK(world.launcher.living() == 0);

  environment = make(world, freezing(world));
  environment->serve(next_invocation("id-2"), kWithLog);
  await([&] { return environment->snapshot().frozen; });
  environment.reset();
  await([&] { return world.launcher.living() == 0; });
}

TEST_CASE("a process that dies while it is frozen is replaced by one that runs") {
  EnvironmentWorld world(echo);
  const auto environment = make(world, freezing(world));
  environment->serve(next_invocation("id-1"), kWithLog);
  await([&] { return environment->snapshot().frozen; });
  world.launcher.kill_newest();
  await([&] { return environment->snapshot().phase == Phase::reset; });
  CHECK_FALSE(environment->snapshot().frozen);
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), kWithLog)) == "[2]");
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("an init runs at its own quota and what follows at the function's") {
  EnvironmentWorld* seen_by_script = nullptr;
  std::vector<std::int64_t> quotas;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    auto& quota = seen_by_script->launcher.machine().cpu_quota_us;
    quotas.push_back(quota);
    const auto first = process.next();
    quotas.push_back(quota);
    if (process.launch_number() == 1) return {.code = 1, .signal = {}};
    process.respond(process.id_of(first), "1");
    return echo(process);
  });
  seen_by_script = &world;
  auto spec = world.spec();
  spec->machine.cpu.quota = 1'447us;
  spec->init_cpu_quota = 40'000us;
  const auto environment = make(world, spec);
  CHECK(body_of(environment->serve(next_invocation("id-1"), kWithLog)) == "Runtime.ExitError");
  CHECK(quotas == std::vector<std::int64_t>{40'000, 1'447});
  // The reset makes the next one a suppressed init.
  CHECK(body_of(environment->serve(next_invocation("id-2"), kWithLog)) == "1");
  CHECK(quotas == std::vector<std::int64_t>{40'000, 1'447, 40'000, 1'447});
}

TEST_CASE("an init without a quota of its own has the function's") {
  EnvironmentWorld* seen_by_script = nullptr;
  std::int64_t during_init = 0;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    during_init = seen_by_script->launcher.machine().cpu_quota_us;
    return echo(process);
  });
  seen_by_script = &world;
  auto spec = world.spec();
  spec->machine.cpu.quota = 1'447us;
  make(world, spec)->serve(next_invocation("id-1"), kWithLog);
  CHECK(during_init == 1'447);
}

TEST_CASE("passing the memory limit ends the invocation, and the next one is cold") {
  EnvironmentWorld* seen_by_script = nullptr;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    auto& machine = seen_by_script->launcher.machine();
    machine.memory_exceeded = false;
    if (process.launch_number() > 1) return echo(process);
    process.next();
    machine.memory_exceeded = true;
    return {.code = {}, .signal = SIGKILL};
  });
  seen_by_script = &world;
  const auto environment = make(world, world.spec());
  const auto served = environment->serve(next_invocation("id-1"), kWithLog);
  REQUIRE(std::holds_alternative<OutOfMemory>(served.outcome));
  CHECK(std::get<OutOfMemory>(served.outcome).phase == FailurePhase::invoke);
  CHECK(served.log_tail.find("RequestId: id-1 Error: Runtime exited with error: signal: killed\n"
                             "Runtime.OutOfMemory\nEND RequestId: id-1\n") != std::string::npos);
  CHECK(served.log_tail.ends_with("\tStatus: error\tError Type: Runtime.OutOfMemory\n"));
  CHECK(world.reports()[0].error_type == "Runtime.OutOfMemory");
  CHECK(environment->snapshot().phase == Phase::reset);
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), kWithLog)) == "[2]");
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("passing the memory limit in init is told and repeated") {
  EnvironmentWorld* seen_by_script = nullptr;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    auto& machine = seen_by_script->launcher.machine();
    machine.memory_exceeded = process.launch_number() == 1;
    if (process.launch_number() == 1) return {.code = {}, .signal = SIGKILL};
    return echo(process);
  });
  seen_by_script = &world;
  const auto environment = make(world, world.spec());
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), kWithLog)) == "[1]");
  CHECK(without_times(world.log())
            .rfind("INIT_REPORT Init Duration: <t> ms\tPhase: init\tStatus: error\t"
                   "Error Type: Runtime.OutOfMemory\n",
                   0) == 0);
}

TEST_CASE("an invocation's throttled time is what was added since the reading before it") {
  EnvironmentWorld* seen_by_script = nullptr;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    auto& throttled = seen_by_script->launcher.machine().throttled_ms;
    throttled = process.launch_number() == 1 ? 100 : 0;  // of init
    while (true) {
      const auto next = process.next();
      throttled += std::stoi(next.body);
      if (next.body == "1") return {.code = 1, .signal = {}};
      process.respond(process.id_of(next), "1");
    }
  });
  seen_by_script = &world;
  const auto environment = make(world, world.spec());
  for (const auto* added : {"30", "1", "7"}) {
    environment->serve(next_invocation("id", added), kWithLog);
  }
  const auto reports = world.reports();
  REQUIRE(reports.size() == 3);
  CHECK(reports[0].throttled_cpu == 30ms);
  CHECK(reports[1].throttled_cpu == 1ms);
  CHECK(reports[2].throttled_cpu == 7ms);  // a new process counts from nothing
}

TEST_CASE("a sandbox is kept over a reset") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.next();
    return {.code = 1, .signal = {}};
  });
  const auto environment = make(world, world.spec());
  environment->serve(next_invocation("id-1"), kWithLog);
  environment->serve(next_invocation("id-2"), kWithLog);
  CHECK(world.launcher.launches() == 2);
  CHECK(world.launcher.machine().sandboxes == 1);
}

TEST_CASE("an environment that was initialised ahead serves its first invocation without an init") {
  EnvironmentWorld world(echo);
  const auto environment = make(world, world.provisioned_spec());
  CHECK_FALSE(environment->initialise_provisioned());
  CHECK(environment->phase() == Phase::idle);
  CHECK(environment->snapshot().initialization == Initialization::provisioned_concurrency);
  CHECK(world.log().empty());
  CHECK(body_of(environment->serve(next_invocation("id-1"), kWithLog)) == "{}");
  CHECK(world.launcher.launches() == 1);
  REQUIRE(world.reports().size() == 1);
  CHECK_FALSE(world.reports()[0].init_duration);
  CHECK(world.log().find("Init Duration") == std::string::npos);
}

TEST_CASE("an init ahead that fails is told once, by itself, and may be tried again") {
  std::atomic<bool> broken = true;
  EnvironmentWorld world([&](ScriptedProcess& process) -> ScriptEnd {
    if (broken) return {.code = 3, .signal = {}};
    return echo(process);
  });
  const auto environment = make(world, world.provisioned_spec());
  const auto failure = environment->initialise_provisioned();
  REQUIRE(failure);
  CHECK(error_type(*failure) == "Runtime.ExitError");
  CHECK(without_times(world.log()) ==
        "INIT_REPORT Init Duration: <t> ms\tPhase: init\tStatus: error\tError Type: "
        "Runtime.ExitError\n");
  CHECK(environment->phase() == Phase::reset);
  broken = false;
  CHECK_FALSE(environment->initialise_provisioned());
  CHECK(body_of(environment->serve(next_invocation("id-1"), kWithLog)) == "{}");
  CHECK_FALSE(world.reports().at(0).init_duration);
}

TEST_CASE("an init ahead has the limit of its kind") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd { process.hang(); });
  auto spec = world.provisioned_spec();
  spec->init_limit = 1ms;
  const auto environment = make(world, spec);
  const auto failure = environment->initialise_provisioned();
  REQUIRE(failure);
  CHECK(error_type(*failure) == "Sandbox.Timedout");
  CHECK(world.launcher.living() == 0);
}

TEST_CASE("an init ahead ends when the environment is retired, and that is no failed init") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.print("starting\n");
    process.hang();
  });
  const auto environment = make(world, world.provisioned_spec());
  auto initialised =
      std::async(std::launch::async, [&] { return environment->initialise_provisioned(); });
  world.await_log("starting");
  environment->kill();
  CHECK(initialised.get());
  CHECK(environment->phase() == Phase::gone);
  CHECK(world.log() == "starting\n");
  CHECK(environment->initialise_provisioned());
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("the loss of an idle environment's processes is told, and of a serving one's is not") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    if (next.body == "\"end\"") return {.code = 1, .signal = {}};
    process.respond(ScriptedProcess::id_of(next), next.body);
    return echo(process);
  });
  std::atomic<int> lost = 0;
  const auto environment = std::make_shared<Environment>(
      "env-1", world.spec(), world.world, [](Environment&) {}, [&](Environment&) { ++lost; });
  environment->serve(next_invocation("id-1"), kWithLog);
  CHECK(lost == 0);
  world.launcher.kill_newest();
  await([&] { return lost == 1; });
  CHECK(environment->phase() == Phase::reset);
  environment->serve(next_invocation("id-2", "\"end\""), kWithLog);
  CHECK(environment->phase() == Phase::reset);
  CHECK(lost == 1);
}
