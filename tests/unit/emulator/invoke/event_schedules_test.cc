// Random schedules under a clock that stands still, each from a seed: whatever functions answer,
// and however often Hearth is started anew, the promises of the queue hold.
#include "tests/support/event_world.h"
#include "tests/support/remembering_store.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <random>
#include <set>

using namespace emulator::invoke;
using namespace std::chrono_literals;
using tests::EventWorld;

namespace {

constexpr int kEvents = 60;
constexpr int kFunctions = 4;

std::string name_of(int function) { return "f" + std::to_string(function); }

tests::Attempted random_answer(std::mt19937& random) {
  switch (random() % 8) {
    case 0:
      return tests::refuses(Refusal::Kind::concurrency_exceeded);
    case 1:
      return tests::refuses(Refusal::Kind::not_runnable);
    case 2:
    case 3:
    case 4:
      return tests::fails();
    default:
      return tests::responds("1");
  }
}

Terms random_terms(int function, std::mt19937& random) {
  auto terms = EventWorld::default_terms(name_of(function));
  terms.maximum_retries = static_cast<int>(random() % 3);
  terms.maximum_age = std::chrono::seconds(60 + random() % 900);
  terms.on_success = "arn:aws:sqs:us-east-1:012345678901:ends";
  terms.on_failure = terms.on_success;
  if (random() % 8 == 0) terms.reserved_concurrency = ReservedConcurrency::zero;
  return terms;
}

struct Trace {
  std::vector<tests::ScriptedFunctions::Seen> attempts;
  std::vector<std::string> ends;  // the records, in order
  std::map<std::string, int> most_retries;
  bool operator==(const Trace&) const = default;
};

Trace run_schedule(std::uint32_t seed) {
  std::mt19937 random(seed);
  tests::RememberingStore store;
  EventWorld world(store);
  Trace trace;
  std::vector<int> retries;
  for (int function = 0; function < kFunctions; ++function) {
    const auto terms = random_terms(function, random);
    retries.push_back(terms.maximum_retries);
    world.set_terms(name_of(function), terms);
    std::vector<tests::Attempted> answers;
    for (int i = 0; i < 200; ++i) answers.push_back(random_answer(random));
    world.functions.answer(name_of(function), std::move(answers));
  }
  for (int i = 0; i < kEvents; ++i) {
    const int function = static_cast<int>(random() % kFunctions);
    const auto id = std::to_string(i);
    trace.most_retries[id] = retries[static_cast<std::size_t>(function)];
    REQUIRE(world.accept(name_of(function), id));
    if (random() % 2 == 0) world.advance(std::chrono::seconds(random() % 40));
    if (random() % 16 == 0) world.restart();
  }
  world.advance(1h);
  CHECK(store.documents["events"].empty());
  CHECK(store.documents["event_progress"].empty());
  trace.attempts = world.functions.seen();
  for (const auto& delivery : world.delivered()) trace.ends.push_back(delivery.body);
  return trace;
}

void check_promises(const Trace& trace) {
  std::set<std::string> ended;
  for (const auto& text : trace.ends) {
    const auto record = nlohmann::json::parse(text);
    const auto& context = record["requestContext"];
    const auto id = context["requestId"].get<std::string>();
    INFO(text);
    CHECK(ended.insert(id).second);
    const int count = context["approximateInvokeCount"].get<int>();
    CHECK(count <= trace.most_retries.at(id) + 1);
    if (context["condition"] == "RetriesExhausted") {
      CHECK(count == trace.most_retries.at(id) + 1);
    }
  }
  CHECK(ended.size() == kEvents);
  for (const auto& seen : trace.attempts) {
    CHECK(seen.attempt <= trace.most_retries.at(seen.request_id) + 1);
  }
}

}  // namespace

TEST_CASE("every accepted event has exactly one end and no attempt too many, whatever happens",
          "[events]") {
  for (std::uint32_t seed = 1; seed <= 25; ++seed) {
    INFO("seed " << seed);
    check_promises(run_schedule(seed));
  }
}

TEST_CASE("the same schedule of events twice gives the same trace", "[events]") {
  for (const std::uint32_t seed : {7U, 1234U, 99'999U}) {
    INFO("seed " << seed);
    CHECK(run_schedule(seed) == run_schedule(seed));
  }
}
