#include "runtime_api/runtime_routes.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <memory>

using namespace runtime_api;

TEST_CASE("each route is known by its method and exact path") {
  CHECK(std::holds_alternative<NextCall>(parse_call("GET", "/2018-06-01/runtime/invocation/next")));
  const auto response = parse_call("POST", "/2018-06-01/runtime/invocation/abc/response");
  REQUIRE(std::holds_alternative<ResponseCall>(response));
  CHECK(std::get<ResponseCall>(response).request_id == "abc");
  const auto error = parse_call("POST", "/2018-06-01/runtime/invocation/abc/error");
  REQUIRE(std::holds_alternative<ErrorCall>(error));
  CHECK(
      std::holds_alternative<InitErrorCall>(parse_call("POST", "/2018-06-01/runtime/init/error")));
  CHECK(std::holds_alternative<PingCall>(parse_call("GET", "/2018-06-01/ping")));
}

TEST_CASE("a trailing slash, an empty id or a deeper path is another path") {
  for (const auto* path : {"/2018-06-01/runtime/invocation/next/",
                           "/2018-06-01/runtime/invocation//response",
                           "/2018-06-01/runtime/invocation/a/response/b",
                           "/2018-06-01/runtime/invocation/a",
                           "/2018-06-01/runtime/invocation/",
                           "/2018-06-01/runtime/restore/next",
                           "/2020-01-01/extension/register",
                           "/",
                           ""}) {
    INFO(path);
    const auto reply = answer_simple(parse_call("GET", path));
    CHECK(reply.status == 404);
    CHECK(reply.body == "404 page not found\n");
    CHECK(reply.content_type == "text/plain; charset=utf-8");
  }
}

TEST_CASE("the wrong method on a known path names the right one") {
  const auto reply = answer_simple(parse_call("POST", "/2018-06-01/runtime/invocation/next"));
  CHECK(reply.status == 405);
  CHECK(reply.body.empty());
  REQUIRE(reply.headers.size() == 1);
  CHECK(reply.headers[0] == std::pair<std::string, std::string>{"Allow", "GET"});
}

TEST_CASE("telemetry and logs answer as local environments do") {
  const auto telemetry = answer_simple(parse_call("PUT", "/2022-07-01/telemetry"));
  CHECK(telemetry.status == 202);
  CHECK(telemetry.body ==
        "{\"errorMessage\":\"Telemetry API is not supported\","
        "\"errorType\":\"Telemetry.NotSupported\"}\n");
  const auto logs = answer_simple(parse_call("PUT", "/2020-08-15/logs"));
  CHECK(logs.status == 202);
  CHECK(logs.body ==
        "{\"errorMessage\":\"Logs API is not supported\",\"errorType\":\"Logs.NotSupported\"}\n");
}

TEST_CASE("an answer that breaks off is truncated, be it a response or an error") {
  const auto broken = [](bool as_error) {
    Session session([](std::string_view) {});
    auto runtime = std::async(std::launch::async, [&] {
      session.take([] { return true; });
      PostedRequest posted;
      posted.read_body = [](std::uint64_t) {
        return PostedRequest::Body{"{\"half", 6, PostedRequest::Body::End::broken};
      };
      return as_error ? answer_error(session, ErrorCall{"a"}, posted).status
                      : answer_response(session, ResponseCall{"a"}, posted).status;
    });
    auto next = std::make_shared<NextInvocation>();
    next->request_id = "a";
    const auto result = session.exchange(next, Session::TimePoint::max());
    CHECK(runtime.get() == 500);
    return std::get<RuntimeAnswer>(result);
  };
  for (const bool as_error : {false, true}) {
    const auto answer = broken(as_error);
    CHECK(answer.kind == RuntimeAnswer::Kind::truncated);
    CHECK(answer.error_type == "Runtime.TruncatedResponse");
    CHECK(answer.body.empty());
  }
}
