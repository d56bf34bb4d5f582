// Environments with extensions, whose processes are scripts that speak the APIs over loopback.
#include "emulator/environment/environment.h"
#include "emulator/environment/pool.h"
#include "tests/support/environment_world.h"
#include "tests/support/scripted_extension.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::EnvironmentWorld;
using tests::ExtensionsFolder;
using tests::InternalExtension;
using tests::next_invocation;
using tests::ScriptedExtension;
using tests::ScriptedProcess;
using tests::ScriptEnd;
using tests::Trace;

namespace {

const ServingTerms kWithReport{.release_at = ReleaseAt::report};

ScriptEnd echo(ScriptedProcess& process) {
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

// Asks for event after event until it is told of the end, and tells the trace.
ScriptEnd record(ScriptedProcess& process, Trace& trace) {
  const auto name = tests::extension_name(process);
  ScriptedExtension extension(process);
  trace.add(name + " registers");
  extension.register_for(tests::kInvokeAndShutdown);
  while (true) {
    const auto event = extension.next();
    if (event.status != 200) return {.code = 1, .signal = {}};
    if (ScriptedExtension::is_shutdown(event)) {
      trace.add(name + " " + ScriptedExtension::field(event, "shutdownReason"));
      return {.code = 0, .signal = {}};
    }
    trace.add(name + " " + ScriptedExtension::field(event, "requestId"));
  }
}

// By the extension's name; everyone else is a runtime.
using Scripts = std::map<std::string, tests::Script>;
tests::Script cast(Scripts scripts, tests::Script runtime = echo) {
  return [scripts = std::move(scripts), runtime = std::move(runtime)](ScriptedProcess& process) {
    const auto found = scripts.find(tests::extension_name(process));
    return found == scripts.end() ? runtime(process) : found->second(process);
  };
}

struct Scene {
  Scene(std::initializer_list<std::string> extensions, tests::Script script)
      : folder(extensions), world(std::move(script)) {
    spec = world.spec();
    spec->layers = folder.layers();
  }
  ~Scene() {
    if (environment) environment->shut_down();
  }

  std::shared_ptr<Environment> make() {
    environment = std::make_shared<Environment>("env-1", spec, world.world, [this](Environment&) {
      const std::lock_guard lock(mutex);
      ++idles;
      idle.notify_all();
    });
    return environment;
  }
  // Blocks until the environment has served that many invocations and may serve again.
  void await_idle(int count) {
    std::unique_lock lock(mutex);
    idle.wait(lock, [&] { return idles >= count; });
  }

  Trace trace;
  ExtensionsFolder folder;
  std::mutex mutex;
  std::condition_variable idle;
  int idles = 0;
  EnvironmentWorld world;
  std::shared_ptr<EnvironmentSpec> spec;
  std::shared_ptr<Environment> environment;
};

std::string body_of(const Served& served) {
  const auto* responded = std::get_if<Responded>(&served.outcome);
  return responded == nullptr ? std::string(error_type(served.outcome)) : responded->body;
}

bool logged(const EnvironmentWorld& world, const std::string& text) {
  return world.log().find(text) != std::string::npos;
}

}  // namespace

// ---- Init.

TEST_CASE("extensions register before the runtime is started, and are told of the invocation") {
  Trace trace;
  Scene scene({"one", "two"},
              cast({{"one", [&](auto& p) { return record(p, trace); }},
                    {"two", [&](auto& p) { return record(p, trace); }}},
                   [&](auto& p) {
                     trace.add("runtime started");
                     return echo(p);
                   }));
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), kWithReport)) == "[1]");
  for (const auto* name : {"one", "two"}) {
    CHECK(trace.in_order(name + std::string(" registers"), "runtime started"));
    CHECK(trace.in_order("runtime started", name + std::string(" id-1")));
    CHECK(logged(scene.world,
                 std::string("EXTENSION\tName: ") + name +
                     "\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\nEXTENSION") ==
          (std::string(name) == "one"));
  }
  CHECK(scene.world.launcher.programs() ==
        std::vector<std::string>{"/opt/extensions/one", "/opt/extensions/two", "scripted"});
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), kWithReport)) == "[2]");
  CHECK(scene.world.launcher.launches() == 3);
}

TEST_CASE("init is complete only when every extension has asked for an event") {
  Trace trace;
  Scene scene({"slow"},
              cast({{"slow",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       // The runtime is waiting by now, and is given nothing.
                       trace.await("runtime asks");
                       trace.add("extension asks");
                       while (!ScriptedExtension::is_shutdown(extension.next())) {
                       }
                       return {.code = 0, .signal = {}};
                     }}},
                   [&](ScriptedProcess& p) -> ScriptEnd {
                     trace.add("runtime asks");
                     const auto event = p.next();
                     trace.add("invoked");
                     p.respond(p.id_of(event), "1");
                     return echo(p);
                   }));
  CHECK(body_of(scene.make()->serve(next_invocation("id-1"), kWithReport)) == "1");
  CHECK(trace.in_order("extension asks", "invoked"));
}

TEST_CASE("an extension is told of the function, and given only what is for extensions") {
  std::map<std::string, std::string> seen;
  std::string identity;
  Scene scene({"one"}, cast({{"one", [&](ScriptedProcess& p) -> ScriptEnd {
                                for (const auto* name : {"AWS_REGION",
                                                         "_HANDLER",
                                                         "AWS_LAMBDA_LOG_STREAM_NAME",
                                                         "AWS_LAMBDA_RUNTIME_API"}) {
                                  if (p.has_variable(name)) seen[name] = p.variable(name);
                                }
                                const auto answer =
                                    p.post("/2020-01-01/extension/register",
                                           "{}",
                                           {{"Lambda-Extension-Name", "one"},
                                            {"Lambda-Extension-Accept-Feature", "accountId"}});
                                identity = answer.body;
                                p.get("/2020-01-01/extension/event/next",
                                      {{"Lambda-Extension-Identifier",
                                        answer.headers.at("lambda-extension-identifier")}});
                                return {.code = 0, .signal = {}};
                              }}}));
  scene.spec->variables = {{"AWS_REGION", "eu-north-1"},
                           {"_HANDLER", "app.handler"},
                           {"AWS_LAMBDA_RUNTIME_API", "inherited:1"},
                           {"AWS_LAMBDA_LOG_STREAM_NAME", "inherited"}};
  scene.spec->account_id = "123456789012";
  CHECK(body_of(scene.make()->serve(next_invocation("id-1"), kWithReport)) == "{}");
  CHECK(seen.at("AWS_REGION") == "eu-north-1");
  CHECK(seen.at("AWS_LAMBDA_RUNTIME_API").starts_with("127.0.0.1:"));
  CHECK(seen.count("_HANDLER") == 0);
  CHECK(seen.count("AWS_LAMBDA_LOG_STREAM_NAME") == 0);
  CHECK(identity ==
        "{\"functionName\":\"f\",\"functionVersion\":\"$LATEST\",\"handler\":\"app.handler\","
        "\"accountId\":\"123456789012\"}\n");
}

TEST_CASE("an extension that ends in init fails it, twice, and is named by how it ended") {
  Scene scene({"bad"}, cast({{"bad", [](ScriptedProcess& p) -> ScriptEnd {
                                ScriptedExtension(p).register_for(tests::kInvokeAndShutdown);
                                return {.code = 6, .signal = {}};
                              }}}));
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  const auto& failed = std::get<ExtensionFailed>(served.outcome);
  CHECK(failed.error_type == "Extension.Crash");
  CHECK(failed.name == "bad");
  CHECK(describe(failed) == "exit status 6");
  CHECK(logged(scene.world, "\tPhase: init\tStatus: error\tError Type: Extension.Crash\n"));
  CHECK(logged(scene.world, "\tPhase: invoke\tStatus: error\tError Type: Extension.Crash\n"));
  CHECK(logged(scene.world, "RequestId: id-1 Error: exit status 6\nExtension.Crash\n"));
  CHECK(logged(scene.world, "\tStatus: error\tError Type: Extension.Crash\n"));
}

TEST_CASE("an extension that reports an init error fails the init, before the runtime is started") {
  Scene scene({"bad"}, cast({{"bad", [](ScriptedProcess& p) -> ScriptEnd {
                                ScriptedExtension extension(p);
                                extension.register_for(tests::kInvokeAndShutdown);
                                extension.report("init", "Extension.NoKey");
                                return {.code = 3, .signal = {}};
                              }}}));
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  CHECK(error_type(served.outcome) == "Extension.InitError");
  CHECK(logged(scene.world, "Phase: init\tStatus: error\tError Type: Extension.InitError\n"));
  CHECK(logged(scene.world,
               "\tName: bad\tState: InitError\tEvents: [INVOKE,SHUTDOWN]\t"
               "Error Type: Extension.NoKey\n"));
}

TEST_CASE("an extension that cannot be started is a launch error with the reason") {
  Scene scene({"bad"}, cast({}));
  scene.world.launcher.refuse("/opt/extensions/bad",
                              {.kind = emulator::sandbox::SandboxError::Kind::entrypoint,
                               .operation = "exec",
                               .error_number = EACCES,
                               .message = "cannot execute"});
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  const auto& failed = std::get<ExtensionFailed>(served.outcome);
  CHECK(failed.error_type == "Extension.LaunchError");
  CHECK(describe(failed) == "fork/exec /opt/extensions/bad: Permission denied");
  CHECK(logged(scene.world,
               "EXTENSION\tName: bad\tState: LaunchError\tEvents: []\t"
               "Error Type: PermissionDenied\n"));
  CHECK(scene.world.launcher.programs().empty());
}

TEST_CASE("more than ten extensions are a launch error, and the first too many is named") {
  Scene scene({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}, cast({}));
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  CHECK(error_type(served.outcome) == "Extension.LaunchError");
  CHECK(scene.world.launcher.launches() == 0);
  CHECK(logged(scene.world,
               "EXTENSION\tName: k\tState: LaunchError\tEvents: []\t"
               "Error Type: TooManyExtensions\n"));
  CHECK_FALSE(logged(scene.world, "EXTENSION\tName: l\t"));
}

TEST_CASE("an extension that never registers is an init that takes too long") {
  Scene scene({"mute"}, cast({{"mute", [](ScriptedProcess& p) -> ScriptEnd { p.hang(); }}}));
  scene.spec->init_limit = 50ms;
  scene.spec->timeout = 50ms;
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  CHECK(error_type(served.outcome) == "Sandbox.Timedout");
  CHECK(logged(scene.world, "\tPhase: init\tStatus: timeout\n"));
  CHECK(scene.world.launcher.machine().terminations == 0);
}

TEST_CASE("extensions that are turned off are not started, and their API does not exist") {
  int status = 0;
  Scene scene(
      {"one"}, cast({}, [&](ScriptedProcess& p) -> ScriptEnd {
        status =
            p.post("/2020-01-01/extension/register", "{}", {{"Lambda-Extension-Name", "inner"}})
                .status;
        return echo(p);
      }));
  scene.folder.folder().write("disable-extensions-jwigqn8j", "");
  CHECK(body_of(scene.make()->serve(next_invocation("id-1"), kWithReport)) == "{}");
  CHECK(status == 404);
  CHECK(scene.world.launcher.launches() == 1);
}

// ---- Invoke.

TEST_CASE("a caller has the response before the extension is done, whose time is reported") {
  Trace trace;
  Scene scene({"busy"}, cast({{"busy", [&](ScriptedProcess& p) -> ScriptEnd {
                                 ScriptedExtension extension(p);
                                 extension.register_for(tests::kInvokeAndShutdown);
                                 extension.next();
                                 trace.await("answered");
                                 trace.add("extension done");
                                 while (!ScriptedExtension::is_shutdown(extension.next())) {
                                 }
                                 return {.code = 0, .signal = {}};
                               }}}));
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), {})) == "[1]");
  CHECK(environment->phase() == Phase::settling);
  CHECK(scene.world.reports().empty());
  const auto answered = scene.world.clock.monotonic_now();
  // The report's duration then holds at least this moment.
  while (scene.world.clock.monotonic_now() - answered < 2ms) std::this_thread::yield();
  trace.add("answered");
  scene.world.await_reports(1);
  CHECK(trace.has("extension done"));
  const auto report = scene.world.reports().front();
  CHECK(report.error_type.empty());
  CHECK(report.duration >= 2ms);
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), kWithReport)) == "[2]");
}

TEST_CASE("in the published emulator's profile the caller waits for the extension too") {
  Trace trace;
  Scene scene({"busy"},
              cast({{"busy",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       extension.next();
                       trace.await("runtime asks again");
                       trace.add("extension done");
                       while (!ScriptedExtension::is_shutdown(extension.next())) {
                       }
                       return {.code = 0, .signal = {}};
                     }}},
                   [&](ScriptedProcess& p) -> ScriptEnd {
                     const auto event = p.next();
                     p.respond(p.id_of(event), "1");
                     trace.add("runtime asks again");
                     return echo(p);
                   }));
  scene.spec->profile = Profile::rie;
  CHECK(body_of(scene.make()->serve(next_invocation("id-1"), {})) == "1");
  trace.add("answered");
  CHECK(trace.in_order("extension done", "answered"));
}

TEST_CASE("in the published emulator's profile an extension's timeout is the caller's") {
  Scene scene({"stuck"}, cast({{"stuck", [](ScriptedProcess& p) -> ScriptEnd {
                                  ScriptedExtension extension(p);
                                  extension.register_for(R"({"events":["INVOKE"]})");
                                  extension.next();
                                  p.hang();
                                }}}));
  scene.spec->profile = Profile::rie;
  scene.spec->timeout = 200ms;
  const auto served = scene.make()->serve(next_invocation("id-1"), {});
  CHECK(error_type(served.outcome) == "Sandbox.Timedout");
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("an internal extension is waited for like an external one") {
  Trace trace;
  Scene scene({}, [&](ScriptedProcess& p) -> ScriptEnd {
    const InternalExtension inner(p, [&](ScriptedExtension& extension) {
      extension.register_for(R"({"events":["INVOKE"]})");
      trace.add("registered");
      extension.next();
      trace.await("answered");
      trace.add("inner done");
      extension.next();
    });
    trace.await("registered");
    return echo(p);
  });
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), {})) == "[1]");
  CHECK(environment->phase() == Phase::settling);
  trace.add("answered");
  scene.world.await_reports(1);
  CHECK(trace.in_order("answered", "inner done"));
  CHECK(logged(scene.world, "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]\n"));
  scene.await_idle(1);
  // There is somebody who may want to end in order, and so the runtime is asked to.
  environment->shut_down();
  CHECK(scene.world.launcher.machine().terminations == 1);
}

TEST_CASE("an extension that does not come back within the timeout is reset, and told why") {
  Trace trace;
  std::atomic<int> launches = 0;
  Scene scene({"stuck", "watch"},
              cast({{"stuck",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       if (++launches > 1) return record(p, trace);
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       extension.next();
                       p.hang();
                     }},
                    {"watch", [&](auto& p) { return record(p, trace); }}}));
  scene.spec->timeout = 100ms;
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), {})) == "[1]");
  scene.world.await_reports(1);
  CHECK(scene.world.reports().front().error_type == "Sandbox.Timedout");
  CHECK(scene.world.reports().front().duration == 100ms);
  scene.await_idle(1);
  CHECK(trace.has("watch timeout"));
  scene.spec->timeout = 10min;
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), {})) == "[2]");
}

TEST_CASE("an extension that ends during an invocation fails it, and the others are told") {
  Trace trace;
  Scene scene({"bad", "watch"},
              cast({{"bad",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       extension.next();
                       return {.code = 6, .signal = {}};
                     }},
                    {"watch", [&](auto& p) { return record(p, trace); }}},
                   [](ScriptedProcess& p) -> ScriptEnd {
                     p.next();
                     p.hang();
                   }));
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  CHECK(describe(std::get<ExtensionFailed>(served.outcome)) == "exit status 6");
  CHECK(served.report->error_type == "Extension.Crash");
  scene.await_idle(1);
  CHECK(trace.has("watch failure"));
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("an extension that ends after the response leaves the answer good") {
  Trace trace;
  Scene scene({"bad"}, cast({{"bad", [&](ScriptedProcess& p) -> ScriptEnd {
                                ScriptedExtension extension(p);
                                extension.register_for(tests::kInvokeAndShutdown);
                                extension.next();
                                trace.await("answered");
                                return {.code = 1, .signal = {}};
                              }}}));
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), {})) == "[1]");
  trace.add("answered");
  scene.world.await_reports(1);
  CHECK(scene.world.reports().front().error_type == "Extension.Crash");
  CHECK(logged(scene.world, "RequestId: id-1 Error: exit status 1\nExtension.Crash\nEND "));
  // The log names none of several.
  CHECK(scene.world.advice() ==
        std::vector<std::string>{
            "extension bad failed with Extension.Crash: exit status 1; see what it printed"});
  scene.await_idle(1);
  CHECK(environment->phase() == Phase::reset);
}

TEST_CASE("an extension that reports that it exits fails the invocation") {
  Scene scene({"bad"},
              cast({{"bad",
                     [](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       extension.next();
                       extension.report("exit", "Extension.Broken");
                       return {.code = 1, .signal = {}};
                     }}},
                   [](ScriptedProcess& p) -> ScriptEnd {
                     p.next();
                     p.hang();
                   }));
  const auto profile = GENERATE(Profile::aws, Profile::rie);
  scene.spec->profile = profile;
  const auto served = scene.make()->serve(next_invocation("id-1"), kWithReport);
  const auto& failed = std::get<ExtensionFailed>(served.outcome);
  CHECK(failed.error_type == "Extension.ExitError");
  CHECK(describe(failed) == "exit status 1");
  scene.await_idle(1);
}

TEST_CASE("an extension that ends while the environment idles makes the next invocation cold") {
  Trace trace;
  Scene scene({"frail", "watch"},
              cast({{"frail", [&](auto& p) { return record(p, trace); }},
                    {"watch", [&](auto& p) { return record(p, trace); }}}));
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1", "[1]"), kWithReport)) == "[1]");
  scene.world.launcher.kill_any(0);
  while (environment->phase() != Phase::reset) std::this_thread::yield();
  CHECK(body_of(environment->serve(next_invocation("id-2", "[2]"), kWithReport)) == "[2]");
  CHECK(trace.has("watch failure"));
  CHECK(scene.world.launcher.launches() == 6);
  CHECK(scene.world.reports().back().error_type.empty());
}

TEST_CASE("a frozen environment waits for its extensions, and is thawed to be shut down") {
  Trace trace;
  Scene scene({"one"}, cast({{"one", [&](auto& p) { return record(p, trace); }}}));
  scene.spec->freezing = Freezing::on;
  const auto environment = scene.make();
  environment->serve(next_invocation("id-1"), kWithReport);
  while (!environment->snapshot().frozen) std::this_thread::yield();
  environment->shut_down();
  CHECK(scene.world.launcher.machine().thaws == 1);
  CHECK(trace.has("one spindown"));
  CHECK(scene.world.launcher.living() == 0);
}

// ---- Shutdown.

TEST_CASE("at the end the runtime is asked first, then the extensions are told and awaited") {
  Trace trace;
  Scene scene({"one", "deaf"},
              cast({{"one", [&](auto& p) { return record(p, trace); }},
                    {"deaf",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(R"({"events":["INVOKE"]})");
                       while (true) extension.next();
                     }}},
                   [&](ScriptedProcess& p) -> ScriptEnd {
                     const auto event = p.next();
                     p.mind_termination();
                     p.respond(p.id_of(event), "1");
                     p.await_termination();
                     trace.add("runtime ends");
                     return {.code = 0, .signal = {}};
                   }));
  const auto environment = scene.make();
  CHECK(body_of(environment->serve(next_invocation("id-1"), {})) == "1");
  // It never asks again, and so the environment would never idle.
  environment->shut_down();
  CHECK(trace.in_order("runtime ends", "one spindown"));
  CHECK(scene.world.launcher.machine().terminations == 1);
  CHECK(scene.world.launcher.living() == 0);
  CHECK(environment->phase() == Phase::gone);
}

TEST_CASE("who ignores the end is killed when its time is over") {
  Trace trace;
  Scene scene({"stubborn"},
              cast({{"stubborn",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       while (!ScriptedExtension::is_shutdown(extension.next())) {
                       }
                       trace.add("told");
                       p.hang();
                     }}},
                   [](ScriptedProcess& p) -> ScriptEnd {
                     p.mind_termination();
                     return echo(p);
                   }));
  const auto environment = scene.make();
  environment->serve(next_invocation("id-1"), kWithReport);
  const auto begun = scene.world.clock.monotonic_now();
  environment->shut_down();
  CHECK(trace.has("told"));
  CHECK(scene.world.clock.monotonic_now() - begun >= 2s);
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("one that dies while all are shut down takes nothing from the others") {
  Trace trace;
  Scene scene({"frail", "steady"},
              cast({{"frail",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       while (!ScriptedExtension::is_shutdown(extension.next())) {
                       }
                       trace.add("frail dies");
                       return {.code = {}, .signal = SIGSEGV};
                     }},
                    {"steady", [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       while (!ScriptedExtension::is_shutdown(extension.next())) {
                       }
                       trace.await("frail dies");
                       p.print("the last of it\n");
                       trace.add("steady has done its work");
                       return {.code = 0, .signal = {}};
                     }}}));
  const auto environment = scene.make();
  environment->serve(next_invocation("id-1"), kWithReport);
  environment->shut_down();
  CHECK(logged(scene.world, "the last of it\n"));
  CHECK(trace.has("steady has done its work"));
  CHECK(scene.world.launcher.living() == 0);
  // What ends when it was told to has not failed.
  CHECK(scene.world.advice().empty());
  CHECK(scene.world.reports().size() == 1);
}

TEST_CASE("without extensions nobody is asked: the processes are killed at once") {
  Scene scene({}, echo);
  const auto environment = scene.make();
  environment->serve(next_invocation("id-1"), kWithReport);
  CHECK_FALSE(environment->ends_slowly());
  environment->shut_down();
  CHECK(scene.world.launcher.machine().terminations == 0);
}

TEST_CASE("a pool that stops shuts all its environments down at the same time") {
  constexpr int kEnvironments = 4;
  std::mutex mutex;
  std::condition_variable changed;
  int told = 0;
  Trace trace;
  Scene scene({"one"},
              cast({{"one",
                     [&](ScriptedProcess& p) -> ScriptEnd {
                       ScriptedExtension extension(p);
                       extension.register_for(tests::kInvokeAndShutdown);
                       tests::HttpAnswer event;
                       do {
                         event = extension.next();
                       } while (!ScriptedExtension::is_shutdown(event));
                       std::unique_lock lock(mutex);
                       ++told;
                       changed.notify_all();
                       // Nobody leaves before everyone has been told.
                       changed.wait(lock, [&] { return told == kEnvironments; });
                       trace.add(ScriptedExtension::field(event, "shutdownReason"));
                       return {.code = 0, .signal = {}};
                     }}},
                   [&](ScriptedProcess& p) -> ScriptEnd {
                     const auto event = p.next();
                     trace.add("invoked");
                     trace.await("go");
                     p.respond(p.id_of(event), "1");
                     return echo(p);
                   }));
  std::atomic<int> ids = 0;
  Pool pool({}, scene.world.world, [&] { return "env-" + std::to_string(++ids); });
  std::vector<std::future<bool>> callers;
  for (int i = 0; i < kEnvironments; ++i) {
    callers.push_back(std::async(std::launch::async, [&] {
      return pool.serve(Pool::Spec(scene.spec), next_invocation("id"), kWithReport).has_value();
    }));
  }
  while (trace.entries().size() < kEnvironments) std::this_thread::yield();
  trace.add("go");
  for (auto& caller : callers) CHECK(caller.get());
  pool.stop();
  CHECK(scene.world.launcher.living() == 0);
  CHECK(told == kEnvironments);
  const auto entries = trace.entries();
  CHECK(std::count(entries.begin(), entries.end(), "spindown") == kEnvironments);
}

TEST_CASE("a pool that stops ends a running invocation and tells its extensions") {
  Trace trace;
  Scene scene({"one"},
              cast({{"one", [&](auto& p) { return record(p, trace); }}},
                   [&](ScriptedProcess& p) -> ScriptEnd {
                     p.next();
                     trace.add("invoked");
                     p.hang();
                   }));
  Pool pool({}, scene.world.world, [] { return std::string("env"); });
  auto caller = std::async(std::launch::async, [&] {
    return pool.serve(Pool::Spec(scene.spec), next_invocation("id-1"), {});
  });
  trace.await("invoked");
  pool.stop();
  const auto served = caller.get();
  REQUIRE(served);
  CHECK(error_type(served->outcome) == "Runtime.ExitError");
  CHECK(trace.has("one spindown"));
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("an environment that is initialised ahead has its extensions, and shuts them down") {
  Trace trace;
  Scene scene({"one"}, cast({{"one", [&](auto& p) { return record(p, trace); }}}));
  const auto provisioned =
      std::make_shared<const EnvironmentSpec>(provisioned_variant(*scene.spec));
  Pool pool({}, scene.world.world, [] { return std::string("env"); });
  pool.provision(provisioned, 1);
  pool.await_settled();
  CHECK(pool.provisioned_status(provisioned).available == 1);
  CHECK(trace.has("one registers"));
  pool.provision(provisioned, 0);
  pool.await_settled();
  CHECK(trace.has("one spindown"));
  CHECK(scene.world.launcher.living() == 0);
  pool.stop();
}
