#include "emulator/invoke/outbox.h"

#include "tests/support/event_world.h"
#include "tests/support/remembering_store.h"

#include <catch2/catch_test_macros.hpp>

#include <condition_variable>

using namespace emulator::invoke;
using namespace std::chrono_literals;
using tests::EventWorld;
using tests::RememberingStore;

namespace {

using Result = tl::expected<std::string, DeliveryError>;

const std::string kQueue = "arn:aws:sqs:us-east-1:012345678901:";

Delivery to(const std::string& target, std::string body = "{}") {
  Delivery delivery;
  delivery.target_arn = target;
  delivery.function_name = "f";
  delivery.request_id = body;
  delivery.body = std::move(body);
  return delivery;
}

void send(EventWorld& world, emulator::state::Store& store, std::vector<Delivery> deliveries) {
  REQUIRE(store.commit(world.outbox->admit(deliveries)));
  world.outbox->send(std::move(deliveries));
}

Result no_answer() {
  return tl::unexpected(DeliveryError{DeliveryError::Kind::passing, "no answer"});
}

}  // namespace

TEST_CASE("a delivery that fails is tried again twice, later and later, and then recorded",
          "[events]") {
  RememberingStore store;
  EventWorld world(store);
  std::vector<std::chrono::seconds::rep> times;
  world.set_deliver([&](const Delivery&) {
    times.push_back(world.since_start().count());
    return no_answer();
  });
  send(world, store, {to(kQueue + "q")});
  world.settle();
  CHECK(world.outbox->deliveries("f", 10).at(0).state == Delivery::State::waiting);
  world.advance(1min);
  CHECK(times == std::vector<std::chrono::seconds::rep>{0, 1, 3});
  const auto shown = world.outbox->deliveries("", 10);
  REQUIRE(shown.size() == 1);
  CHECK(shown[0].state == Delivery::State::failed);
  CHECK(shown[0].tries == kMostDeliveryTries);
  CHECK(shown[0].error == "no answer");
  CHECK(world.told().size() == 1);
  world.restart();
  CHECK(world.outbox->deliveries("", 10).at(0).error == "no answer");
  CHECK(times.size() == 3);
}

TEST_CASE("what can never be delivered is not tried again", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  int calls = 0;
  world.set_deliver([&](const Delivery&) -> Result {
    ++calls;
    return tl::unexpected(DeliveryError{DeliveryError::Kind::permanent, "no such queue"});
  });
  send(world, store, {to(kQueue + "q"), to(kQueue + "q.fifo")});
  world.settle();
  CHECK(calls == 1);  // a FIFO queue is refused without asking
  for (const auto& delivery : world.outbox->deliveries("", 10)) {
    CHECK(delivery.state == Delivery::State::failed);
    CHECK_FALSE(delivery.error.empty());
  }
}

TEST_CASE("what was admitted is delivered after a kill, what was delivered is not again",
          "[events]") {
  RememberingStore store;
  EventWorld world(store);
  send(world, store, {to(kQueue + "q", "one")});
  world.settle();
  std::vector<Delivery> cut_off = {to(kQueue + "q", "two")};
  REQUIRE(store.commit(world.outbox->admit(cut_off)));
  world.restart();
  world.settle();
  REQUIRE(world.delivered().size() == 2);
  CHECK(world.delivered()[1].body == "two");
  const auto shown = world.outbox->deliveries("", 10);
  REQUIRE(shown.size() == 2);
  CHECK(shown[0].body == "two");
  CHECK(shown[0].where == "here");
}

TEST_CASE("deliveries to one target keep their order, and a slow one holds up no other target",
          "[events]") {
  RememberingStore store;
  EventWorld::Limits limits;
  limits.outbox.threads = 2;
  EventWorld world(store, limits);
  std::mutex mutex;
  std::condition_variable changed;
  std::string order;
  world.set_deliver([&](const Delivery& delivery) -> Result {
    std::unique_lock lock(mutex);
    if (delivery.body == "slow") {
      changed.wait(lock, [&] { return order == "abc"; });
    } else {
      order += delivery.body;
      changed.notify_all();
    }
    return "here";
  });
  send(world,
       store,
       {to(kQueue + "stuck", "slow"),
        to(kQueue + "q", "a"),
        to(kQueue + "q", "b"),
        to(kQueue + "q", "c")});
  world.settle();
  CHECK(order == "abc");
  CHECK(world.outbox->deliveries("", 10).size() == 4);
}

TEST_CASE("deliveries that are over are kept up to a number and a size", "[events]") {
  RememberingStore store;
  EventWorld::Limits limits;
  limits.outbox.kept = 5;
  limits.outbox.bytes_kept = 300;
  EventWorld world(store, limits);
  for (const auto* body : {"1", "2", "3", "4", "5", "6", "7"}) {
    send(world, store, {to(kQueue + "q", body)});
  }
  world.settle();
  auto shown = world.outbox->deliveries("", 100);
  REQUIRE(shown.size() == 5);
  CHECK(shown.back().body == "3");
  CHECK(store.documents["deliveries"].size() == 5);
  CHECK(store.documents["delivery_results"].size() == 5);
  for (int i = 0; i < 4; ++i) send(world, store, {to(kQueue + "q", std::string(100, 'x'))});
  world.settle();
  CHECK(world.outbox->deliveries("", 100).size() == 3);
  CHECK(store.documents["deliveries"].size() == 3);
  CHECK(store.documents["delivery_results"].size() == 3);
}

TEST_CASE("a delivery that the end of Hearth stops waits in the store", "[events]") {
  RememberingStore store;
  EventWorld world(store);
  world.set_deliver([](const Delivery&) -> Result {
    return tl::unexpected(DeliveryError{DeliveryError::Kind::stopping, "stopping"});
  });
  send(world, store, {to(kQueue + "q")});
  world.settle();
  CHECK(world.outbox->close() == 0);
  world.set_deliver({});
  world.restart();
  world.settle();
  CHECK(world.delivered().size() == 1);
}

TEST_CASE("what became of a former delivery is not said of a new one", "[events]") {
  RememberingStore store;
  store.documents["delivery_results"]["00000000000000000001"] =
      R"({"delivered":true,"tries":1,"where":"elsewhere","error":""})";
  EventWorld world(store);
  CHECK(store.documents["delivery_results"].empty());
  std::vector<Delivery> cut_off = {to(kQueue + "q", "new")};
  REQUIRE(store.commit(world.outbox->admit(cut_off)));
  CHECK(cut_off[0].sequence == 2);
  world.restart();
  world.settle();
  REQUIRE(world.delivered().size() == 1);
  CHECK(world.outbox->deliveries("", 10).at(0).where == "here");
}

TEST_CASE("a result with a key that is no number keeps the outbox from opening", "[events]") {
  RememberingStore store;
  store.documents["delivery_results"]["stray"] = "{}";
  emulator::time::VirtualTime time(EventWorld::kStart);
  Activity activity;
  const AsyncWorld world{store, time.clock(), time.timers(), activity, [](const auto&) {}};
  const auto outbox = Outbox::open(world, {});
  REQUIRE_FALSE(outbox);
  CHECK(outbox.error().find("stray") != std::string::npos);
}

TEST_CASE("what is too much to be shown at the start is removed from the store", "[events]") {
  RememberingStore store;
  {
    EventWorld world(store);
    for (const auto* body : {"1", "2", "3", "4"}) send(world, store, {to(kQueue + "q", body)});
    world.settle();
  }
  EventWorld::Limits fewer;
  fewer.outbox.kept = 2;
  SECTION("at once") {
    const EventWorld world(store, fewer);
    CHECK(store.documents["deliveries"].size() == 2);
    CHECK(store.documents["delivery_results"].size() == 2);
    CHECK(world.outbox->deliveries("", 10).back().body == "3");
    CHECK(world.told().empty());
  }
  SECTION("or at the next start, when the store refuses now") {
    store.failing = true;
    {
      const EventWorld world(store, fewer);
      CHECK(world.outbox->deliveries("", 10).size() == 2);
      CHECK(world.told().size() == 1);
    }
    store.failing = false;
    CHECK(store.documents["deliveries"].size() == 4);
    const EventWorld world(store, fewer);
    CHECK(store.documents["deliveries"].size() == 2);
  }
}

TEST_CASE("deliveries that come after the close wait, and count as lost when nothing keeps them",
          "[events]") {
  const auto in_memory = emulator::state::store_in_memory();
  EventWorld world(*in_memory);
  CHECK(world.outbox->close() == 0);
  send(world, *in_memory, {to(kQueue + "q", "late")});
  world.settle();
  CHECK(world.outbox->close() == 1);
  CHECK(world.outbox->deliveries("", 10).at(0).state == Delivery::State::waiting);
  CHECK(world.delivered().empty());
}
