// A subscriber to telemetry that goes bad, in every phase of an environment: whatever becomes of
// what it was to be told, the function is served and nothing stays behind.
#include "emulator/environment/environment.h"
#include "tests/support/environment_world.h"
#include "tests/support/scripted_extension.h"
#include "tests/support/telemetry_listeners.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

using namespace emulator::environment;
using tests::next_invocation;
using tests::ScriptedExtension;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

enum class Misdeed { refuses, stalls, vanishes };
enum class Struck { in_init, in_invoke, after_the_response, in_restore, in_shutdown };

// Listens well until it is struck.
class Subscriber {
 public:
  explicit Subscriber(Misdeed misdeed)
      : misdeed_(misdeed),
        listener_(std::make_unique<tests::HttpListener>([this] { return answer(); })) {}
  ~Subscriber() {
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
    listener_.reset();
  }
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  std::string destination() const {
    return R"({"protocol":"HTTP","URI":"http://sandbox.localdomain:)" +
           std::to_string(listener_->port()) + R"(/"})";
  }

  // From the thread of a script; the second time nothing changes.
  void strike() {
    if (struck_.exchange(true)) return;
    if (misdeed_ == Misdeed::vanishes) listener_.reset();
  }

  // Until it was to be told something after that. One that has vanished cannot know.
  void await_attempt() {
    if (misdeed_ == Misdeed::vanishes) return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return attempts_ > 0; });
  }

 private:
  int answer() {
    if (!struck_) return 200;
    std::unique_lock lock(mutex_);
    ++attempts_;
    changed_.notify_all();
    if (misdeed_ == Misdeed::stalls) changed_.wait(lock, [this] { return released_; });
    return 503;
  }

  const Misdeed misdeed_;
  std::atomic<bool> struck_ = false;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int attempts_ = 0;
  bool released_ = false;
  std::unique_ptr<tests::HttpListener> listener_;  // last: its threads use the others
};

class Scene {
 public:
  Scene(Misdeed misdeed, Struck when)
      : subscriber_(misdeed), when_(when), folder_({"watcher"}), world_([this](ScriptedProcess& p) {
          return tests::extension_name(p) == "watcher" ? watch(p) : run(p);
        }) {
    spec_ = when == Struck::in_restore ? world_.snap_start_spec() : world_.spec();
    spec_->layers = folder_.layers();
    environment_ = std::make_shared<Environment>("env-1", spec_, world_.world, [](Environment&) {});
  }
  ~Scene() { environment_->shut_down(); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  Served serve(const std::string& id, ReleaseAt release_at) {
    auto served = environment_->serve(next_invocation(id), {.release_at = release_at});
    trace_.add("answered " + id);
    while (environment_->phase() != Phase::idle) std::this_thread::yield();
    return served;
  }
  void shut_down() { environment_->shut_down(); }
  Subscriber& subscriber() { return subscriber_; }
  const tests::Trace& trace() const { return trace_; }
  const tests::ScriptedLauncher& launcher() const { return world_.launcher; }

 private:
  void strike_if(Struck now) {
    if (now == when_) subscriber_.strike();
  }

  ScriptEnd watch(ScriptedProcess& process) {
    ScriptedExtension extension(process);
    extension.register_for(tests::kInvokeAndShutdown);
    if (extension.subscribe(subscriber_.destination()).status == 200) trace_.add("subscribed");
    strike_if(Struck::in_init);
    while (true) {
      const auto event = extension.next();
      if (event.status != 200) return {.code = 1, .signal = {}};
      if (ScriptedExtension::is_shutdown(event)) {
        strike_if(Struck::in_shutdown);
        trace_.add("shutdown");
        return {.code = 0, .signal = {}};
      }
      if (when_ != Struck::after_the_response) continue;
      trace_.await("answered " + ScriptedExtension::field(event, "requestId"));
      strike_if(Struck::after_the_response);
    }
  }

  ScriptEnd run(ScriptedProcess& process) {
    if (when_ == Struck::in_restore) {
      process.restore_next();
      strike_if(Struck::in_restore);
    }
    process.serve([this](const tests::HttpAnswer& next) {
      strike_if(Struck::in_invoke);
      return next.body;
    });
  }

  Subscriber subscriber_;
  const Struck when_;
  tests::Trace trace_;
  tests::ExtensionsFolder folder_;
  tests::EnvironmentWorld world_;
  std::shared_ptr<EnvironmentSpec> spec_;
  std::shared_ptr<Environment> environment_;
};

}  // namespace

TEST_CASE("a subscriber that refuses, stalls or vanishes in any phase holds no invocation up",
          "[telemetry]") {
  const auto misdeed = GENERATE(Misdeed::refuses, Misdeed::stalls, Misdeed::vanishes);
  const auto when = GENERATE(Struck::in_init,
                             Struck::in_invoke,
                             Struck::after_the_response,
                             Struck::in_restore,
                             Struck::in_shutdown);
  CAPTURE(static_cast<int>(misdeed), static_cast<int>(when));
  Scene scene(misdeed, when);
  // The extension waits for the answer where it is struck after it.
  const auto release_at =
      when == Struck::after_the_response ? ReleaseAt::response : ReleaseAt::report;
  REQUIRE(succeeded(scene.serve("id-1", release_at).outcome));
  REQUIRE(succeeded(scene.serve("id-2", release_at).outcome));
  if (when != Struck::in_shutdown) scene.subscriber().await_attempt();
  CHECK(scene.trace().has("subscribed"));
  scene.shut_down();
  CHECK(scene.trace().has("shutdown"));
  CHECK(scene.launcher().launches() == 2);  // nobody was reset on its account
  CHECK(scene.launcher().living() == 0);
}
