// Environments whose extensions subscribe to telemetry. Processes are scripts that speak the APIs
// over loopback; their listeners are the test's.
#include "emulator/environment/environment.h"
#include "tests/support/environment_world.h"
#include "tests/support/scripted_extension.h"
#include "tests/support/telemetry_listeners.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;
using tests::next_invocation;
using tests::ScriptedExtension;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

const ServingTerms kWithReport{.release_at = ReleaseAt::report};

std::string http(const tests::HttpListener& listener) {
  return R"({"protocol":"HTTP","URI":"http://sandbox.localdomain:)" +
         std::to_string(listener.port()) + R"(/"})";
}
std::string tcp(const tests::TcpListener& listener) {
  return R"({"protocol":"TCP","port":)" + std::to_string(listener.port()) + "}";
}

// Subscribes, and asks for event after event until it is told of the end.
ScriptEnd watch(ScriptedProcess& process, const std::string& destination, int& status) {
  ScriptedExtension extension(process);
  extension.register_for(tests::kInvokeAndShutdown);
  status = extension.subscribe(destination).status;
  process.print("watching\n");
  while (true) {
    const auto event = extension.next();
    if (event.status != 200) return {.code = 1, .signal = {}};
    if (ScriptedExtension::is_shutdown(event)) return {.code = 0, .signal = {}};
  }
}

ScriptEnd chat(ScriptedProcess& process) {
  process.print("loading\n");
  process.serve([&](const tests::HttpAnswer& next) {
    process.print("handling\n");
    return next.body;
  });
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
  Served serve(const std::string& id) { return serve(id, kWithReport); }
  Served serve_until_answered(const std::string& id) { return serve(id, {}); }
  Served serve(const std::string& id, const ServingTerms& terms) {
    if (!environment) {
      environment = std::make_shared<Environment>("env-1", spec, world.world, [](Environment&) {});
    }
    return environment->serve(next_invocation(id, "12345"), terms);
  }

  tests::ExtensionsFolder folder;
  tests::EnvironmentWorld world;
  std::shared_ptr<EnvironmentSpec> spec;
  std::shared_ptr<Environment> environment;
};

bool in_order(const std::vector<std::string>& types, const std::vector<std::string>& wanted) {
  auto at = types.begin();
  for (const auto& type : wanted) {
    at = std::find(at, types.end(), type);
    if (at == types.end()) return false;
    ++at;
  }
  return true;
}

}  // namespace

TEST_CASE("two subscribers, by HTTP and by TCP, hear of init, invocation and every line",
          "[telemetry]") {
  tests::HttpListener by_http;
  tests::TcpListener by_tcp;
  int http_status = 0;
  int tcp_status = 0;
  Scene scene({"a", "b"}, [&](ScriptedProcess& process) {
    const auto name = tests::extension_name(process);
    if (name == "a") return watch(process, http(by_http), http_status);
    if (name == "b") return watch(process, tcp(by_tcp), tcp_status);
    return chat(process);
  });
  const auto served = scene.serve("id-1");
  REQUIRE(succeeded(served.outcome));
  CHECK(http_status == 200);
  CHECK(tcp_status == 200);
  for (const auto* received : {&by_http.received, &by_tcp.received}) {
    received->await_type("platform.report");
    received->await_type("platform.runtimeDone");
    received->await_type("function", 2);
    received->await_type("extension", 2);
    received->await_type("platform.telemetrySubscription", 2);
    received->await_type("platform.extension", 2);
    const auto types = received->types();
    CHECK(in_order(types,
                   {"platform.initRuntimeDone",
                    "platform.extension",
                    "platform.initReport",
                    "platform.start",
                    "platform.runtimeDone",
                    "platform.report"}));
    CHECK(received->of_type("platform.initStart").size() == 1);
    const auto start = received->of_type("platform.initStart")[0]["record"];
    CHECK(start["initializationType"] == "on-demand");
    CHECK(start["functionName"] == "f");
    CHECK(start["instanceMaxMemory"] == 128 * 1024 * 1024);
    CHECK(received->of_type("platform.extension")[0]["record"]["state"] == "Ready");
    CHECK(received->of_type("platform.start")[0]["record"]["requestId"] == "id-1");
    const auto done = received->of_type("platform.runtimeDone")[0]["record"];
    CHECK(done["status"] == "success");
    CHECK(done["metrics"]["producedBytes"] == 5);
    REQUIRE(done["spans"].size() == 3);
    CHECK(done["spans"][0]["name"] == "responseLatency");
    CHECK(done["spans"][1]["name"] == "responseDuration");
    CHECK(done["spans"][2]["name"] == "runtimeOverhead");
    const auto report = received->of_type("platform.report")[0]["record"];
    CHECK(report["status"] == "success");
    CHECK(report["metrics"]["memorySizeMB"] == 128);
    CHECK(report["metrics"]["initDurationMs"].is_number());
    CHECK(report["metrics"]["billedDurationMs"].get<std::int64_t>() ==
          billed_duration_ms(*served.report, Profile::aws));
  }
}

TEST_CASE("a runtime that dies is told as a failure and its report as an error", "[telemetry]") {
  tests::TcpListener listener;
  int status = 0;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (!tests::extension_name(process).empty()) {
      const auto end = watch(process, tcp(listener), status);
      // Who is told of the end has time to take what is left.
      listener.received.await_type("platform.report");
      return end;
    }
    process.next();
    return ScriptEnd{.code = 1, .signal = {}};
  });
  scene.serve("id-1");
  listener.received.await_type("platform.report");
  const auto done = listener.received.of_type("platform.runtimeDone");
  REQUIRE(done.size() == 1);
  CHECK(done[0]["record"]["status"] == "failure");
  CHECK(done[0]["record"]["errorType"] == "Runtime.ExitError");
  const auto report = listener.received.of_type("platform.report")[0]["record"];
  CHECK(report["status"] == "error");
  CHECK(report["errorType"] == "Runtime.ExitError");
}

TEST_CASE("nobody subscribes when Init is over", "[telemetry]") {
  tests::TcpListener listener;
  std::string answer;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process).empty()) return chat(process);
    ScriptedExtension extension(process);
    extension.register_for(tests::kInvokeAndShutdown);
    extension.next();
    answer = extension.subscribe(tcp(listener)).body;
    while (!ScriptedExtension::is_shutdown(extension.next())) {
    }
    return ScriptEnd{.code = 0, .signal = {}};
  });
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  CHECK(answer.find("\"errorType\":\"Telemetry.SubscriptionClosed\"") != std::string::npos);
}

TEST_CASE("the published emulator's answer to a subscription is that it has none", "[telemetry]") {
  tests::TcpListener listener;
  int status = 0;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process).empty()) return chat(process);
    return watch(process, tcp(listener), status);
  });
  scene.spec->profile = Profile::rie;
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  CHECK(status == 202);
}

TEST_CASE("what was told before the processes stood still arrives after", "[telemetry]") {
  tests::TcpListener listener;
  int status = 0;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process).empty()) return chat(process);
    const auto end = watch(process, tcp(listener), status);
    // Who is told of the end has time to take what is left.
    listener.received.await_type("platform.report", 2);
    return end;
  });
  scene.spec->freezing = Freezing::on;
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  while (!scene.environment->snapshot().frozen) std::this_thread::yield();
  REQUIRE(succeeded(scene.serve("id-2").outcome));
  scene.environment->shut_down();
  listener.received.await_type("platform.report", 2);
}

TEST_CASE("a JSON log has events for the platform's lines and objects for the function's",
          "[telemetry]") {
  Scene scene({}, chat);
  scene.spec->logging.format = LogFormat::json;
  scene.spec->logging.system_level = LogLevel::debug;
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  const auto log = scene.world.log();
  CHECK(log.find("\"message\":\"loading\"}") != std::string::npos);
  CHECK(log.find("\"message\":\"handling\",\"requestId\":\"id-1\"}") != std::string::npos);
  CHECK(log.find("\"type\":\"platform.start\"") != std::string::npos);
  CHECK(log.find("\"producedBytes\":5,") != std::string::npos);
  CHECK(log.find("\"type\":\"platform.report\"") != std::string::npos);
  CHECK(log.find("REPORT RequestId") == std::string::npos);
}

TEST_CASE("a JSON log tells who subscribed, and what an invocation's events tell", "[telemetry]") {
  tests::TcpListener listener;
  int status = 0;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process).empty()) return chat(process);
    return watch(process, tcp(listener), status);
  });
  scene.spec->logging = {.format = LogFormat::json, .system_level = LogLevel::debug};
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  std::map<std::string, nlohmann::json> records;
  std::istringstream lines(scene.world.log());
  for (std::string line; std::getline(lines, line);) {
    // What an extension prints stands as it was printed.
    if (line == "watching") continue;
    const auto object = nlohmann::json::parse(line);
    if (object.contains("type")) records[object["type"]] = object["record"];
  }
  CHECK(records["platform.telemetrySubscription"]["name"] == "a");
  CHECK(records["platform.telemetrySubscription"]["types"].size() == 3);
  REQUIRE(records["platform.runtimeDone"]["spans"].size() == 3);
  CHECK(records["platform.runtimeDone"]["spans"][2]["name"] == "runtimeOverhead");
  CHECK(records["platform.report"]["spans"].size() == 3);
}

TEST_CASE("an internal extension is given what is left before its process ends", "[telemetry]") {
  tests::HttpListener listener;
  tests::Trace trace;
  Scene scene({}, [&](ScriptedProcess& process) {
    const tests::InternalExtension inner(process, [&](ScriptedExtension& extension) {
      extension.register_for("{}");
      extension.subscribe(http(listener), 30'000);
      trace.add("subscribed");
      extension.next();
    });
    trace.await("subscribed");
    const auto event = process.next();
    process.mind_termination();
    process.print("handled\n");
    process.respond(process.id_of(event), event.body);
    process.await_termination();
    // Its batch would have waited for half a minute.
    listener.received.await_type("function");
    trace.add("had all");
    return ScriptEnd{.code = 0, .signal = {}};
  });
  REQUIRE(succeeded(scene.serve_until_answered("id-1").outcome));
  CHECK(listener.received.all().empty());
  scene.environment->shut_down();
  CHECK(trace.has("had all"));
}

TEST_CASE("who leaves when it is told of the end has had what came before", "[telemetry]") {
  tests::HttpListener listener;
  std::size_t reports = 0;
  Scene scene({"hasty"}, [&](ScriptedProcess& process) -> ScriptEnd {
    if (tests::extension_name(process).empty()) return chat(process);
    ScriptedExtension extension(process);
    extension.register_for(tests::kInvokeAndShutdown);
    extension.subscribe(http(listener), 30'000);
    while (!ScriptedExtension::is_shutdown(extension.next())) {
    }
    reports = listener.received.of_type("platform.report").size();
    return {.code = 0, .signal = {}};
  });
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  scene.environment->shut_down();
  CHECK(reports == 1);
  CHECK(scene.world.advice().empty());
}

TEST_CASE("what a subscriber has not taken at its end is told to the developer", "[telemetry]") {
  const tests::LoopbackSocket deaf;
  int status = 0;
  Scene scene({"sleeper"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process).empty()) return chat(process);
    return watch(process,
                 R"({"protocol":"HTTP","URI":"http://sandbox.localdomain:)" +
                     std::to_string(deaf.port()) + R"(/"})",
                 status);
  });
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  scene.environment->shut_down();
  REQUIRE(scene.world.advice().size() == 1);
  CHECK(scene.world.advice().front().starts_with("extension sleeper has not taken "));
}

TEST_CASE("a JSON log tells of Init at the level that its events have", "[telemetry]") {
  const auto log_of = [](LogLevel level, bool ahead) {
    Scene scene({}, chat);
    if (ahead) scene.spec = std::make_shared<EnvironmentSpec>(provisioned_variant(*scene.spec));
    scene.spec->logging = {.format = LogFormat::json, .system_level = level};
    scene.environment =
        std::make_shared<Environment>("env-1", scene.spec, scene.world.world, [](Environment&) {});
    if (ahead) REQUIRE_FALSE(scene.environment->initialise_provisioned());
    REQUIRE(succeeded(scene.serve("id-1").outcome));
    return scene.world.log();
  };
  const auto types_in = [](const std::string& log) {
    std::vector<std::string> types;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      const auto object = nlohmann::json::parse(line);
      if (object.contains("type")) types.push_back(object["type"]);
    }
    return types;
  };
  const auto all = types_in(log_of(LogLevel::debug, false));
  CHECK(all == std::vector<std::string>{"platform.initStart",
                                        "platform.initRuntimeDone",
                                        "platform.initReport",
                                        "platform.start",
                                        "platform.runtimeDone",
                                        "platform.report"});
  CHECK(types_in(log_of(LogLevel::info, false)) ==
        std::vector<std::string>{"platform.start", "platform.report"});
  CHECK(types_in(log_of(LogLevel::info, true)) ==
        std::vector<std::string>{"platform.initReport", "platform.start", "platform.report"});
}

TEST_CASE("subscribers sleep in a snapshot, and hear of the restore before the invocation",
          "[telemetry][restore]") {
  tests::HttpListener listener;
  int status = 0;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process) == "a") return watch(process, http(listener), status);
    process.restore_next();
    process.print("restored\n");
    return chat(process);
  });
  scene.spec = scene.world.snap_start_spec();
  scene.spec->layers = scene.folder.layers();
  scene.spec->freezing = Freezing::on;
  scene.environment =
      std::make_shared<Environment>("env-1", scene.spec, scene.world.world, [](Environment&) {});
  REQUIRE_FALSE(scene.environment->initialise_provisioned());
  while (!scene.world.launcher.machine().frozen) std::this_thread::yield();
  REQUIRE(succeeded(scene.serve("id-1").outcome));
  auto& received = listener.received;
  // It stands still again, and what it was told last is sent while it moves.
  for (int more = 2; received.of_type("platform.report").empty(); ++more) {
    REQUIRE(succeeded(scene.serve("id-" + std::to_string(more)).outcome));
  }
  CHECK(in_order(received.types(),
                 {"platform.initStart",
                  "platform.initReport",
                  "platform.restoreStart",
                  "platform.restoreRuntimeDone",
                  "platform.restoreReport",
                  "platform.start",
                  "platform.runtimeDone",
                  "platform.report"}));
  for (const auto* type :
       {"platform.initStart", "platform.initRuntimeDone", "platform.initReport"}) {
    CHECK(received.of_type(type)[0]["record"]["initializationType"] == "snap-start");
  }
  CHECK(received.of_type("platform.restoreStart")[0]["record"]["instanceId"] == "env-1");
  CHECK(received.of_type("platform.restoreRuntimeDone")[0]["record"]["status"] == "success");
  CHECK(
      received.of_type("platform.restoreReport")[0]["record"]["metrics"]["durationMs"].is_number());
  const auto metrics = received.of_type("platform.report")[0]["record"]["metrics"];
  CHECK(metrics["restoreDurationMs"].is_number());
  CHECK(metrics["billedRestoreDurationMs"].is_number_integer());
  CHECK_FALSE(metrics.contains("initDurationMs"));
}

TEST_CASE("subscribers hear of a restore that fails, and of no invocation",
          "[telemetry][restore]") {
  tests::HttpListener listener;
  int status = 0;
  Scene scene({"a"}, [&](ScriptedProcess& process) {
    if (tests::extension_name(process) == "a") {
      const auto end = watch(process, http(listener), status);
      // Who is told of the end has time to take what is left.
      listener.received.await_type("platform.restoreReport");
      return end;
    }
    process.restore_next();
    process.post("/2018-06-01/runtime/restore/error",
                 "{}",
                 {{"Lambda-Runtime-Function-Error-Type", "Runtime.AfterRestoreError"}});
    return ScriptEnd{.code = 64, .signal = {}};
  });
  scene.spec = scene.world.snap_start_spec();
  scene.spec->layers = scene.folder.layers();
  CHECK(std::holds_alternative<RestoreFailed>(scene.serve("id-1").outcome));
  auto& received = listener.received;
  received.await_type("platform.restoreReport");
  const auto done = received.of_type("platform.restoreRuntimeDone")[0]["record"];
  CHECK(done["status"] == "error");
  CHECK(done["errorType"] == "Runtime.AfterRestoreError");
  CHECK(received.of_type("platform.restoreReport")[0]["record"]["status"] == "error");
  CHECK(received.of_type("platform.start").empty());
  CHECK(received.of_type("platform.report").empty());
}
