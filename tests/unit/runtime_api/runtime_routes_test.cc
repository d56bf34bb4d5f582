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

namespace {

using Wanted = PostedRequest::Wanted;

// A runtime's streamed response, whose pieces `pass` hands on.
PostedRequest streaming(
    std::function<PostedRequest::Body(const std::function<Wanted(std::string_view)>&)> pass) {
  PostedRequest posted;
  posted.content_type = "text/plain";
  posted.response_mode = "streaming";
  posted.pass_body = std::move(pass);
  posted.read_body = [](std::uint64_t) {
    return PostedRequest::Body{.bytes = "collected", .size_bytes = 9};
  };
  return posted;
}

struct StreamedCall {
  RuntimeAnswer answer;
  RuntimeReply reply;
  std::string received;
};

// One invocation whose stream somebody reads, or that has none.
enum class Stream { absent, read };
StreamedCall streamed(const PostedRequest& posted,
                      Stream wanted = Stream::read,
                      ResponseRules rules = ResponseRules::service) {
  Session session([](std::string_view) {});
  auto next = std::make_shared<NextInvocation>();
  next->request_id = "a";
  next->rules = rules;
  const auto stream = std::make_shared<ResponseStream>();
  if (wanted == Stream::read) next->stream = stream;
  StreamedCall call;
  auto runtime = std::async(std::launch::async, [&] {
    session.take([] { return true; });
    return answer_response(session, ResponseCall{"a"}, posted);
  });
  auto reader = std::async(std::launch::async, [&] {
    std::string all;
    std::string piece;
    while (stream->read(piece)) all += piece.substr(0, 1000);
    return all;
  });
  call.answer = std::get<RuntimeAnswer>(session.exchange(next, Session::TimePoint::max()));
  call.reply = runtime.get();
  stream->end();
  call.received = reader.get();
  return call;
}

}  // namespace

TEST_CASE("a streamed response goes through the stream and is no part of the answer",
          "[stream][routes]") {
  const auto call = streamed(streaming([](const auto& accept) {
    CHECK(accept("one ") == Wanted::more);
    CHECK(accept("two") == Wanted::more);
    return PostedRequest::Body{.bytes = {}, .size_bytes = 7};
  }));
  CHECK(call.reply.status == 202);
  CHECK(call.received == "one two");
  CHECK(call.answer.kind == RuntimeAnswer::Kind::response);
  CHECK(call.answer.body.empty());
  CHECK(call.answer.content_type == "text/plain");
  CHECK(call.answer.size_bytes == 7);
}

TEST_CASE("an error behind a streamed response makes the answer an error", "[stream][routes]") {
  const auto posted = streaming([](const auto& accept) {
    accept("half");
    return PostedRequest::Body{.error_type_trailer = "Runtime.Late",
                               .error_body_trailer = "eyJhIjoxfQ=="};
  });
  const auto call = streamed(posted);
  CHECK(call.reply.status == 202);
  CHECK(call.received == "half");
  CHECK(call.answer.kind == RuntimeAnswer::Kind::error);
  CHECK(call.answer.error_type == "Runtime.Late");
  CHECK(call.answer.body == "{\"a\":1}");
  const auto ignored = streamed(posted, Stream::read, ResponseRules::published_emulator);
  CHECK(ignored.answer.kind == RuntimeAnswer::Kind::response);
}

TEST_CASE("without a stream a streamed response is collected, and its trailers count",
          "[stream][routes]") {
  auto posted = streaming({});
  CHECK(streamed(posted, Stream::absent).answer.body == "collected");
  posted.read_body = [](std::uint64_t) {
    return PostedRequest::Body{.bytes = "collected", .error_type_trailer = "Runtime.Late"};
  };
  const auto failed = streamed(posted, Stream::absent);
  CHECK(failed.answer.kind == RuntimeAnswer::Kind::error);
  CHECK(failed.answer.body == R"({"errorType":"Runtime.Late"})");
  const auto ignored = streamed(posted, Stream::absent, ResponseRules::published_emulator);
  CHECK(ignored.answer.kind == RuntimeAnswer::Kind::response);
  CHECK(ignored.answer.body == "collected");
}

TEST_CASE("trailers behind a response that is not streamed mean nothing", "[stream][routes]") {
  auto posted = streaming({});
  posted.response_mode.reset();
  posted.read_body = [](std::uint64_t) {
    return PostedRequest::Body{.bytes = "plain", .error_type_trailer = "Runtime.Late"};
  };
  CHECK(streamed(posted).answer.kind == RuntimeAnswer::Kind::response);
}

TEST_CASE("a response that announces the trailer and names no mode is streamed",
          "[stream][routes]") {
  auto posted = streaming([](const auto& accept) {
    accept("piece");
    return PostedRequest::Body{.size_bytes = 5, .error_type_trailer = "Runtime.Late"};
  });
  posted.announces_error_trailer = true;
  posted.response_mode.reset();
  const auto unnamed = streamed(posted);
  CHECK(unnamed.received == "piece");
  CHECK(unnamed.answer.kind == RuntimeAnswer::Kind::error);
  posted.response_mode = "buffered";
  const auto buffered = streamed(posted);
  CHECK(buffered.received.empty());
  CHECK(buffered.answer.body == "collected");
}

TEST_CASE("the published emulator knows no mode by name but streaming", "[stream][routes]") {
  const auto status_of = [](const char* mode, ResponseRules rules) {
    Session session([](std::string_view) {});
    auto next = std::make_shared<NextInvocation>();
    next->request_id = "a";
    next->rules = rules;
    auto posted = streaming({});
    posted.response_mode = mode;
    auto runtime = std::async(std::launch::async, [&] {
      session.take([] { return true; });
      const auto status = answer_response(session, ResponseCall{"a"}, posted).status;
      session.end();
      return status;
    });
    session.exchange(next, Session::TimePoint::max());
    return runtime.get();
  };
  CHECK(status_of("buffered", ResponseRules::published_emulator) == 400);
  CHECK(status_of("buffered", ResponseRules::service) == 202);
  CHECK(status_of("Streaming", ResponseRules::service) == 400);
  CHECK(status_of("streaming", ResponseRules::published_emulator) == 202);
}

TEST_CASE("a streamed response that breaks off is truncated, and its connection ends",
          "[stream][routes]") {
  const auto call = streamed(streaming([](const auto& accept) {
    accept("half");
    return PostedRequest::Body{.end = PostedRequest::Body::End::broken};
  }));
  CHECK(call.received == "half");
  CHECK(call.answer.kind == RuntimeAnswer::Kind::truncated);
  CHECK(call.answer.error_type == "Runtime.TruncatedResponse");
  CHECK(call.reply.connection == RuntimeReply::Connection::ends);
}

TEST_CASE("200 MB may be streamed; one byte more ends the answer and is told to the runtime",
          "[stream][routes]") {
  const std::string block(std::size_t{1} << 20U, 'x');
  const auto send = [&](const auto& accept, std::string_view last) {
    for (int i = 0; i < 200; ++i) accept(block);
    accept(last);
    accept(last);
    return PostedRequest::Body{};
  };
  const auto full = streamed(streaming([&](const auto& accept) { return send(accept, ""); }));
  CHECK(full.answer.kind == RuntimeAnswer::Kind::response);
  CHECK(full.reply.status == 202);
  const auto over = streamed(streaming([&](const auto& accept) { return send(accept, "x"); }));
  CHECK(over.answer.kind == RuntimeAnswer::Kind::too_large);
  CHECK(over.answer.limit_bytes == kMaxStreamedBytes);
  CHECK(over.reply.status == 413);
  CHECK(over.reply.body.find("(209715200 bytes)") != std::string::npos);
}

TEST_CASE("an error that is posted while a response streams is refused and changes nothing",
          "[stream][routes]") {
  Session session([](std::string_view) {});
  PostedRequest late;
  late.read_body = [](std::uint64_t) { return PostedRequest::Body{}; };
  auto posted = streaming([&](const auto& accept) {
    accept("one");
    CHECK(answer_error(session, ErrorCall{"a"}, late).status == 403);
    CHECK(answer_response(session, ResponseCall{"a"}, late).status == 403);
    return PostedRequest::Body{};
  });
  auto next = std::make_shared<NextInvocation>();
  next->request_id = "a";
  next->stream = std::make_shared<ResponseStream>();
  auto runtime = std::async(std::launch::async, [&] {
    session.take([] { return true; });
    return answer_response(session, ResponseCall{"a"}, posted).status;
  });
  const auto result = session.exchange(next, Session::TimePoint::max());
  CHECK(std::get<RuntimeAnswer>(result).kind == RuntimeAnswer::Kind::response);
  CHECK(runtime.get() == 202);
}

TEST_CASE("the end of its processes frees a runtime whose response nobody reads",
          "[stream][routes]") {
  Session session([](std::string_view) {});
  auto next = std::make_shared<NextInvocation>();
  next->request_id = "a";
  next->stream = std::make_shared<ResponseStream>();
  std::promise<void> begun;
  const auto posted = streaming([&](const auto& accept) {
    begun.set_value();
    const std::string piece(kMaxWaitingStreamBytes, 'x');
    while (accept(piece) == Wanted::more) {
    }
    return PostedRequest::Body{.end = PostedRequest::Body::End::broken};
  });
  auto runtime = std::async(std::launch::async, [&] {
    session.take([] { return true; });
    return answer_response(session, ResponseCall{"a"}, posted).status;
  });
  auto killer = std::async(std::launch::async, [&] {
    begun.get_future().wait();
    session.end(Session::Arriving::is_cut);
  });
  const auto result = session.exchange(next, Session::TimePoint::max());
  CHECK(std::get<RuntimeAnswer>(result).kind == RuntimeAnswer::Kind::truncated);
  CHECK(runtime.get() == 500);
  killer.get();
}
