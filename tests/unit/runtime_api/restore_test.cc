// How a runtime waits for its restore, and the calls that only environments of SnapStart have.
#include "runtime_api/restore_routes.h"
#include "runtime_api/session.h"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <thread>

using namespace runtime_api;

namespace {

constexpr auto kNever = Session::TimePoint::max();
constexpr auto kPassed = Session::TimePoint::min();
const auto kConnected = [] { return true; };

PostedRequest posted(const std::string& type,
                     const std::string& bytes,
                     PostedRequest::Body::End end = PostedRequest::Body::End::reached) {
  PostedRequest request;
  request.error_type = type;
  request.read_body = [=](std::uint64_t) {
    return PostedRequest::Body{.bytes = bytes, .size_bytes = bytes.size(), .end = end};
  };
  return request;
}

RestoreDesk desk() {
  return {
      .authorization_token = "let-me-in",
      .credentials = {.access_key_id = "AKIA", .secret_access_key = "s/1", .session_token = "a&b"},
      .expiration = [] { return std::string("2026-01-01T00:00:00.000Z"); }};
}

}  // namespace

TEST_CASE("a runtime that waits for its restore has ended its Init", "[restore]") {
  Session session([](std::string_view) {});
  std::thread runtime([&] {
    CHECK(answer_restore_next(session, kConnected).status == 200);
    session.take(kConnected);
  });
  CHECK(std::holds_alternative<RuntimeReady>(session.await_init(kNever)));
  CHECK(session.state() == RuntimeState::restore_ready);
  CHECK(std::holds_alternative<RuntimeReady>(session.restore(kNever)));
  CHECK(session.state() == RuntimeState::ready);
  session.end();
  runtime.join();
}

TEST_CASE("a runtime that knows no restore is restored at once", "[restore]") {
  Session session([](std::string_view) {});
  std::thread runtime([&] { session.take(kConnected); });
  CHECK(std::holds_alternative<RuntimeReady>(session.await_init(kNever)));
  CHECK(std::holds_alternative<RuntimeReady>(session.restore(kNever)));
  session.end();
  runtime.join();
}

TEST_CASE("the answer to restore/next has no body", "[restore]") {
  Session session([](std::string_view) {});
  std::thread runtime([&] {
    const auto reply = answer_restore_next(session, kConnected);
    CHECK(reply.status == 200);
    CHECK(reply.body.empty());
    CHECK(answer_restore_next(session, kConnected)
              .body.find("State transition from Restoring to RestoreReady failed for runtime") !=
          std::string::npos);
    session.take(kConnected);
  });
  session.await_init(kNever);
  CHECK(std::holds_alternative<RuntimeReady>(session.restore(kNever)));
  session.end();
  runtime.join();
}

TEST_CASE("a runtime reports that its hooks failed after the restore, and only then", "[restore]") {
  for (const bool as_init_error : {false, true}) {
    Session session([](std::string_view) {});
    CHECK(
        answer_restore_error(session, posted("Runtime.AfterRestoreError", "early")).body ==
        "{\"errorMessage\":\"State transition from Started to RuntimeRestoreErrorState failed for "
        "runtime. Error: State transition is not "
        "allowed\",\"errorType\":\"InvalidStateTransition\"}\n");
    std::thread runtime([&] {
      answer_restore_next(session, kConnected);
      const auto report = posted("Runtime.AfterRestoreError", "{}");
      const auto reply = as_init_error ? answer_init_error(session, report)
                                       : answer_restore_error(session, report);
      CHECK(reply.status == 202);
      CHECK(answer_restore_error(session, report).status == 403);
    });
    session.await_init(kNever);
    const auto result = session.restore(kNever);
    runtime.join();
    REQUIRE(std::holds_alternative<RestoreError>(result));
    CHECK(std::get<RestoreError>(result).error_type == "Runtime.AfterRestoreError");
    CHECK(std::get<RestoreError>(result).body == "{}");
    CHECK(session.state() == RuntimeState::restore_error);
    CHECK(std::holds_alternative<CallRefused>(session.take(kConnected)));
  }
}

TEST_CASE("half a report of failed hooks is none", "[restore]") {
  Session session([](std::string_view) {});
  CHECK(answer_restore_error(session, posted("", "{", PostedRequest::Body::End::broken)).status ==
        500);
  CHECK(session.state() == RuntimeState::started);
}

TEST_CASE("hooks that take too long are not waited for", "[restore]") {
  Session session([](std::string_view) {});
  std::thread runtime([&] { answer_restore_next(session, kConnected); });
  session.await_init(kNever);
  CHECK(std::holds_alternative<DeadlinePassed>(session.restore(kPassed)));
  runtime.join();
}

TEST_CASE("a restore tells whether the runtime had heard of it when it ended", "[restore]") {
  Session unheard([](std::string_view) {});
  std::thread parked([&] { CHECK(answer_restore_next(unheard, kConnected).status == 500); });
  unheard.await_init(kNever);
  unheard.end();
  parked.join();
  const auto before = unheard.restore(kNever);
  REQUIRE(std::holds_alternative<SessionEnded>(before));
  CHECK_FALSE(std::get<SessionEnded>(before).taken);

  Session heard([](std::string_view) {});
  std::thread dying([&] {
    answer_restore_next(heard, kConnected);
    heard.end();
  });
  heard.await_init(kNever);
  const auto after = heard.restore(kNever);
  dying.join();
  REQUIRE(std::holds_alternative<SessionEnded>(after));
  CHECK(std::get<SessionEnded>(after).taken);
}

TEST_CASE("the calls of SnapStart are told by method and path", "[restore]") {
  const auto call = [](const char* method, const char* path) {
    return parse_restore_call(method, path);
  };
  CHECK(std::holds_alternative<RestoreNextCall>(*call("GET", "/2018-06-01/runtime/restore/next")));
  CHECK(
      std::holds_alternative<RestoreErrorCall>(*call("POST", "/2018-06-01/runtime/restore/error")));
  CHECK(std::holds_alternative<CredentialsCall>(*call("GET", "/2021-04-23/credentials")));
  CHECK(std::get<WrongMethod>(*call("POST", "/2018-06-01/runtime/restore/next")).allowed == "GET");
  CHECK(std::get<WrongMethod>(*call("GET", "/2018-06-01/runtime/restore/error")).allowed == "POST");
  CHECK(std::get<WrongMethod>(*call("PUT", "/2021-04-23/credentials")).allowed == "GET");
  for (const auto* path : {"/2018-06-01/runtime/restore/next/", "/2021-04-23/credentials/x", "/"}) {
    CHECK_FALSE(call("GET", path));
  }
}

TEST_CASE("credentials are for who names the token as it is", "[restore]") {
  const auto given = answer_credentials(desk(), "let-me-in");
  CHECK(given.status == 200);
  CHECK(given.body == R"({"AccessKeyId":"AKIA","SecretAccessKey":"s/1","Token":"a&b",)"
                      R"("Expiration":"2026-01-01T00:00:00.000Z"})");
  for (const auto* wrong : {"", "Bearer let-me-in", "let-me-i"}) {
    const auto refused = answer_credentials(desk(), wrong);
    CHECK(refused.status == 404);
    CHECK(refused.body == "cannot get credentials for the provided token\n");
  }
  auto open = desk();
  open.authorization_token.clear();
  CHECK(answer_credentials(open, "").status == 404);
}
