// Events over a kill -9 of the process that accepted them, at random instants.
#include "emulator/invoke/async_queue.h"
#include "tests/support/event_world.h"
#include "tests/support/forked_child.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <random>
#include <set>

using namespace emulator::invoke;
using tests::EventWorld;

namespace {

constexpr int kKills = 20;
constexpr std::int64_t kMostBeforeKill = 60;

const EventWorld::Limits kLimits = {.queue = {.threads = 4}, .outbox = {}};

std::unique_ptr<emulator::state::Store> open(const std::filesystem::path& folder) {
  auto store = emulator::state::open_store(folder);
  if (!store) throw std::runtime_error(store.error().message);
  return std::move(*store);
}

// Each end is delivered into a file, where no kill can take it back.
void deliver_into(EventWorld& world, const std::filesystem::path& file) {
  auto terms = EventWorld::default_terms("f");
  terms.on_success = "arn:aws:sqs:us-east-1:012345678901:ends";
  terms.on_failure = terms.on_success;
  world.set_terms("f", terms);
  world.set_deliver([file](const Delivery& delivery) -> tl::expected<std::string, DeliveryError> {
    std::ofstream(file, std::ios::app) << delivery.request_id + "\n" << std::flush;
    return "the file";
  });
}

// Accepts events until it is killed, and tells each that was accepted.
void accept_forever(const std::filesystem::path& folder,
                    const std::filesystem::path& ends,
                    std::int64_t first,
                    const tests::ForkedChild::Tell& tell) {
  const auto store = open(folder);
  EventWorld world(*store, kLimits, EventWorld::Begin::later);
  deliver_into(world, ends);
  world.functions.answer("f", {tests::fails(), tests::responds("1"), tests::fails()});
  world.begin();
  for (auto id = first;; ++id) {
    if (!world.accept("f", std::to_string(id), "{\"n\":1}")) ::_exit(1);
    tell(id);
  }
}

// Accepts one event, tells once its first attempt has failed, and waits to be killed.
void fail_once(const std::filesystem::path& folder, const tests::ForkedChild::Tell& tell) {
  const auto store = open(folder);
  EventWorld world(*store, kLimits, EventWorld::Begin::later);
  world.functions.answer("f", {tests::fails()});
  world.begin();
  if (!world.accept("f", "id")) ::_exit(1);
  world.settle();
  tell(1);
  while (true) ::pause();
}

}  // namespace

TEST_CASE("the attempts that an event had before a kill are shown after it", "[events]") {
  const tests::ScratchFolder scratch;
  const auto folder = scratch.path() / "state";
  tests::ForkedChild child([&](const auto& tell) { fail_once(folder, tell); });
  REQUIRE(child.next());
  child.kill_and_wait();
  const auto store = open(folder);
  EventWorld world(*store, kLimits);
  world.settle();
  const auto events = world.queue->events("f", 10);
  REQUIRE(events.size() == 1);
  CHECK(events[0].state == EventState::waiting);
  CHECK(events[0].next_due == WallTime(EventWorld::kStart) + std::chrono::seconds(60));
  REQUIRE(events[0].attempts.size() == 1);
  CHECK(events[0].attempts[0].started == WallTime(EventWorld::kStart));
  CHECK(events[0].attempts[0].outcome == "Oops");
  CHECK(events[0].attempts[0].wait == WaitFor{std::chrono::seconds(60), WaitReason::retry});
  world.advance(std::chrono::seconds(60));
  const auto after = world.queue->events("f", 10).at(0);
  CHECK(after.condition == Condition::success);
  REQUIRE(after.attempts.size() == 2);
  CHECK(after.attempts[1].outcome == "Success");
}

TEST_CASE("every event that was accepted before a kill ends after it, at least once", "[events]") {
  const tests::ScratchFolder scratch;
  const auto folder = scratch.path() / "state";
  const auto ends = scratch.path() / "ends";
  std::mt19937 random(4);
  std::int64_t last = -1;
  for (int kill = 0; kill < kKills; ++kill) {
    tests::ForkedChild child(
        [&](const auto& tell) { accept_forever(folder, ends, last + 1, tell); });
    const auto enough = last + 1 + static_cast<std::int64_t>(random() % kMostBeforeKill);
    while (last < enough) {
      const auto accepted = child.next();
      REQUIRE(accepted);
      last = *accepted;
    }
    child.kill_and_wait();
    // Accepted and told, but not read before the kill.
    while (const auto accepted = child.next()) last = *accepted;
  }
  const auto store = open(folder);
  EventWorld world(*store, kLimits, EventWorld::Begin::later);
  deliver_into(world, ends);
  world.begin();
  world.advance(std::chrono::hours(6));
  std::size_t left = 0;
  REQUIRE(store->each("events", [&](auto, auto) { ++left; }));
  CHECK(left == 0);
  std::set<std::string> ended;
  std::ifstream lines(ends);
  for (std::string line; std::getline(lines, line);) ended.insert(line);
  for (std::int64_t id = 0; id <= last; ++id) {
    INFO(id);
    CHECK(ended.contains(std::to_string(id)));
  }
}
