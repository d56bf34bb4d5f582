// Random calls, allowed and not, by a runtime and by extensions, against a model of the two state
// tables: who is answered what, who is told of what, and when an invocation is over.
#include "tests/support/extension_api.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace runtime_api;
using tests::ApiAnswer;
using tests::ExtensionApi;

namespace {

const std::string kNobody = "11111111-2222-4333-8444-555555555555";

std::string refused(const std::string& type, const std::string& message) {
  return "{\"errorMessage\":\"" + message + "\",\"errorType\":\"" + type + "\"}\n";
}

std::string transition(const std::string& from, const std::string& to, const std::string& who) {
  return "State transition from " + from + " to " + to + " failed for " + who +
         ". Error: State transition is not allowed";
}

// The tables, written down once more by the states' printed names.
using Table = std::map<std::string, std::set<std::string>>;
const Table kExtensionTable = {
    {"Started", {"register"}},
    {"Registered", {"next", "init", "exit"}},
    {"Ready", {"exit"}},
    {"Running", {"next", "exit"}},
    {"InitError", {"init"}},
    {"ExitError", {"exit"}},
};
const Table kRuntimeTable = {
    {"Started", {"next", "init", "restore/next"}},
    {"RestoreReady", {}},
    {"Restoring", {"next", "init", "restore/error"}},
    {"RuntimeRestoreErrorState", {}},
    {"Ready", {}},
    {"Running", {"next", "response", "error"}},
    {"RuntimeResponseSentState", {"next"}},
    {"InitError", {}},
};

struct ModelExtension {
  std::string name;
  bool external = false;
  bool invoke = false;
  bool shutdown = false;
  std::string state = "Started";
  std::string identifier;
  bool owes = false;
  std::optional<std::future<ApiAnswer>> parked;

  bool may(const std::string& call) const { return kExtensionTable.at(state).contains(call); }
};

class Run {
 public:
  explicit Run(unsigned seed)
      : random_(seed), api_({"e0", "e1", "e2"}, ExtensionHub::Service::on, RestoreDesk{}) {
    for (const auto* name : {"e0", "e1", "e2", "i0", "i1"}) {
      auto extension = std::make_unique<ModelExtension>();
      extension->name = name;
      extension->external = name[0] == 'e';
      extensions_.push_back(std::move(extension));
    }
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { api_.end(); }

  void step() {
    auto& extension = *extensions_[pick(extensions_.size())];
    switch (pick(14)) {
      case 0:
      case 1:
        register_one(extension);
        break;
      case 2:
      case 3:
      case 4:
        ask_for_event(extension);
        break;
      case 5:
        report(extension, pick(2) == 0 ? "init" : "exit");
        break;
      case 6:
      case 7:
        runtime_asks();
        break;
      case 8:
      case 9:
        runtime_answers(pick(3) == 0 ? kNobody : current_id_, pick(2) == 0 ? "response" : "error");
        break;
      case 10:
        if (pick(6) == 0) runtime_reports("init");
        break;
      case 11:
        runtime_waits_for_restore();
        break;
      case 12:
        if (pick(2) == 0) {
          restore();
        } else if (pick(3) == 0) {
          runtime_reports("restore");
        }
        break;
      default:
        invoke();
        break;
    }
    check();
  }

  void shut_down() {
    std::vector<std::string> expected;
    for (const auto& one : extensions_) {
      const bool hears =
          one->state == "Registered" || one->state == "Ready" || one->state == "Running";
      if (one->external && one->shutdown && hears) expected.push_back(one->name);
    }
    api_.session.abandon();
    api_.world.hub.abandon();
    CHECK(api_.world.hub.give(ShutdownEvent{.reason = "failure", .deadline_ms = 7}) == expected);
    for (const auto& one : extensions_) {
      const bool told = std::find(expected.begin(), expected.end(), one->name) != expected.end();
      if (!told || !one->parked) continue;
      CHECK(one->parked->get().body.find("SHUTDOWN") != std::string::npos);
      one->parked.reset();
    }
    api_.end();
    for (const auto& one : extensions_) {
      if (one->parked) CHECK(one->parked->get().status == 500);
    }
    if (runtime_parked_) CHECK(runtime_parked_->get().status == 500);
    if (restore_parked_) CHECK(restore_parked_->get().status == 500);
    if (exchange_) exchange_->get();
    if (restore_) CHECK_FALSE(std::holds_alternative<RuntimeReady>(restore_->get()));
  }

 private:
  std::size_t pick(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }

  // ---- Extensions.

  void register_one(ModelExtension& one) {
    const bool wants_invoke = pick(4) != 0;
    const bool wants_shutdown = one.external && pick(4) != 0;
    std::string events;
    if (wants_invoke) events = "\"INVOKE\"";
    if (wants_shutdown) events += events.empty() ? "\"SHUTDOWN\"" : ",\"SHUTDOWN\"";
    const auto answer = api_.register_extension(one.name, "{\"events\":[" + events + "]}");
    if (!one.external && closed_) {
      CHECK(answer.body ==
            refused("Extension.RegistrationClosed", "Extension registration closed already"));
    } else if (one.may("register")) {
      REQUIRE(answer.status == 200);
      one.state = "Registered";
      one.invoke = wants_invoke;
      one.shutdown = wants_shutdown;
      one.identifier = answer.header("Lambda-Extension-Identifier");
    } else if (!one.external) {
      CHECK(answer.body == refused("Extension.InvalidExtensionState",
                                   "Extension with this name already registered"));
    } else {
      CHECK(answer.body == refused("Extension.InvalidExtensionState",
                                   transition(one.state, "Registered", "extension " + one.name)));
    }
  }

  void ask_for_event(ModelExtension& one) {
    if (one.state == "Started") {
      const auto answer =
          api_.get("/2020-01-01/extension/event/next", ExtensionApi::identified(kNobody));
      CHECK(answer.body ==
            refused("Extension.UnknownExtensionIdentifier", "Unknown extension " + kNobody));
      return;
    }
    if (!one.may("next")) {
      const auto answer =
          api_.get("/2020-01-01/extension/event/next", ExtensionApi::identified(one.identifier));
      CHECK(answer.body == refused("Extension.InvalidExtensionState",
                                   transition(one.state, "Ready", "extension " + one.identifier)));
      return;
    }
    one.state = "Ready";
    one.parked = api_.parked_event(one.identifier);
    if (std::exchange(one.owes, false)) settle_if_done();
    await_parked();
  }

  void report(ModelExtension& one, const std::string& phase) {
    const auto wanted = phase == "init" ? "InitError" : "ExitError";
    const auto answer = api_.report(phase, one.state == "Started" ? kNobody : one.identifier);
    if (one.state == "Started") {
      CHECK(answer.body ==
            refused("Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"));
      return;
    }
    if (!one.may(phase)) {
      CHECK(answer.body == refused("Extension.InvalidExtensionState",
                                   transition(one.state, wanted, "extension " + one.identifier)));
      return;
    }
    CHECK(answer.status == 202);
    if (one.state != wanted) ++reports_;
    one.state = wanted;
    if (!one.parked) return;
    CHECK(one.parked->get().status == 500);
    one.parked.reset();
  }

  // ---- The runtime.

  bool runtime_may(const std::string& call) const {
    return kRuntimeTable.at(runtime_).contains(call);
  }

  void runtime_asks() {
    // A second call that waits beside the first one is allowed, and another test's matter.
    if (runtime_ == "Ready") return;
    closed_ = true;
    if (!runtime_may("next")) {
      const auto answer = api_.get("/2018-06-01/runtime/invocation/next");
      CHECK(answer.body ==
            refused("InvalidStateTransition", transition(runtime_, "Ready", "runtime")));
      return;
    }
    if (runtime_ == "Running") {
      const auto answer = api_.get("/2018-06-01/runtime/invocation/next");
      CHECK(answer.header("Lambda-Runtime-Aws-Request-Id") == current_id_);
      return;
    }
    const bool answered = runtime_ == "RuntimeResponseSentState";
    const bool restored = runtime_ == "Restoring";
    runtime_ = "Ready";
    runtime_parked_ = api_.parked_invocation();
    if (answered) {
      runtime_owes_ = false;
      settle_if_done();
    }
    while (api_.session.waiting_takers() == 0) std::this_thread::yield();
    if (!restored) return;
    CHECK(std::holds_alternative<RuntimeReady>(restore_->get()));
    restore_.reset();
  }

  void runtime_waits_for_restore() {
    closed_ = true;
    if (!runtime_may("restore/next")) {
      CHECK(api_.get("/2018-06-01/runtime/restore/next").body ==
            refused("InvalidStateTransition", transition(runtime_, "RestoreReady", "runtime")));
      return;
    }
    runtime_ = "RestoreReady";
    restore_parked_ = api_.parked("/2018-06-01/runtime/restore/next");
    while (api_.session.state() == RuntimeState::started) std::this_thread::yield();
  }

  void restore() {
    if (runtime_ != "RestoreReady") return;
    restore_ = std::async(std::launch::async,
                          [this] { return api_.session.restore(Session::TimePoint::max()); });
    const auto answer = restore_parked_->get();
    CHECK(answer.status == 200);
    CHECK(answer.body.empty());
    restore_parked_.reset();
    runtime_ = "Restoring";
  }

  void runtime_answers(const std::string& id, const std::string& how) {
    const auto answer = api_.post(
        "/2018-06-01/runtime/invocation/" + (id.empty() ? kNobody : id) + "/" + how, "{}");
    const std::string to = how == "response" ? "InvocationResponse" : "InvocationErrorResponse";
    if (id != current_id_ || current_id_.empty()) {
      CHECK(answer.body == refused("InvalidRequestID", "Invalid request ID"));
    } else if (!runtime_may(how)) {
      CHECK(answer.body == refused("InvalidStateTransition", transition(runtime_, to, "runtime")));
    } else {
      CHECK(answer.status == 202);
      runtime_ = "RuntimeResponseSentState";
      CHECK(std::holds_alternative<RuntimeAnswer>(exchange_->get()));
      exchange_.reset();
    }
  }

  void runtime_reports(const std::string& phase) {
    const bool restoring = runtime_ == "Restoring";
    const std::string to = phase == "init" ? "InitError" : "RuntimeRestoreErrorState";
    const auto answer = api_.post("/2018-06-01/runtime/" + phase + "/error", "{}");
    if (!runtime_may(phase == "init" ? "init" : "restore/error")) {
      CHECK(answer.body == refused("InvalidStateTransition", transition(runtime_, to, "runtime")));
      return;
    }
    CHECK(answer.status == 202);
    runtime_ = restoring ? "RuntimeRestoreErrorState" : to;
    if (!restoring) return;
    CHECK(std::holds_alternative<RestoreError>(restore_->get()));
    restore_.reset();
  }

  // ---- The environment.

  bool idles() const {
    return runtime_ == "Ready" && !runtime_owes_ && !exchange_ &&
           std::none_of(
               extensions_.begin(), extensions_.end(), [](const auto& one) { return one->owes; });
  }

  void invoke() {
    if (!idles()) return;
    current_id_ = "id-" + std::to_string(++invocations_);
    runtime_owes_ = true;
    api_.world.hub.expect();
    api_.world.hub.give(InvokeEvent{
        .deadline_ms = 1, .request_id = current_id_, .function_arn = "arn", .trace_id = {}});
    for (const auto& one : extensions_) {
      if (!one->invoke || one->state != "Ready") continue;
      CHECK(one->parked->get().body.find("\"" + current_id_ + "\"") != std::string::npos);
      one->parked.reset();
      one->state = "Running";
      one->owes = true;
    }
    auto next = std::make_shared<NextInvocation>();
    next->request_id = current_id_;
    exchange_ = std::async(std::launch::async, [this, next] {
      return api_.session.exchange(next, Session::TimePoint::max());
    });
    CHECK(runtime_parked_->get().header("Lambda-Runtime-Aws-Request-Id") == current_id_);
    runtime_parked_.reset();
    runtime_ = "Running";
  }

  void settle_if_done() {
    const bool owed = std::any_of(
        extensions_.begin(), extensions_.end(), [](const auto& one) { return one->owes; });
    if (!owed && !runtime_owes_) ++settled_;
  }

  void await_parked() {
    const auto parked = static_cast<std::size_t>(
        std::count_if(extensions_.begin(), extensions_.end(), [](const auto& one) {
          return one->parked.has_value();
        }));
    while (api_.world.hub.waiting_takers() != parked) std::this_thread::yield();
  }

  void check() {
    CHECK(printed_name(api_.session.state()) == runtime_);
    for (const auto& seen : api_.world.hub.extensions()) {
      const auto one = std::find_if(extensions_.begin(), extensions_.end(), [&](const auto& other) {
        return other->name == seen.name;
      });
      REQUIRE(one != extensions_.end());
      INFO(seen.name);
      CHECK(printed_name(seen.state) == (*one)->state);
    }
    CHECK(api_.world.settled().size() == settled_);
    CHECK(api_.world.reported().size() == reports_);
  }

  std::mt19937 random_;
  ExtensionApi api_;
  std::vector<std::unique_ptr<ModelExtension>> extensions_;
  std::string runtime_ = "Started";
  bool closed_ = false;
  bool runtime_owes_ = false;
  std::string current_id_;
  int invocations_ = 0;
  std::size_t settled_ = 0;
  std::size_t reports_ = 0;
  std::optional<std::future<ApiAnswer>> runtime_parked_;
  std::optional<std::future<ExchangeResult>> exchange_;
  std::optional<std::future<ApiAnswer>> restore_parked_;
  std::optional<std::future<RestoreResult>> restore_;
};

}  // namespace

TEST_CASE("whatever a runtime and extensions call in whatever order, the tables decide") {
  constexpr unsigned kRuns = 40;
  constexpr int kSteps = 80;
  for (unsigned seed = 1; seed <= kRuns; ++seed) {
    INFO("seed " << seed);
    Run run(seed);
    for (int i = 0; i < kSteps; ++i) {
      INFO("step " << i);
      run.step();
    }
    run.shut_down();
  }
}
