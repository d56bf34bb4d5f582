#include "runtime_api/concurrent_session.h"

#include "runtime_api/runtime_routes.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <atomic>
#include <future>
#include <random>
#include <set>
#include <thread>
#include <vector>

using namespace runtime_api;

namespace {

constexpr auto kNever = ConcurrentSession::TimePoint::max();
constexpr auto kPassed = ConcurrentSession::TimePoint::min();
const auto kConnected = [] { return true; };
const auto kGone = [] { return false; };

SharedInvocation invocation(const std::string& id) {
  auto next = std::make_shared<NextInvocation>();
  next->request_id = id;
  return next;
}

RuntimeAnswer answer(const std::string& body) {
  RuntimeAnswer result;
  result.body = body;
  return result;
}

std::string taken_id(TakeResult taken) {
  auto* shared = std::get_if<SharedInvocation>(&taken);
  return shared == nullptr ? "none" : (*shared)->request_id;
}

std::string told(const ConcurrentResult& result) {
  if (const auto* answered = std::get_if<RuntimeAnswer>(&result)) return answered->body;
  if (std::holds_alternative<NoIdlePoll>(result)) return "no idle poll";
  if (std::holds_alternative<DuplicateId>(result)) return "duplicate";
  if (std::holds_alternative<DeadlinePassed>(result)) return "timeout";
  return std::get<SessionEnded>(result).taken ? "ended, taken" : "ended";
}

std::future<std::string> poll(ConcurrentSession& session, std::function<bool()> connected) {
  return std::async(std::launch::async, [&session, connected = std::move(connected)] {
    return taken_id(session.take(connected));
  });
}

std::future<std::string> exchange(ConcurrentSession& session, const std::string& id) {
  return std::async(std::launch::async,
                    [&session, id] { return told(session.exchange(invocation(id), kNever)); });
}

void await_idle(const ConcurrentSession& session, std::size_t polls) {
  while (session.idle_polls() != polls) std::this_thread::yield();
}

// With a deadline that passes once the runtime holds the invocation.
void time_out(ConcurrentSession& session, const std::string& id) {
  auto one = poll(session, kConnected);
  await_idle(session, 1);
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds{1};
  CHECK(told(session.exchange(invocation(id), soon)) == "timeout");
  CHECK(one.get() == id);
}

}  // namespace

TEST_CASE("several invocations are under way at once and answered in any order") {
  ConcurrentSession session;
  auto first = poll(session, kConnected);
  auto second = poll(session, kConnected);
  await_idle(session, 2);
  CHECK(std::holds_alternative<RuntimeReady>(session.await_init(kNever)));
  auto a = exchange(session, "a");
  auto b = exchange(session, "b");
  CHECK(std::set<std::string>{first.get(), second.get()} == std::set<std::string>{"a", "b"});
  CHECK(session.in_flight() == 2);
  for (const auto* id : {"b", "a"}) {
    REQUIRE(session.begin_answer(id));
    session.complete_answer(id, answer(std::string("for ") + id));
  }
  CHECK(a.get() == "for a");
  CHECK(b.get() == "for b");
}

TEST_CASE("an invocation for which no call is parked is turned away at once") {
  ConcurrentSession session;
  CHECK(told(session.exchange(invocation("a"), kNever)) == "no idle poll");
}

TEST_CASE("two invocations of one id are not under way at once") {
  ConcurrentSession session;
  auto first = poll(session, kConnected);
  auto second = poll(session, kConnected);
  await_idle(session, 2);
  auto a = exchange(session, "a");
  await_idle(session, 1);
  CHECK(told(session.exchange(invocation("a"), kNever)) == "duplicate");
  session.end();
  CHECK(a.get().starts_with("ended"));
}

TEST_CASE("a parked call whose client is gone is not given an invocation") {
  ConcurrentSession session;
  auto dead = poll(session, kGone);
  await_idle(session, 1);
  SECTION("where it was the only one, the invocation is turned away") {
    CHECK(told(session.exchange(invocation("a"), kNever)) == "no idle poll");
    CHECK(dead.get() == "none");
  }
  SECTION("where another one waits, that one is given it") {
    auto alive = poll(session, kConnected);
    await_idle(session, 2);
    auto a = exchange(session, "a");
    CHECK(alive.get() == "a");
    REQUIRE(session.begin_answer("a"));
    session.complete_answer("a", answer("done"));
    CHECK(a.get() == "done");
    session.end();
    CHECK(dead.get() == "none");
  }
}

TEST_CASE("a timeout ends its own invocation only, and its late answer is told so once") {
  ConcurrentSession session;
  time_out(session, "a");
  CHECK(session.begin_answer("a").error() == AnswerRefusal::timed_out);
  CHECK(session.begin_answer("a").error() == AnswerRefusal::unknown_id);
  auto two = poll(session, kConnected);
  await_idle(session, 1);
  auto b = exchange(session, "b");
  CHECK(two.get() == "b");
  REQUIRE(session.begin_answer("b"));
  session.complete_answer("b", answer("well"));
  CHECK(b.get() == "well");
}

TEST_CASE("an id that was never given, or has its answer, is refused") {
  ConcurrentSession session;
  CHECK(session.begin_answer("never").error() == AnswerRefusal::unknown_id);
  auto one = poll(session, kConnected);
  await_idle(session, 1);
  auto a = exchange(session, "a");
  CHECK(one.get() == "a");
  REQUIRE(session.begin_answer("a"));
  CHECK(session.begin_answer("a").error() == AnswerRefusal::already_answered);
  session.complete_answer("a", answer("once"));
  CHECK(a.get() == "once");
  CHECK(session.begin_answer("a").error() == AnswerRefusal::unknown_id);
}

TEST_CASE("the end of the runtime ends every invocation that is under way") {
  ConcurrentSession session;
  auto one = poll(session, kConnected);
  auto two = poll(session, kConnected);
  await_idle(session, 2);
  auto a = exchange(session, "a");
  auto b = exchange(session, "b");
  one.get();
  two.get();
  session.end();
  CHECK(a.get() == "ended, taken");
  CHECK(b.get() == "ended, taken");
  CHECK(told(session.exchange(invocation("c"), kNever)) == "ended");
  CHECK(taken_id(session.take(kConnected)) == "none");
}

TEST_CASE("an init error is taken before the first call for an invocation, and only there") {
  ConcurrentSession session;
  SECTION("before") {
    REQUIRE(session.report_init_error({"Runtime.Broken", "{}"}));
    CHECK(std::holds_alternative<InitError>(session.await_init(kNever)));
    CHECK(std::holds_alternative<CallRefused>(session.take(kConnected)));
  }
  SECTION("after") {
    auto one = poll(session, kConnected);
    await_idle(session, 1);
    CHECK_FALSE(session.report_init_error({"Runtime.Broken", "{}"}));
    session.end();
    one.get();
  }
  SECTION("neither") { CHECK(std::holds_alternative<DeadlinePassed>(session.await_init(kPassed))); }
}

TEST_CASE("an answer to a timed out invocation is refused with 410 and then 400") {
  ConcurrentSession session;
  time_out(session, "a");
  const PostedRequest posted;
  CHECK(answer_response(session, {"a"}, posted).status == 410);
  CHECK(answer_response(session, {"a"}, posted).status == 400);
  CHECK(answer_error(session, {"b"}, posted).status == 400);
}

// Random callers and polls, some of whose clients are gone, against what must hold whatever their
// order: each answer reaches the one invocation of its id, and everything comes to an end.
TEST_CASE("whatever the order of polls, answers and departures, each caller has its own answer") {
  const auto seed = GENERATE(range(1U, 21U));
  ConcurrentSession session;
  constexpr int kPolls = 4;
  constexpr int kCallers = 4;
  constexpr int kEach = 50;
  std::atomic<int> unexpected = 0;  // assertions are for the thread of the test
  std::vector<std::thread> runtime;
  for (int poller = 0; poller < kPolls; ++poller) {
    runtime.emplace_back([&session, &unexpected, seed, poller] {
      std::minstd_rand random(seed * 100 + static_cast<unsigned>(poller));
      for (;;) {
        const bool leaves = random() % 8 == 0;
        const auto taken = session.take([leaves] { return !leaves; });
        if (std::holds_alternative<SessionEnded>(taken)) return;
        const auto* given = std::get_if<SharedInvocation>(&taken);
        if (given == nullptr) continue;
        const auto& id = (*given)->request_id;
        if (random() % 4 == 0) {
          const auto stranger = session.begin_answer("not " + id);
          if (stranger || stranger.error() != AnswerRefusal::unknown_id) ++unexpected;
        }
        if (!session.begin_answer(id)) ++unexpected;
        const auto second = session.begin_answer(id);
        if (second || second.error() != AnswerRefusal::already_answered) ++unexpected;
        session.complete_answer(id, answer(id));
      }
    });
  }
  std::vector<std::future<int>> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.push_back(std::async(std::launch::async, [&session, caller] {
      int wrong = 0;
      for (int i = 0; i < kEach; ++i) {
        const auto id = std::to_string(caller) + "-" + std::to_string(i);
        std::string got;
        while ((got = told(session.exchange(invocation(id), kNever))) == "no idle poll") {
          std::this_thread::yield();
        }
        if (got != id) ++wrong;
      }
      return wrong;
    }));
  }
  for (auto& caller : callers) CHECK(caller.get() == 0);
  CHECK(session.in_flight() == 0);
  session.end();
  for (auto& thread : runtime) thread.join();
  CHECK(unexpected == 0);
}
