#include "emulator/harness/replay_run.h"

#include "emulator/harness/result_file.h"
#include "fixtures/digest.h"
#include "tests/support/manual_clock.h"
#include "tests/unit/emulator/harness/text_source.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace emulator;
using namespace emulator::harness;
using namespace std::chrono_literals;

namespace {

// A replay of one text through a function that is a lambda.
struct World {
  explicit World(const std::string& text, std::size_t concurrency = 1)
      : events({"f"}, [text](const std::string&) { return tests::text_source(text); }), terms() {
    terms.concurrency = concurrency;
    terms.function_name = "function";
  }

  std::unique_ptr<ReplayRun> make(
      std::function<environment::Outcome(const std::string& payload)> function) {
    return std::make_unique<ReplayRun>(
        terms,
        ReplayWorld{.clock = clock,
                    .timers = timers,
                    .invoke = [function = std::move(function)](invoke::InvocationRequest request)
                        -> tl::expected<invoke::InvocationResult, invoke::Refusal> {
                      invoke::InvocationResult result;
                      result.outcome = function(request.payload);
                      return result;
                    },
                    .new_request_id = [] { return std::string("id"); },
                    .broken = [this](const BrokenEvent& event) { broken.push_back(event.message); },
                    .results =
                        [this](const std::vector<ReplayResult>& batch) {
                          for (const auto& result : batch) results.push_back(result);
                          return true;
                        }},
        events);
  }

  std::vector<std::string> responses() const {
    std::vector<std::string> told;
    for (const auto& result : results) told.push_back(result.response.bytes);
    return told;
  }

  tests::ManualClock clock;
  time::TimerQueue timers{clock, time::TimerDrive::by_hand};
  EventReader events;
  ReplayTerms terms;
  std::vector<ReplayResult> results;
  std::vector<std::string> broken;
};

environment::Outcome echo(const std::string& payload) {
  return environment::Responded{payload, ""};
}

std::string numbered_events(int count, int keys) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "{\"key\":" + std::to_string(i % keys) + ",\"n\":" + std::to_string(i) + "}\n";
  }
  return text;
}

}  // namespace

TEST_CASE("every event is sent as it stands, and its result told in order", "[harness]") {
  World world("{ \"a\" :1}\nbroken\n2\n", 3);
  auto run = world.make(echo);
  run->run();
  CHECK_FALSE(run->stopped());
  CHECK(world.responses() == std::vector<std::string>{"{ \"a\" :1}", "2"});
  CHECK(world.results[0].input_sha256 == fixtures::sha256_hex("{ \"a\" :1}"));
  CHECK(world.results[1].position == 3);
  CHECK(world.broken.size() == 1);
}

TEST_CASE("results of many threads come in the order of their events", "[harness]") {
  World world(numbered_events(5000, 7), 8);
  auto run = world.make(echo);
  run->run();
  REQUIRE(world.results.size() == 5000);
  for (std::size_t i = 0; i < 5000; ++i) CHECK(world.results[i].position == i + 1);
}

TEST_CASE("events of one key run one after another, in order, beside others", "[harness]") {
  World world(numbered_events(3000, 5), 6);
  world.terms.order_key = JsonPointer::parse("/key").value();
  std::mutex mutex;
  std::map<std::string, std::vector<int>> order;
  std::map<std::string, int> inside;
  bool overlapped = false;
  auto run = world.make([&](const std::string& payload) {
    const auto key = std::string(*find_value(payload, {"key"}));
    {
      const std::lock_guard lock(mutex);
      if (++inside[key] > 1) overlapped = true;
      order[key].push_back(std::stoi(std::string(*find_value(payload, {"n"}))));
    }
    std::this_thread::yield();
    const std::lock_guard lock(mutex);
    --inside[key];
    return echo(payload);
  });
  run->run();
  CHECK(world.results.size() == 3000);
  CHECK_FALSE(overlapped);
  CHECK(order.size() == 5);
  for (const auto& [_, numbers] : order) CHECK(std::is_sorted(numbers.begin(), numbers.end()));
}

TEST_CASE("an event of a busy key does not keep another key's waiting", "[harness]") {
  World world("{\"k\":\"a\",\"n\":1}\n{\"k\":\"\\u0061\",\"n\":2}\n{\"k\":\"b\",\"n\":3}\n", 2);
  world.terms.order_key = JsonPointer::parse("/k").value();
  std::atomic<bool> other_ran = false;
  auto run = world.make([&](const std::string& payload) {
    if (payload.find("1}") != std::string::npos) other_ran.wait(false);
    if (payload.find("3}") != std::string::npos) {
      other_ran = true;
      other_ran.notify_all();
    }
    return echo(payload);
  });
  run->run();
  CHECK(world.results.size() == 3);
}

TEST_CASE("a slow event holds back no more than the window of results", "[harness]") {
  World world(numbered_events(20'000, 1), 4);
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t ended = 0;
  auto run = world.make([&](const std::string& payload) {
    std::unique_lock lock(mutex);
    ++ended;
    changed.notify_all();
    // The first waits until all that may overtake it have.
    if (payload.find("\"n\":0}") != std::string::npos) {
      changed.wait(lock, [&] { return ended == kResultWindow; });
    }
    return echo(payload);
  });
  run->run();
  CHECK(world.results.size() == 20'000);
}

TEST_CASE("a recorded pace waits for each event's time", "[harness]") {
  const auto event = [](const std::string& second) {
    return R"({"time":"2026-01-13T00:00:)" + second + "Z\"}\n";
  };
  World world(event("00") + event("10") + "{}\n" + event("05") + event("30"));
  world.terms.pace = parse_pace("2x").value();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::chrono::nanoseconds> sent;
  const auto started = world.clock.monotonic_now();
  auto run = world.make([&](const std::string& payload) {
    const std::lock_guard lock(mutex);
    sent.push_back(world.clock.monotonic_now() - started);
    changed.notify_all();
    return echo(payload);
  });
  std::jthread running([&] { run->run(); });
  const auto await_sent = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return sent.size() >= count; });
  };
  await_sent(1);
  // The timer may not be there yet when the clock moves; then nothing waits for it.
  world.clock.advance(5s);
  const auto run_until = [&](std::size_t count) {
    while (true) {
      world.timers.run_due();
      const std::lock_guard lock(mutex);
      if (sent.size() >= count) return;
      std::this_thread::yield();
    }
  };
  run_until(4);
  world.clock.advance(10s);
  run_until(5);
  running.join();
  CHECK(sent == std::vector<std::chrono::nanoseconds>{0s, 5s, 5s, 5s, 15s});
}

TEST_CASE("a run that is stopped tells no result of what its stop ended", "[harness]") {
  World world(numbered_events(1000, 1), 4);
  std::atomic<int> ran = 0;
  ReplayRun* running = nullptr;
  auto run = world.make([&](const std::string& payload) -> environment::Outcome {
    if (ran.fetch_add(1) < 100) return echo(payload);
    running->stop();
    return environment::RuntimeExited{.exit_code = {}, .signal = 9};
  });
  running = run.get();
  run->run();
  CHECK(run->stopped());
  CHECK(world.results.size() <= 104);
  for (std::size_t i = 0; i < world.results.size(); ++i) {
    CHECK(world.results[i].position == i + 1);
    CHECK(world.results[i].outcome == "responded");
  }
}

TEST_CASE("a stop ends the waiting for an event that is not due", "[harness]") {
  World world("{\"time\":\"2026-01-13T00:00:00Z\"}\n{\"time\":\"2027-01-13T00:00:00Z\"}\n");
  world.terms.pace = parse_pace("recorded").value();
  std::atomic<bool> sent = false;
  auto run = world.make([&](const std::string& payload) {
    sent = true;
    sent.notify_all();
    return echo(payload);
  });
  std::jthread running([&] { run->run(); });
  sent.wait(false);
  run->stop();
  running.join();
  CHECK(world.results.size() <= 1);
}

TEST_CASE("a run whose results nobody takes stops", "[harness]") {
  World world(numbered_events(100'000, 1), 3);
  std::atomic<int> ran = 0;
  ReplayRun run(world.terms,
                {.clock = world.clock,
                 .timers = world.timers,
                 .invoke = [&](auto) -> tl::expected<invoke::InvocationResult, invoke::Refusal> {
                   ++ran;
                   invoke::InvocationResult result;
                   result.outcome = environment::Responded{"1", ""};
                   return result;
                 },
                 .new_request_id = [] { return std::string("id"); },
                 .broken = [](const BrokenEvent&) {},
                 .results = [](const auto&) { return false; }},
                world.events);
  run.run();
  CHECK(run.stopped());
  CHECK(ran < 100'000);
}

TEST_CASE("an exception in a thread of a run reaches its caller", "[harness]") {
  World world(numbered_events(100, 1), 3);
  auto run = world.make([](const std::string&) -> environment::Outcome { throw 7; });
  CHECK_THROWS_AS(run->run(), int);
}

TEST_CASE("what was done before is skipped, and other events are refused", "[harness]") {
  const auto skip = [](const std::string& text, std::uint64_t position, const std::string& last) {
    World world(text);
    const auto skipped = skip_done(
        world.events,
        {.last_position = position, .last_input_sha256 = fixtures::sha256_hex(last), .bytes = 0},
        [](const BrokenEvent&) {});
    if (!skipped) return skipped.error().message;
    auto next = world.events.next();
    return std::holds_alternative<Event>(next) ? std::get<Event>(next).payload : "end";
  };
  CHECK(skip("1\n2\n3\n", 0, "") == "1");
  CHECK(skip("1\nx\n3\n4\n", 3, "3") == "4");
  CHECK(skip("1\n2\n", 2, "2") == "end");
  CHECK(skip("1\n2\n", 3, "3").find("no event 3") != std::string::npos);
  CHECK(skip("1\n5\n", 2, "2").find("f:2) is another one") != std::string::npos);
  CHECK(skip("1\nx\n", 2, "2").find("broken now") != std::string::npos);
}
