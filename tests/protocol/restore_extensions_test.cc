// Environments with SnapStart whose extensions go bad: in the snapshot, at the restore, and when
// they are told of an end that a restore which failed has brought.
#include "emulator/environment/environment.h"
#include "tests/support/environment_world.h"
#include "tests/support/scripted_extension.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

using namespace emulator::environment;
using tests::next_invocation;
using tests::ScriptedExtension;
using tests::ScriptedProcess;
using tests::ScriptEnd;
using tests::Trace;

namespace {

const ServingTerms kWithReport{.release_at = ReleaseAt::report};

// Asks for event after event, and tells the trace why it is told to end.
void await_shutdown(ScriptedProcess& process, Trace& trace) {
  ScriptedExtension extension(process);
  extension.register_for(tests::kInvokeAndShutdown);
  while (true) {
    const auto event = extension.next();
    if (event.status != 200) return;
    if (!ScriptedExtension::is_shutdown(event)) continue;
    trace.add("told " + ScriptedExtension::field(event, "shutdownReason"));
    return;
  }
}

ScriptEnd restored_echo(ScriptedProcess& process) {
  process.restore_next();
  process.serve([](const tests::HttpAnswer& next) { return next.body; });
}

struct Scene {
  explicit Scene(tests::Script script,
                 std::chrono::milliseconds init_limit = std::chrono::minutes{10})
      : folder({"ext"}), world(std::move(script)) {
    auto spec = world.snap_start_spec();
    spec->layers = folder.layers();
    spec->init_limit = init_limit;
    environment = std::make_shared<Environment>("env-1", spec, world.world, [](Environment&) {});
  }
  ~Scene() { environment->shut_down(); }

  Served serve(const std::string& id) {
    return environment->serve(next_invocation(id), kWithReport);
  }

  // The answer comes before the extensions are told of the end, and meanwhile nobody is served.
  void await_reset() const {
    while (environment->phase() != Phase::reset) std::this_thread::yield();
  }

  tests::ExtensionsFolder folder;
  tests::EnvironmentWorld world;
  std::shared_ptr<Environment> environment;
};

}  // namespace

TEST_CASE("a snapshot whose extension has died is made anew for the invocation",
          "[restore][extensions]") {
  Trace trace;
  Scene scene([&](ScriptedProcess& process) {
    if (tests::extension_name(process).empty()) return restored_echo(process);
    await_shutdown(process, trace);
    return ScriptEnd{.code = 0, .signal = {}};
  });
  REQUIRE_FALSE(scene.environment->initialise_provisioned());
  scene.world.launcher.kill_any(0);
  scene.await_reset();
  CHECK(succeeded(scene.serve("id-1").outcome));
  CHECK(scene.world.launcher.launches() == 4);
}

TEST_CASE("an extension that ends at the restore leaves the invocation unserved",
          "[restore][extensions]") {
  Trace trace;
  std::atomic<bool> frail = true;
  tests::ScriptedLauncher* launcher = nullptr;
  Scene scene([&](ScriptedProcess& process) {
    if (!tests::extension_name(process).empty()) {
      await_shutdown(process, trace);
      return ScriptEnd{.code = 0, .signal = {}};
    }
    if (!frail.exchange(false)) return restored_echo(process);
    process.restore_next();
    launcher->kill_any(0);
    process.hang();
  });
  launcher = &scene.world.launcher;
  REQUIRE_FALSE(scene.environment->initialise_provisioned());
  const auto served = scene.serve("id-1");
  REQUIRE(std::holds_alternative<RestoreFailed>(served.outcome));
  const auto& failed = std::get<RestoreFailed>(served.outcome);
  CAPTURE(failed.reason);
  CHECK(failed.error_type == "Extension.Crash");
  CHECK(scene.world.log().find("START RequestId") == std::string::npos);
  scene.await_reset();
  CHECK(succeeded(scene.serve("id-2").outcome));
}

TEST_CASE("an extension that ignores the end of a failed restore is killed",
          "[restore][extensions]") {
  Trace trace;
  Scene scene([&](ScriptedProcess& process) {
    if (!tests::extension_name(process).empty()) {
      await_shutdown(process, trace);
      process.hang();
    }
    process.restore_next();
    return ScriptEnd{.code = 3, .signal = {}};
  });
  REQUIRE_FALSE(scene.environment->initialise_provisioned());
  CHECK(std::holds_alternative<RestoreFailed>(scene.serve("id-1").outcome));
  scene.await_reset();
  CHECK(trace.has("told failure"));
  CHECK(scene.world.launcher.living() == 0);
}

TEST_CASE("an extension that hangs in a snapshot's Init fails it when its time is over",
          "[restore][extensions]") {
  Trace trace;
  std::atomic<bool> hangs = true;
  Scene scene(
      [&](ScriptedProcess& process) {
        if (tests::extension_name(process).empty()) return restored_echo(process);
        if (hangs.exchange(false)) {
          ScriptedExtension(process).register_for(tests::kInvokeAndShutdown);
          process.hang();
        }
        await_shutdown(process, trace);
        return ScriptEnd{.code = 0, .signal = {}};
      },
      std::chrono::milliseconds{100});
  const auto failure = scene.environment->initialise_provisioned();
  REQUIRE(failure);
  CHECK(std::holds_alternative<TimedOut>(*failure));
  CHECK(scene.world.log().find("\tPhase: init\tStatus: timeout\n") != std::string::npos);
  CHECK(scene.world.launcher.living() == 0);
}
