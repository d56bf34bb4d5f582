#include "emulator/invoke/streamed_invocation.h"

#include "tests/support/manual_clock.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <stdexcept>
#include <string>

using namespace emulator::invoke;
using namespace std::chrono_literals;
using emulator::environment::Responded;
using emulator::time::TimerDrive;
using emulator::time::TimerQueue;

namespace {

constexpr std::size_t kMiB = std::size_t{1024} * 1024;

std::unique_ptr<StreamedInvocation> start(Invoke invoke, StreamPace pace = {}) {
  return StreamedInvocation::start(std::move(invoke), {}, pace).value();
}

InvocationResult responded(std::string body) {
  return {Responded{std::move(body), "text/plain"}, "3", ""};
}

// A function that streams `bytes` bytes.
Invoke streaming(std::size_t bytes) {
  return [bytes](InvocationRequest request) -> StreamedInvocation::Ended {
    request.version_chosen("3");
    request.stream->begin("text/plain");
    const std::string block(kMiB, 'x');
    for (std::size_t sent = 0; sent < bytes; sent += block.size()) request.stream->write(block);
    return responded("");
  };
}

std::size_t drained(StreamedInvocation& invocation) {
  std::size_t bytes = 0;
  while (const auto piece = invocation.next()) bytes += piece->size();
  return bytes;
}

}  // namespace

TEST_CASE("a response is handed on while its invocation still runs", "[stream]") {
  std::promise<void> seen;
  auto invocation = start([&](InvocationRequest request) -> StreamedInvocation::Ended {
    request.version_chosen("3");
    request.stream->begin("text/html");
    request.stream->write("first");
    seen.get_future().wait();
    request.stream->write("second");
    return responded("");
  });
  const auto begun = invocation->await_begin();
  REQUIRE(begun);
  CHECK(begun->content_type == "text/html");
  CHECK(begun->executed_version == "3");
  CHECK(invocation->next() == "first");
  seen.set_value();
  CHECK(invocation->next() == "second");
  CHECK_FALSE(invocation->next());
  CHECK(invocation->end()->executed_version == "3");
}

TEST_CASE("an invocation that does not stream is over when it has not begun to", "[stream]") {
  auto whole = start([](const InvocationRequest&) { return responded("all of it"); });
  CHECK_FALSE(whole->await_begin());
  CHECK(std::get<Responded>(whole->end()->outcome).body == "all of it");
  auto refused = start([](const InvocationRequest&) -> StreamedInvocation::Ended {
    return tl::unexpected(Refusal{Refusal::Kind::function_not_found, "no"});
  });
  CHECK_FALSE(refused->await_begin());
  CHECK(refused->end().error().kind == Refusal::Kind::function_not_found);
}

TEST_CASE("an invocation goes on to its end when nobody reads its response", "[stream]") {
  std::atomic<bool> ended = false;
  auto invocation = start([&](InvocationRequest request) {
    auto result = streaming(10 * kMiB)(std::move(request));
    ended = true;
    return result;
  });
  CHECK(invocation->await_begin());
  invocation.reset();
  CHECK(ended);
}

TEST_CASE("a defect of an invocation is thrown where its end is asked for", "[stream]") {
  auto invocation = start([](const InvocationRequest&) -> StreamedInvocation::Ended {
    throw std::runtime_error("defect");
  });
  CHECK_FALSE(invocation->await_begin());
  CHECK_THROWS_AS(invocation->end(), std::runtime_error);
}

TEST_CASE("six megabytes pass while time stands still; the next come when it moves on",
          "[stream]") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  auto invocation = start(streaming(7 * kMiB), {{}, &clock, &timers});
  REQUIRE(invocation->await_begin());
  std::size_t passed = 0;
  while (passed < 6 * kMiB) passed += invocation->next()->size();
  auto rest = std::async(std::launch::async, [&] { return drained(*invocation); });
  // A megabyte is four steps; each lets the reader come as far as its next wait.
  while (rest.wait_for(0s) != std::future_status::ready) {
    if (const auto due = timers.earliest()) {
      CHECK(*due - clock.monotonic_now() <= 125ms);
      clock.advance(*due - clock.monotonic_now());
      timers.run_due();
    }
    std::this_thread::yield();
  }
  CHECK(passed + rest.get() == 7 * kMiB);
  CHECK(clock.monotonic_now() == std::chrono::steady_clock::time_point{1h} + 500ms);
}

TEST_CASE("an unlimited response needs no time", "[stream]") {
  tests::ManualClock clock;
  TimerQueue timers(clock, TimerDrive::by_hand);
  auto invocation = start(streaming(20 * kMiB), {{.bytes_per_second = 0}, &clock, &timers});
  CHECK(drained(*invocation) == 20 * kMiB);
}
