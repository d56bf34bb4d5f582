#include "runtime_api/extension_hub.h"

#include "tests/support/extension_hub_world.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

using namespace runtime_api;
using tests::ExtensionHubWorld;
using Awaited = ExtensionHub::Awaited;

namespace {

constexpr auto kLongAgo = ExtensionHub::TimePoint::min();
constexpr auto kNever = ExtensionHub::TimePoint::max();
constexpr EventSubscription kBoth{.invoke = true, .shutdown = true};
constexpr EventSubscription kInvoke{.invoke = true, .shutdown = false};
constexpr EventSubscription kNone{};

const std::function<bool()> kListening = [] { return true; };

// A call for the next event on a thread of its own.
class Poll {
 public:
  Poll(ExtensionHub& hub, std::string identifier, std::function<bool()> connected = kListening)
      : hub_(hub),
        connected_(std::move(connected)),
        result_(std::async(std::launch::async, [this, &hub, id = std::move(identifier)] {
          return hub.take(id, connected_);
        })) {}
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;
  // A test that fails does not wait for an event that nobody gives any more.
  ~Poll() {
    if (result_.valid()) hub_.end();
  }
  TakeEventResult get() { return result_.get(); }
  std::string text() {
    const auto result = result_.get();
    const auto* event = std::get_if<GivenEvent>(&result);
    return event == nullptr ? "no event" : *event->text;
  }

 private:
  ExtensionHub& hub_;
  std::function<bool()> connected_;
  std::future<TakeEventResult> result_;
};

void await_takers(const ExtensionHub& hub, std::size_t count) {
  while (hub.waiting_takers() != count) std::this_thread::yield();
}

InvokeEvent invocation(const std::string& id) {
  return {.deadline_ms = 1000, .request_id = id, .function_arn = "arn", .trace_id = {}};
}

std::string refused_from(const TakeEventResult& result) {
  const auto* refused = std::get_if<ExtensionRefused>(&result);
  if (refused == nullptr) return "not refused";
  if (refused->reason == ExtensionRefused::Reason::unknown_identifier) return "unknown";
  return std::string(printed_name(refused->from));
}

}  // namespace

TEST_CASE("a hub waits until everyone who was launched has registered") {
  ExtensionHubWorld world({"a", "b"});
  CHECK(world.hub.await_registered(kLongAgo) == Awaited::deadline_passed);
  REQUIRE(world.hub.register_extension("b", kBoth));
  CHECK(world.hub.await_registered(kLongAgo) == Awaited::deadline_passed);
  REQUIRE(world.hub.register_extension("a", kNone));
  CHECK(world.hub.await_registered(kLongAgo) == Awaited::done);
  CHECK(world.hub.census().external == 2);
  CHECK(world.hub.census().internal == 0);
}

TEST_CASE(
    "without extensions a hub is registered and ready at once, and settles with its runtime") {
  ExtensionHubWorld world;
  CHECK(world.hub.await_registered(kLongAgo) == Awaited::done);
  CHECK(world.hub.await_ready(kLongAgo) == Awaited::done);
  CHECK_FALSE(world.hub.tells_of_invocations());
  world.hub.runtime_settled("Runtime.Unknown");
  CHECK(world.settled() == std::vector<std::string>{"Runtime.Unknown"});
}

TEST_CASE("a hub is ready when everyone who has registered has asked for an event") {
  ExtensionHubWorld world({"a"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  const auto inner = world.hub.register_extension("inner", kNone).value();
  CHECK(world.hub.await_ready(kLongAgo) == Awaited::deadline_passed);
  Poll first(world.hub, a);
  await_takers(world.hub, 1);
  CHECK(world.hub.await_ready(kLongAgo) == Awaited::deadline_passed);
  Poll second(world.hub, inner);
  CHECK(world.hub.await_ready(kNever) == Awaited::done);
  world.hub.end();
  CHECK(std::holds_alternative<HubEnded>(first.get()));
  CHECK(std::holds_alternative<HubEnded>(second.get()));
}

TEST_CASE("registration is refused for a name that is taken, when closed, and beyond ten") {
  using Reason = RegistrationRefused::Reason;
  ExtensionHubWorld world({"a"});
  REQUIRE(world.hub.register_extension("a", kBoth));
  const auto again = world.hub.register_extension("a", kBoth);
  REQUIRE_FALSE(again);
  CHECK(again.error().reason == Reason::invalid_transition);
  CHECK(again.error().from == ExtensionState::registered);
  for (int i = 1; i < 10; ++i) {
    REQUIRE(world.hub.register_extension("inner" + std::to_string(i), kNone));
  }
  CHECK(world.hub.register_extension("inner1", kNone).error().reason == Reason::name_taken);
  CHECK(world.hub.register_extension("inner10", kNone).error().reason == Reason::too_many);
  world.hub.close_registration();
  CHECK(world.hub.register_extension("late", kNone).error().reason == Reason::closed);
  CHECK(world.hub.census().internal == 9);
}

TEST_CASE("an invocation is told to those who subscribed, and settles with the last to ask again") {
  ExtensionHubWorld world({"a", "b", "c"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  const auto b = world.hub.register_extension("b", kInvoke).value();
  const auto c = world.hub.register_extension("c", {.invoke = false, .shutdown = true}).value();
  Poll of_a(world.hub, a);
  Poll of_b(world.hub, b);
  Poll of_c(world.hub, c);
  REQUIRE(world.hub.await_ready(kNever) == Awaited::done);
  CHECK(world.hub.tells_of_invocations());
  world.hub.expect();
  world.hub.give(invocation("id-1"));
  CHECK(of_a.text() == of_b.text());
  await_takers(world.hub, 1);

  world.hub.runtime_settled("");
  CHECK(world.settled().empty());
  Poll again_a(world.hub, a);
  await_takers(world.hub, 2);
  CHECK(world.settled().empty());
  Poll again_b(world.hub, b);
  await_takers(world.hub, 3);
  CHECK(world.settled() == std::vector<std::string>{""});

  // The other way round: the runtime is the last.
  world.hub.expect();
  world.hub.give(invocation("id-2"));
  CHECK(again_a.text() != "no event");
  CHECK(again_b.text() != "no event");
  Poll third_a(world.hub, a);
  Poll third_b(world.hub, b);
  await_takers(world.hub, 3);
  CHECK(world.settled().size() == 1);
  world.hub.runtime_settled("Runtime.Refused");
  CHECK(world.settled() == std::vector<std::string>{"", "Runtime.Refused"});
  world.hub.end();
}

TEST_CASE("a runtime that is done before the extensions were told settles nothing") {
  ExtensionHubWorld world({"a"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  Poll first(world.hub, a);
  await_takers(world.hub, 1);
  world.hub.expect();
  world.hub.runtime_settled("");
  CHECK(world.settled().empty());
  world.hub.give(invocation("id-1"));
  CHECK(first.text() != "no event");
  Poll second(world.hub, a);
  await_takers(world.hub, 1);
  CHECK(world.settled() == std::vector<std::string>{""});
  world.hub.end();
}

TEST_CASE("a second call for the next event is refused while the first one listens") {
  ExtensionHubWorld world({"a"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  Poll first(world.hub, a);
  await_takers(world.hub, 1);
  CHECK(refused_from(world.hub.take(a, kListening)) == "Ready");
  CHECK(refused_from(world.hub.take(tests::numbered_uuid(99), kListening)) == "unknown");
  world.hub.end();
}

TEST_CASE("a call that has hung up makes way for the next one, which gets the event") {
  ExtensionHubWorld world({"a"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  std::atomic<bool> listens = true;
  Poll first(world.hub, a, [&] { return listens.load(); });
  await_takers(world.hub, 1);
  listens = false;
  SECTION("before there is an event") {
    Poll second(world.hub, a);
    CHECK(std::holds_alternative<ExtensionGone>(first.get()));
    await_takers(world.hub, 1);
    world.hub.expect();
    world.hub.give(invocation("id-1"));
    CHECK(second.text() != "no event");
  }
  SECTION("after one was given") {
    world.hub.expect();
    world.hub.give(invocation("id-1"));
    CHECK(std::holds_alternative<ExtensionGone>(first.get()));
    world.hub.runtime_settled("");
    Poll second(world.hub, a);
    CHECK(second.text() != "no event");
    CHECK(world.settled().empty());
    Poll third(world.hub, a);
    await_takers(world.hub, 1);
    CHECK(world.settled().size() == 1);
  }
}

TEST_CASE("an error is reported once, and no event is given to who reported it") {
  ExtensionHubWorld world({"a", "b"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  const auto b = world.hub.register_extension("b", kBoth).value();
  CHECK(world.hub.report_error(a, ExtensionErrorPhase::init, "Extension.NoKey"));
  CHECK(world.hub.report_error(a, ExtensionErrorPhase::init, "Extension.NoKey"));
  CHECK(world.reported() == std::vector<std::string>{"a init"});
  CHECK(refused_from(world.hub.take(a, kListening)) == "InitError");
  Poll poll(world.hub, b);
  await_takers(world.hub, 1);
  CHECK_FALSE(world.hub.report_error(b, ExtensionErrorPhase::init, "Extension.Late"));
  CHECK(world.hub.report_error(b, ExtensionErrorPhase::exit, "Extension.Gone"));
  CHECK(std::holds_alternative<ExtensionGone>(poll.get()));
  CHECK(world.reported() == std::vector<std::string>{"a init", "b exit"});
  CHECK(world.hub.give(ShutdownEvent{.reason = "failure", .deadline_ms = 1}).empty());
  const auto told = world.hub.extensions();
  CHECK(told.at(0).error_type == "Extension.NoKey");
  CHECK(told.at(1).state == ExtensionState::exit_error);
}

TEST_CASE("the end is told to external subscribers, whether they wait or ask for it later") {
  ExtensionHubWorld world({"waits", "works", "deaf"});
  const auto waits = world.hub.register_extension("waits", kBoth).value();
  const auto works = world.hub.register_extension("works", kBoth).value();
  const auto deaf = world.hub.register_extension("deaf", kInvoke).value();
  const auto inner = world.hub.register_extension("inner", kInvoke).value();
  Poll of_waits(world.hub, waits);
  Poll of_deaf(world.hub, deaf);
  Poll of_inner(world.hub, inner);
  await_takers(world.hub, 3);
  CHECK(world.hub.give(ShutdownEvent{.reason = "spindown", .deadline_ms = 2000}) ==
        std::vector<std::string>{"waits", "works"});
  const std::string expected =
      "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"spindown\",\"deadlineMs\":2000}";
  CHECK(of_waits.text() == expected);
  Poll of_works(world.hub, works);
  CHECK(of_works.text() == expected);
  await_takers(world.hub, 2);
  world.hub.end();
}

TEST_CASE("an abandoned hub ends its environment's waits and keeps extensions parked") {
  ExtensionHubWorld world({"a", "b"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  Poll poll(world.hub, a);
  await_takers(world.hub, 1);
  world.hub.abandon();
  CHECK(world.hub.await_registered(kNever) == Awaited::ended);
  CHECK(world.hub.await_ready(kNever) == Awaited::ended);
  CHECK_FALSE(world.hub.register_extension("b", kBoth));
  world.hub.runtime_settled("");
  CHECK(world.settled().empty());
  CHECK(world.hub.waiting_takers() == 1);
  CHECK(world.hub.give(ShutdownEvent{.reason = "failure", .deadline_ms = 1}).size() == 1);
  CHECK(poll.text() != "no event");
}

TEST_CASE("an extension whose process has ended can do nothing more") {
  ExtensionHubWorld world({"a", "never"});
  const auto a = world.hub.register_extension("a", kBoth).value();
  world.hub.ended("a", ExtensionCause::process_ended);
  world.hub.ended("never", ExtensionCause::launch_failed, "PermissionDenied");
  CHECK(refused_from(world.hub.take(a, kListening)) == "Exited");
  CHECK_FALSE(world.hub.report_error(a, ExtensionErrorPhase::exit, "Extension.Gone"));
  CHECK(world.hub.extensions().at(1).state == ExtensionState::launch_error);
  CHECK(world.hub.extensions().at(1).error_type == "PermissionDenied");
  CHECK(world.hub.name_of(a) == "a");
  CHECK_FALSE(world.hub.name_of(""));
}
