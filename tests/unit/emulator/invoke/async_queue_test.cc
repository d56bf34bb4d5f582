#include "emulator/invoke/async_queue.h"

#include "tests/support/event_world.h"
#include "tests/support/remembering_store.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <condition_variable>
#include <future>

using namespace emulator::invoke;
using namespace std::chrono_literals;
using tests::EventWorld;
using tests::fails;
using tests::refuses;
using tests::RememberingStore;
using tests::responds;

namespace {

const std::string kQueue = "arn:aws:sqs:us-east-1:012345678901:";

// When the attempts of that event began, in seconds since the start.
std::vector<std::chrono::seconds::rep> times_of(const EventWorld& world, const std::string& id) {
  std::vector<std::chrono::seconds::rep> times;
  for (const auto& seen : world.functions.seen()) {
    if (seen.request_id == id) times.push_back(seen.at.count());
  }
  return times;
}

EventStatus only(const EventWorld& world) {
  const auto events = world.queue->events("", 10);
  REQUIRE(events.size() == 1);
  return events[0];
}

// "Oops at 0, then 60 s (retry)" for each attempt that is shown.
std::vector<std::string> attempts_of(const EventStatus& status) {
  std::vector<std::string> shown;
  for (const auto& attempt : status.attempts) {
    const auto at = std::chrono::floor<std::chrono::seconds>(attempt.started - EventWorld::kStart);
    auto text = attempt.outcome + " at " + std::to_string(at.count());
    if (attempt.wait) {
      text += ", then " + std::to_string(attempt.wait->delay.count()) + " s (" +
              std::string(wait_reason_name(attempt.wait->reason)) + ")";
    }
    shown.push_back(std::move(text));
  }
  return shown;
}

nlohmann::json record(const Delivery& delivery) { return nlohmann::json::parse(delivery.body); }

using Times = std::vector<std::chrono::seconds::rep>;
using Attempts = std::vector<std::string>;

}  // namespace

TEST_CASE("an event that fails is run three times with one id, at once, after 1 and 2 minutes",
          "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  auto terms = EventWorld::default_terms("f");
  terms.on_failure = kQueue + "bad";
  world.set_terms("f", terms);
  world.functions.answer("f", {fails(), fails(), fails("last")});
  REQUIRE(world.accept("f", "id", "{\"n\":1}"));
  world.advance(10min);
  CHECK(times_of(world, "id") == Times{0, 60, 180});
  int attempt = 0;
  for (const auto& seen : world.functions.seen()) {
    CHECK(seen.attempt == ++attempt);
    CHECK(seen.payload == "{\"n\":1}");
  }
  const auto sent = world.delivered();
  REQUIRE(sent.size() == 1);
  const auto json = record(sent[0]);
  CHECK(json["requestContext"]["condition"] == "RetriesExhausted");
  CHECK(json["requestContext"]["approximateInvokeCount"] == 3);
  CHECK(json["responsePayload"]["errorMessage"] == "last");
  CHECK(json["timestamp"] == "2026-01-13T00:03:00.000Z");
}

TEST_CASE("attempts, delays and their reasons can be seen for each event", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  world.functions.answer("f",
                         {refuses(Refusal::Kind::concurrency_exceeded), fails(), responds("1")});
  REQUIRE(world.accept("f", "id"));
  world.settle();
  auto status = only(world);
  CHECK(status.state == EventState::waiting);
  CHECK(status.next_due == WallTime(EventWorld::kStart) + 1s);
  world.advance(1s);
  status = only(world);
  REQUIRE(status.attempts.size() == 2);
  CHECK(status.attempts[0].outcome == "Throttled");
  CHECK(status.attempts[0].wait == WaitFor{1s, WaitReason::throttle});
  CHECK(status.attempts[1].outcome == "Oops");
  CHECK(status.attempts[1].started == WallTime(EventWorld::kStart) + 1s);
  CHECK(status.attempts[1].wait == WaitFor{60s, WaitReason::retry});
  CHECK(status.attempts_begun == 1);
  CHECK(status.next_due == WallTime(EventWorld::kStart) + 61s);
  world.advance(60s);
  status = only(world);
  CHECK(status.state == EventState::done);
  CHECK(status.condition == Condition::success);
  CHECK(status.ended == WallTime(EventWorld::kStart) + 61s);
  CHECK_FALSE(status.next_due);
  CHECK(world.queue->events("other", 10).empty());
}

TEST_CASE("six hours of throttling pass in no time, and end with the event's age", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  auto terms = EventWorld::default_terms("f");
  terms.on_failure = kQueue + "bad";
  world.set_terms("f", terms);
  world.functions.answer(
      "f", std::vector<tests::Attempted>(1000, refuses(Refusal::Kind::concurrency_exceeded)));
  REQUIRE(world.accept("f", "id"));
  world.advance(7h);
  const auto status = only(world);
  CHECK(status.condition == Condition::event_age_exceeded);
  CHECK(status.attempts_begun == 0);
  const auto times = times_of(world, "id");
  CHECK(times.size() == 80);
  CHECK(times[9] == 511);
  // The next one would have begun at 21,811 seconds.
  CHECK(times.back() == 21'211 + 300);
  REQUIRE(world.delivered().size() == 1);
  CHECK(record(world.delivered()[0])["requestContext"]["approximateInvokeCount"] == 0);
}

TEST_CASE("a function error after throttling begins the back-off anew", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  const auto busy = refuses(Refusal::Kind::concurrency_exceeded);
  world.functions.answer("f", {busy, busy, fails(), busy, responds("1")});
  REQUIRE(world.accept("f", "id"));
  world.advance(10min);
  CHECK(times_of(world, "id") == Times{0, 1, 3, 63, 64});
}

TEST_CASE("an age of a minute leaves no time for a retry that comes later", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  auto terms = EventWorld::default_terms("f");
  terms.maximum_age = kShortestMaximumAge;
  terms.on_failure = kQueue + "bad";
  world.set_terms("f", terms);
  world.functions.answer("f", {fails(), fails()});
  REQUIRE(world.accept("f", "id"));
  world.advance(60s);
  CHECK(times_of(world, "id") == Times{0, 60});
  REQUIRE(world.delivered().size() == 1);
  const auto json = record(world.delivered()[0]);
  CHECK(json["requestContext"]["condition"] == "EventAgeExceeded");
  CHECK(json["requestContext"]["approximateInvokeCount"] == 2);
  CHECK(json["responseContext"]["functionError"] == "Unhandled");
}

TEST_CASE("without concurrency an accepted event goes to both failure targets unrun", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  auto terms = EventWorld::default_terms("f");
  terms.reserved_concurrency = ReservedConcurrency::zero;
  terms.on_failure = kQueue + "bad";
  terms.dead_letter = kQueue + "dead";
  world.set_terms("f", terms);
  REQUIRE(world.accept("f", "id", "[1]"));
  world.settle();
  CHECK(world.functions.seen().empty());
  const auto sent = world.delivered();
  REQUIRE(sent.size() == 2);
  CHECK(record(sent[0])["requestContext"]["condition"] == "ZeroReservedConcurrency");
  CHECK(sent[1].body == "[1]");
}

TEST_CASE("events that are due together begin in order of acceptance", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  world.functions.answer("slow", std::vector<tests::Attempted>(3, fails()));
  for (const auto* id : {"a", "b", "c"}) REQUIRE(world.accept("slow", id));
  world.advance(60s);
  std::string order;
  for (const auto& seen : world.functions.seen()) order += seen.request_id;
  CHECK(order == "abcabc");
}

TEST_CASE("an event whose function is gone is dropped, and that is told", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  world.functions.answer("f", {fails()});
  REQUIRE(world.accept("f", "id"));
  world.settle();
  world.set_terms("f", std::nullopt);
  world.advance(60s);
  CHECK(only(world).condition == Condition::function_not_found);
  REQUIRE(world.told().size() == 1);
  CHECK(world.told()[0].find("function f is gone") != std::string::npos);
  CHECK(times_of(world, "id") == Times{0});
}

TEST_CASE("terms are asked for at every decision", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  world.functions.answer("f", {fails(), fails()});
  REQUIRE(world.accept("f", "id"));
  world.advance(30s);
  auto terms = EventWorld::default_terms("f");
  terms.maximum_retries = 1;
  world.set_terms("f", terms);
  world.advance(1h);
  CHECK(times_of(world, "id") == Times{0, 60});
  CHECK(only(world).condition == Condition::retries_exhausted);
}

TEST_CASE("a function that is its own destination is stopped after sixteen invocations",
          "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  auto terms = EventWorld::default_terms("f");
  terms.on_success = terms.function_arn;
  terms.dead_letter = kQueue + "dead";
  world.set_terms("f", terms);
  int ids = 0;
  world.set_deliver([&](const Delivery& delivery) -> tl::expected<std::string, DeliveryError> {
    if (delivery.role != DeliveryRole::on_success) return "dead";
    InvocationRequest request;
    request.function_name = "f";
    request.request_id = std::to_string(++ids);
    request.payload = delivery.body;
    request.lineage = delivery.lineage;
    REQUIRE(world.queue->accept(std::move(request)));
    return "f";
  });
  REQUIRE(world.accept("f", "id"));
  world.settle();
  CHECK(world.functions.seen().size() == kMostInChain);
  const auto events = world.queue->events("", 1);
  REQUIRE(events.size() == 1);
  CHECK(events[0].condition == Condition::recursive_invocation);
  CHECK(world.delivered().back().role == DeliveryRole::dead_letter);
}

TEST_CASE("what was accepted is there after a kill, with its attempts, due time and age",
          "[events]") {
  RememberingStore store;
  EventWorld world(store);
  world.functions.answer("f", {fails(), refuses(Refusal::Kind::concurrency_exceeded)});
  REQUIRE(world.accept("f", "id", "{\"n\":1}"));
  world.advance(20s);
  world.restart();
  CHECK(only(world).attempts_begun == 1);
  CHECK(only(world).next_due == WallTime(EventWorld::kStart) + 60s);
  CHECK(attempts_of(only(world)) == Attempts{"Oops at 0, then 60 s (retry)"});
  world.advance(40s);
  CHECK(times_of(world, "id") == Times{0, 60});
  world.restart();
  CHECK(attempts_of(only(world)) ==
        Attempts{"Oops at 0, then 60 s (retry)", "Throttled at 60, then 1 s (throttle)"});
  world.functions.answer("f", {fails(), fails()});
  world.advance(10min);
  CHECK(times_of(world, "id") == Times{0, 60, 61, 181});
  CHECK(attempts_of(only(world)) == Attempts{"Oops at 0, then 60 s (retry)",
                                             "Throttled at 60, then 1 s (throttle)",
                                             "Oops at 61, then 120 s (retry)",
                                             "Oops at 181"});
  CHECK(only(world).condition == Condition::retries_exhausted);
  CHECK(world.functions.seen().back().attempt == 3);
  CHECK(store.documents["events"].empty());
  CHECK(store.documents["event_progress"].empty());
}

TEST_CASE("of an event's attempts the latest hundred are shown, over a kill too", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  auto terms = EventWorld::default_terms("f");
  terms.maximum_age = 24h;
  world.set_terms("f", terms);
  world.functions.answer(
      "f", std::vector<tests::Attempted>(1000, refuses(Refusal::Kind::concurrency_exceeded)));
  REQUIRE(world.accept("f", "id"));
  world.advance(12h);
  const auto before = attempts_of(only(world));
  CHECK(before.size() == kAttemptsShown);
  world.restart();
  CHECK(attempts_of(only(world)) == before);
}

TEST_CASE("what is left in the store of an event that is over says nothing of another one",
          "[events]") {
  RememberingStore store;
  store.documents["event_progress"]["00000000000000000001"] =
      R"({"attempts":3,"refusals":0,"due_ns":0})";
  EventWorld world(store);
  CHECK(store.documents["event_progress"].empty());
  world.functions.answer("f", {fails()});
  REQUIRE(world.accept("f", "id"));
  world.settle();
  CHECK(store.documents["events"].contains("00000000000000000002"));
  CHECK(only(world).attempts_begun == 1);
}

TEST_CASE("the age of an event goes on while nothing runs", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  world.functions.answer("f", {fails()});
  REQUIRE(world.accept("f", "id"));
  world.settle();
  world.stop();
  const auto moved = world.time.advance(std::chrono::hours(7), [] {});
  REQUIRE(moved);
  world.open();
  world.begin();
  world.settle();
  CHECK(only(world).condition == Condition::event_age_exceeded);
  CHECK(world.functions.seen().size() == 1);
}

TEST_CASE("an event's end and its deliveries are one commit", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  auto terms = EventWorld::default_terms("f");
  terms.on_success = kQueue + "good";
  world.set_terms("f", terms);
  // The commit is done when it is delivered.
  world.set_deliver([&](const Delivery&) -> tl::expected<std::string, DeliveryError> {
    CHECK(store.documents["events"].empty());
    CHECK(store.documents["deliveries"].size() == 1);
    CHECK(store.commits == 2);
    return "here";
  });
  REQUIRE(world.accept("f", "id"));
  world.settle();
  CHECK(store.documents["delivery_results"].size() == 1);
}

TEST_CASE("an event that cannot be kept is not accepted", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  store.failing = true;
  const auto refused = world.accept("f", "id");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Refusal::Kind::not_kept);
  world.settle();
  CHECK(world.functions.seen().empty());
  CHECK(world.queue->events("", 10).empty());
}

TEST_CASE("an event goes on although its progress cannot be kept, and that is told", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  world.functions.answer("f", {fails()});
  REQUIRE(world.accept("f", "id"));
  world.settle();
  store.failing = true;
  world.advance(60s);
  CHECK(only(world).condition == Condition::success);
  CHECK(world.told().size() == 1);
  // At least once: what the store still has is run again.
  store.failing = false;
  world.restart();
  world.settle();
  CHECK(times_of(world, "id") == Times{0, 60, 60});
}

TEST_CASE("a damaged record keeps the queue from opening", "[events]") {
  RememberingStore store;
  REQUIRE(store.commit({{"events", "00000000000000000001", "nonsense"}}));
  emulator::time::VirtualTime time(EventWorld::kStart);
  Activity activity;
  const AsyncWorld world{store, time.clock(), time.timers(), activity, [](const auto&) {}};
  const auto outbox = Outbox::open(world, {});
  REQUIRE(outbox);
  const auto queue = AsyncQueue::open(world, **outbox, {}, {});
  REQUIRE_FALSE(queue);
  CHECK(queue.error().find("00000000000000000001") != std::string::npos);
}

TEST_CASE("a full queue refuses as a throttle does, and takes events again", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld::Limits limits;
  limits.queue.events = 3;
  limits.queue.bytes = 100;
  EventWorld world(*store, limits);
  world.functions.answer(
      "f", std::vector<tests::Attempted>(3, refuses(Refusal::Kind::concurrency_exceeded)));
  SECTION("of events") {
    for (const auto* id : {"1", "2", "3"}) REQUIRE(world.accept("f", id));
  }
  SECTION("of bytes") {
    for (const auto* id : {"1", "2"}) REQUIRE(world.accept("f", id, std::string(50, ' ')));
  }
  const auto refused = world.accept("f", "4");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Refusal::Kind::concurrency_exceeded);
  world.advance(3s);
  CHECK(world.accept("f", "4"));
}

TEST_CASE("a closed queue refuses events and says how many are lost", "[events]") {
  SECTION("in memory") {
    const auto store = emulator::state::store_in_memory();
    EventWorld world(*store);
    world.functions.answer("f", {fails()});
    REQUIRE(world.accept("f", "1"));
    world.settle();
    CHECK(world.queue->close() == 1);
    const auto refused = world.accept("f", "2");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Refusal::Kind::shutting_down);
    world.settle();
  }
  SECTION("on disk none are") {
    RememberingStore store;
    EventWorld world(store);
    world.functions.answer("f", {fails()});
    REQUIRE(world.accept("f", "1"));
    world.settle();
    CHECK(world.queue->close() == 0);
  }
}

TEST_CASE("an event that the end of Hearth put back is not taken when another one is due",
          "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  world.functions.answer("f", {refuses(Refusal::Kind::shutting_down)});
  world.functions.answer("g", {fails(), fails()});
  REQUIRE(world.accept("f", "put back"));
  REQUIRE(world.accept("g", "another"));
  world.advance(10min);
  CHECK(times_of(world, "another") == Times{0, 60, 180});
  CHECK(times_of(world, "put back") == Times{0});
}

TEST_CASE("an attempt that the end of Hearth refused was not made, and is made at the next start",
          "[events]") {
  RememberingStore store;
  EventWorld world(store);
  world.functions.answer("f", {fails(), refuses(Refusal::Kind::shutting_down)});
  REQUIRE(world.accept("f", "id"));
  world.advance(60s);
  const auto check_put_back = [&] {
    CHECK(only(world).state == EventState::queued);
    CHECK(only(world).attempts_begun == 1);
    CHECK(attempts_of(only(world)) == Attempts{"Oops at 0, then 60 s (retry)"});
  };
  check_put_back();
  world.stop();
  world.open();
  check_put_back();
  world.begin();
  world.settle();
  CHECK(only(world).condition == Condition::success);
  CHECK(world.functions.seen().back().attempt == 2);
  CHECK(attempts_of(only(world)) == Attempts{"Oops at 0, then 60 s (retry)", "Success at 60"});
}

TEST_CASE("an event that a stop put back is counted as lost when nothing keeps it", "[events]") {
  const auto store = emulator::state::store_in_memory();
  emulator::time::VirtualTime time(EventWorld::kStart);
  Activity activity;
  const AsyncWorld world{*store, time.clock(), time.timers(), activity, [](const auto&) {}};
  auto outbox = Outbox::open(world, {});
  REQUIRE(outbox);
  std::promise<void> begun;
  std::promise<void> closed;
  auto queue = AsyncQueue::open(
      world,
      **outbox,
      [&](const InvocationRequest&, int) {
        begun.set_value();
        closed.get_future().wait();
        return refuses(Refusal::Kind::shutting_down);
      },
      [](const std::string& name, const auto&) {
        return std::optional(EventWorld::default_terms(name));
      },
      {.threads = 1});
  REQUIRE(queue);
  (*queue)->start();
  for (const auto* id : {"runs", "waits for the thread"}) {
    InvocationRequest request;
    request.function_name = "f";
    request.request_id = id;
    REQUIRE((*queue)->accept(std::move(request)));
    if (std::string_view(id) == "runs") begun.get_future().wait();
  }
  CHECK((*queue)->close() == 1);
  closed.set_value();
  (*queue)->stop();
  CHECK((*queue)->close() == 2);
  (*queue)->await_settled();
}

TEST_CASE("a slow function holds up no other one", "[events]") {
  const auto store = emulator::state::store_in_memory();
  emulator::time::VirtualTime time(EventWorld::kStart);
  Activity activity;
  const AsyncWorld world{*store, time.clock(), time.timers(), activity, [](const auto&) {}};
  auto outbox = Outbox::open(world, {});
  REQUIRE(outbox);
  std::mutex mutex;
  std::condition_variable changed;
  bool fast_done = false;
  auto opened = AsyncQueue::open(
      world,
      **outbox,
      [&](const InvocationRequest& request, int) -> tests::Attempted {
        std::unique_lock lock(mutex);
        if (request.function_name == "fast") {
          fast_done = true;
          changed.notify_all();
        } else {
          changed.wait(lock, [&] { return fast_done; });
        }
        return responds("1");
      },
      [](const std::string& name, const auto&) {
        return std::optional(EventWorld::default_terms(name));
      });
  REQUIRE(opened);
  auto& queue = **opened;
  queue.start();
  for (const auto* name : {"slow", "slow", "fast"}) {
    InvocationRequest request;
    request.function_name = name;
    REQUIRE(queue.accept(std::move(request)));
  }
  queue.await_settled();
  for (const auto& event : queue.events("", 10)) CHECK(event.condition == Condition::success);
}

TEST_CASE("a defect in an attempt is told, and the event is tried again", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  world.functions.answer("f", {refuses(Refusal::Kind::not_runnable)});
  REQUIRE(world.accept("f", "id"));
  world.advance(1s);
  CHECK(only(world).attempts[0].outcome == "ServiceError");
  CHECK(only(world).attempts[0].wait == WaitFor{1s, WaitReason::service_error});
  CHECK(only(world).condition == Condition::success);
}

TEST_CASE("of the events that ended the latest thousand can be seen", "[events]") {
  const auto store = emulator::state::store_in_memory();
  EventWorld world(*store);
  for (std::size_t i = 0; i < kEndedEventsKept + 50; ++i) {
    REQUIRE(world.accept("f", std::to_string(i)));
  }
  world.settle();
  const auto events = world.queue->events("", 2 * kEndedEventsKept);
  REQUIRE(events.size() == kEndedEventsKept);
  CHECK(events.front().request_id == std::to_string(kEndedEventsKept + 49));
  CHECK(events.back().request_id == "50");
  CHECK(world.queue->events("f", 3).size() == 3);
}
