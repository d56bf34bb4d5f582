#include "runtime_api/session.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <thread>

using namespace runtime_api;

namespace {

constexpr auto kNever = Session::TimePoint::max();
constexpr auto kPassed = Session::TimePoint::min();

SharedInvocation invocation(const std::string& id) {
  auto next = std::make_shared<NextInvocation>();
  next->request_id = id;
  next->payload = "{\"for\":\"" + id + "\"}";
  return next;
}

RuntimeAnswer answer(const std::string& body) {
  RuntimeAnswer result;
  result.body = body;
  return result;
}

const auto kConnected = [] { return true; };

std::string taken_id(TakeResult taken) {
  auto* shared = std::get_if<SharedInvocation>(&taken);
  return shared == nullptr ? "none" : (*shared)->request_id;
}

}  // namespace

TEST_CASE("an invocation travels to the runtime and its answer back") {
  Session session([](std::string_view) {});
  std::thread runtime([&] {
    CHECK(taken_id(session.take(kConnected)) == "a");
    REQUIRE(session.begin_answer("a", AnswerKind::response));
    session.complete_answer(answer("done"));
  });
  CHECK(std::holds_alternative<RuntimeReady>(session.await_init(kNever)));
  const auto result = session.exchange(invocation("a"), kNever);
  runtime.join();
  REQUIRE(std::holds_alternative<RuntimeAnswer>(result));
  CHECK(std::get<RuntimeAnswer>(result).body == "done");
  CHECK(session.state() == RuntimeState::response_sent);
}

TEST_CASE("a runtime that asks again while it holds an invocation is given the same one") {
  Session session([](std::string_view) {});
  std::thread runtime([&] {
    CHECK(taken_id(session.take(kConnected)) == "a");
    CHECK(taken_id(session.take(kConnected)) == "a");
    REQUIRE(session.begin_answer("a", AnswerKind::response));
    session.complete_answer(answer(""));
  });
  session.exchange(invocation("a"), kNever);
  runtime.join();
}

TEST_CASE("the id is checked before the state") {
  Session session([](std::string_view) {});
  const auto early = session.begin_answer("a", AnswerKind::response);
  REQUIRE_FALSE(early);
  CHECK(early.error().reason == CallRefused::Reason::invalid_request_id);
}

TEST_CASE("the second of two responses to one invocation is refused and changes nothing") {
  Session session([](std::string_view) {});
  std::thread runtime([&] {
    session.take(kConnected);
    REQUIRE(session.begin_answer("a", AnswerKind::response));
    session.complete_answer(answer("first"));
    const auto second = session.begin_answer("a", AnswerKind::error);
    REQUIRE_FALSE(second);
    CHECK(second.error().reason == CallRefused::Reason::invalid_transition);
    CHECK(second.error().from == RuntimeState::response_sent);
  });
  const auto result = session.exchange(invocation("a"), kNever);
  runtime.join();
  CHECK(std::get<RuntimeAnswer>(result).body == "first");
}

TEST_CASE("a refused answer may be sent again") {
  Session session([](std::string_view) {});
  std::thread runtime([&] {
    session.take(kConnected);
    REQUIRE(session.begin_answer("a", AnswerKind::response));
    session.refuse_answer();
    REQUIRE(session.begin_answer("a", AnswerKind::response));
    session.complete_answer(answer("second try"));
  });
  const auto result = session.exchange(invocation("a"), kNever);
  runtime.join();
  CHECK(std::get<RuntimeAnswer>(result).body == "second try");
}

TEST_CASE("a runtime that answers after its deadline is told the invocation is over") {
  Session session([](std::string_view) {});
  CHECK(std::holds_alternative<DeadlinePassed>(session.exchange(invocation("a"), kPassed)));
  const auto late = session.begin_answer("a", AnswerKind::response);
  REQUIRE_FALSE(late);
  CHECK(late.error().reason == CallRefused::Reason::invalid_request_id);
  CHECK(session.late_answers() == 1);
  CHECK(std::holds_alternative<SessionEnded>(session.take(kConnected)));
}

TEST_CASE("an answer that has begun to arrive is read to its end although the process ended") {
  Session session([](std::string_view) {});
  std::promise<void> begun;
  std::thread runtime([&] {
    session.take(kConnected);
    REQUIRE(session.begin_answer("a", AnswerKind::response));
    session.end();
    begun.set_value();
    session.complete_answer(answer("last words"));
  });
  const auto result = session.exchange(invocation("a"), kNever);
  begun.get_future().wait();
  runtime.join();
  REQUIRE(std::holds_alternative<RuntimeAnswer>(result));
  CHECK(std::get<RuntimeAnswer>(result).body == "last words");
}

TEST_CASE("the end of the session ends every wait") {
  Session session([](std::string_view) {});
  auto parked = std::async(std::launch::async, [&] { return session.take(kConnected); });
  CHECK(std::holds_alternative<RuntimeReady>(session.await_init(kNever)));
  session.end();
  CHECK(std::holds_alternative<SessionEnded>(parked.get()));
  CHECK(std::holds_alternative<SessionEnded>(session.exchange(invocation("a"), kNever)));
}

TEST_CASE("init errors reach the invoking side once, and only before the first next") {
  Session session([](std::string_view) {});
  REQUIRE(session.report_init_error({"Runtime.ImportModuleError", "{}"}));
  const auto result = session.await_init(kNever);
  REQUIRE(std::holds_alternative<InitError>(result));
  CHECK(std::get<InitError>(result).error_type == "Runtime.ImportModuleError");
  const auto again = session.report_init_error({"Runtime.Unknown", ""});
  REQUIRE_FALSE(again);
  CHECK(again.error().from == RuntimeState::init_error);
  CHECK(std::holds_alternative<CallRefused>(session.take(kConnected)));
}

TEST_CASE("an init that takes longer than its limit is told so") {
  Session session([](std::string_view) {});
  CHECK(std::holds_alternative<DeadlinePassed>(session.await_init(kPassed)));
}

TEST_CASE("the runtime is settled when it asks for the next invocation, with the answer's error") {
  std::promise<std::string> settled;
  Session session([&](std::string_view type) { settled.set_value(std::string(type)); });
  std::thread runtime([&] {
    session.take(kConnected);
    REQUIRE(session.begin_answer("a", AnswerKind::error));
    RuntimeAnswer error;
    error.kind = RuntimeAnswer::Kind::error;
    error.error_type = "Runtime.Oops";
    session.complete_answer(error);
    session.take(kConnected);
  });
  session.exchange(invocation("a"), kNever);
  CHECK(settled.get_future().get() == "Runtime.Oops");
  session.end();
  runtime.join();
}

TEST_CASE("a caller that hung up does not swallow the invocation another one waits for") {
  Session session([](std::string_view) {});
  std::atomic<int> asked = 0;
  auto gone = std::async(std::launch::async, [&] {
    return session.take([&] {
      ++asked;
      return false;
    });
  });
  auto listening = std::async(std::launch::async, [&] {
    auto taken = session.take([&] {
      ++asked;
      return true;
    });
    if (std::holds_alternative<SharedInvocation>(taken)) {
      REQUIRE(session.begin_answer("a", AnswerKind::response));
      session.complete_answer(answer("ok"));
    }
    return taken;
  });
  while (session.waiting_takers() < 2) std::this_thread::yield();
  const auto result = session.exchange(invocation("a"), kNever);
  CHECK(std::holds_alternative<RuntimeAnswer>(result));
  session.end();
  CHECK(taken_id(listening.get()) == "a");
  gone.get();
}
