#include "emulator/control_plane/server.h"
#include "tests/support/event_messages.h"
#include "tests/support/raw_connection.h"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <stdexcept>

using namespace emulator::control_plane;
using emulator::environment::Responded;
using emulator::front_doors::Drained;
using emulator::front_doors::Reply;
using emulator::front_doors::Request;
using emulator::invoke::InvocationRequest;
using emulator::invoke::InvocationResult;
using tests::RawConnection;

namespace {

constexpr const char* kPath = "/2015-03-31/functions/f/invocations";

InvokeApi echoing() {
  InvokeApi api;
  api.new_request_id = [] { return std::string("8476a536-e9f4-11e8-9739-2dfe598c3fcd"); };
  api.invoke = [](InvocationRequest request) {
    return InvocationResult{Responded{std::move(request.payload), ""}, "$LATEST", ""};
  };
  api.resolve = [](const auto&) -> tl::expected<void, emulator::invoke::Refusal> { return {}; };
  api.invoke_async =
      [](const InvocationRequest&) -> tl::expected<std::string, emulator::invoke::Refusal> {
    return {};
  };
  return api;
}

std::unique_ptr<LambdaServer> serve(InvokeApi api, std::vector<ExtraRoute> routes = {}) {
  auto server =
      LambdaServer::start({"127.0.0.1", 0, "--port"}, std::move(api), {}, std::move(routes));
  REQUIRE(server);
  return std::move(*server);
}

std::string request(std::string_view method,
                    std::string_view path,
                    std::string_view body,
                    std::string_view headers = "") {
  std::string text(method);
  text.append(" ").append(path).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headers);
  text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return text.append(body);
}

}  // namespace

TEST_CASE("an Invoke over the wire carries the service's headers", "[protocol][control_plane]") {
  const auto server = serve(echoing());
  RawConnection client(server->port());
  client.say(request("POST", kPath, "{\"a\":1}"));
  const auto reply = client.reply();
  CHECK(reply.status == 200);
  CHECK(reply.body == "{\"a\":1}");
  for (const auto* header : {"Content-Type: application/json\r\n",
                             "X-Amz-Executed-Version: $LATEST\r\n",
                             "x-amzn-RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"}) {
    CHECK(reply.head.find(header) != std::string::npos);
  }
}

TEST_CASE("events, dry runs and refusals share a connection", "[protocol][control_plane]") {
  const auto server = serve(echoing());
  RawConnection client(server->port());
  client.say(request("POST", kPath, "{}", "X-Amz-Invocation-Type: Event\r\n"));
  CHECK(client.reply().status == 202);
  client.say(request("POST", kPath, "", "X-Amz-Invocation-Type: DryRun\r\n"));
  CHECK(client.reply().status == 204);
  client.say(request("POST", kPath, "nope"));
  const auto refused = client.reply();
  CHECK(refused.status == 400);
  CHECK(refused.head.find("Connection: close") == std::string::npos);
  CHECK(refused.head.find("x-amzn-ErrorType: InvalidRequestContentException\r\n") !=
        std::string::npos);
  client.say(request("POST", kPath, "1"));
  CHECK(client.reply().body == "1");
}

TEST_CASE("an unknown path and an unknown method are an unknown operation",
          "[protocol][control_plane]") {
  const auto server = serve(echoing());
  RawConnection client(server->port());
  for (const auto* method : {"GET", "PUT", "DELETE", "HEAD"}) {
    client.say(request(method, kPath, ""));
    CHECK(client.reply(method == std::string_view("HEAD")).status == 403);
  }
  client.say(request("POST", "/nowhere", "some body"));
  const auto reply = client.reply();
  CHECK(reply.status == 403);
  CHECK(reply.head.find("x-amzn-ErrorType: AccessDeniedException\r\n") != std::string::npos);
}

TEST_CASE("seven megabytes are refused with the service's 413", "[protocol][control_plane]") {
  const auto server = serve(echoing());
  RawConnection client(server->port());
  client.say(request("POST", kPath, std::string(7'000'000, ' ')));
  const auto reply = client.reply();
  CHECK(reply.status == 413);
  CHECK(reply.body ==
        R"({"Type":"User","message":"Request must be smaller than 6291456 bytes for the )"
        R"(InvokeFunction operation"})");
  CHECK(reply.head.find("Connection: close\r\n") != std::string::npos);
  RawConnection chunked(server->port());
  chunked.say(std::string("POST ") + kPath +
              " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
              "X-Amz-Invocation-Type: Event\r\n\r\n100001\r\n" +
              std::string(1'048'577, ' ') + "\r\n0\r\n\r\n");
  CHECK(chunked.reply().body.find("1048576 bytes") != std::string::npos);
}

TEST_CASE("a length that is no number is refused without reading on", "[protocol][control_plane]") {
  const auto server = serve(echoing());
  for (const auto* length : {"99999999999999999999999", "abc", "-1"}) {
    RawConnection client(server->port());
    client.say(std::string("POST ") + kPath + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + length +
               "\r\n\r\n");
    const auto status = client.reply().status;
    INFO(length);
    CHECK((status == 400 || status == 413));
  }
}

TEST_CASE("an exception inside is the service's 500, and the server goes on",
          "[protocol][control_plane]") {
  auto api = echoing();
  const auto echo = api.invoke;
  api.invoke = [echo](InvocationRequest asked) {
    if (asked.payload == "0") throw std::runtime_error("broken on purpose");
    return echo(std::move(asked));
  };
  const auto server = serve(api);
  RawConnection client(server->port());
  client.say(request("POST", kPath, "0"));
  const auto reply = client.reply();
  CHECK(reply.status == 500);
  CHECK(reply.head.find("x-amzn-ErrorType: ServiceException\r\n") != std::string::npos);
  CHECK(reply.body.find("broken on purpose") == std::string::npos);
  client.say(request("POST", kPath, "1"));
  CHECK(client.reply().body == "1");
}

TEST_CASE("extra routes answer for their path and below, the longest first",
          "[protocol][control_plane]") {
  const auto named = [](const char* name) {
    return [name](const Request& asked) {
      return Reply{200, "text/plain", {}, name + (" " + std::string(asked.target)) + asked.body};
    };
  };
  const auto server = serve(echoing(),
                            {{"GET", "/_hearth/environments", named("list")},
                             {"DELETE", "/_hearth/environments", named("retire")},
                             {"GET", "/_hearth", named("root")},
                             {"POST", "/_hearth/clock", named("clock")}});
  RawConnection client(server->port());
  const auto ask = [&](const char* method, const char* path, const char* body = "") {
    client.say(request(method, path, body));
    return client.reply();
  };
  CHECK(ask("GET", "/_hearth/environments?x=1").body == "list /_hearth/environments?x=1");
  CHECK(ask("DELETE", "/_hearth/environments/abc").body == "retire /_hearth/environments/abc");
  CHECK(ask("GET", "/_hearth/health").body == "root /_hearth/health");
  CHECK(ask("POST", "/_hearth/clock", "{}").body == "clock /_hearth/clock{}");
  CHECK(ask("GET", "/_hearthfoo").status == 403);
}

TEST_CASE("a stop waits for the replies under way, large ones too", "[protocol][control_plane]") {
  auto api = echoing();
  std::promise<void> arrived;
  std::promise<void> let_go;
  api.invoke = [&](const InvocationRequest&) {
    arrived.set_value();
    let_go.get_future().wait();
    return InvocationResult{Responded{std::string(5'000'000, 'x'), ""}, "$LATEST", ""};
  };
  const auto server = serve(api);
  RawConnection client(server->port());
  client.say(request("POST", kPath, "{}"));
  arrived.get_future().wait();
  CHECK(server->stop(std::chrono::milliseconds(0)) == Drained::some_left);
  CHECK_THROWS([&] {
    RawConnection late(server->port());
    late.say(request("POST", kPath, "{}"));
    late.reply();
  }());
  let_go.set_value();
  auto size = std::async(std::launch::async, [&] { return client.reply().body.size(); });
  CHECK(server->stop(std::chrono::minutes(1)) == Drained::all);
  CHECK(size.get() == 5'000'000);
}

TEST_CASE("a stop with only idle connections is immediate and can be repeated",
          "[protocol][control_plane]") {
  const auto server = serve(echoing());
  RawConnection idle(server->port());
  idle.say(request("POST", kPath, "1"));
  CHECK(idle.reply().body == "1");
  CHECK(server->stop(std::chrono::minutes(1)) == Drained::all);
  CHECK(server->stop(std::chrono::minutes(1)) == Drained::all);
  CHECK_THROWS(idle.hear_until("never"));
}

namespace {

constexpr const char* kStreamPath = "/2021-11-15/functions/f/response-streaming-invocations";

using Ended = tl::expected<InvocationResult, emulator::invoke::Refusal>;

// A machine whose functions stream.
InvokeApi streaming(std::function<void(runtime_api::ResponseStream&)> stream) {
  auto api = echoing();
  api.invoke = [stream = std::move(stream)](InvocationRequest request) -> Ended {
    request.version_chosen("$LATEST");
    request.stream->begin("text/plain");
    stream(*request.stream);
    return InvocationResult{Responded{}, "$LATEST", ""};
  };
  return api;
}

// The events of a body in chunks, as they come.
class EventReader {
 public:
  explicit EventReader(RawConnection& connection) : connection_(connection) {}

  tests::EventMessage next() {
    tests::EventMessage message;
    std::string_view view = bytes_;
    while (!tests::take_event_message(view, message)) {
      const auto size = std::stoul(connection_.hear_until("\r\n"), nullptr, 16);
      if (size == 0) throw std::runtime_error("the body has ended");
      bytes_ += connection_.hear(size);
      connection_.hear_until("\r\n");
      view = bytes_;
    }
    bytes_.erase(0, bytes_.size() - view.size());
    return message;
  }

 private:
  RawConnection& connection_;
  std::string bytes_;
};

}  // namespace

TEST_CASE("each piece of a streamed response is sent while its function still runs",
          "[protocol][control_plane][stream]") {
  std::promise<void> first_seen;
  const auto server = serve(streaming([&](runtime_api::ResponseStream& stream) {
    stream.write("first");
    first_seen.get_future().wait();
    stream.write("second");
  }));
  RawConnection client(server->port());
  client.say(request("POST", kStreamPath, "{}"));
  const auto head = client.hear_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200 "));
  CHECK(head.find("Content-Type: application/vnd.amazon.eventstream\r\n") != std::string::npos);
  CHECK(head.find("X-Amzn-Remapped-Content-Type: text/plain\r\n") != std::string::npos);
  EventReader events(client);
  CHECK(events.next().payload == "first");
  first_seen.set_value();
  CHECK(events.next().payload == "second");
  CHECK(events.next().headers.at(":event-type") == "InvokeComplete");
  // The connection goes on.
  CHECK(client.hear_until("0\r\n\r\n") == "0\r\n\r\n");
  client.say(request("POST", kPath, "1"));
  client.hear_until("\r\n\r\n");
}

TEST_CASE("a function goes on streaming when its client has gone",
          "[protocol][control_plane][stream]") {
  std::promise<void> gone;
  std::promise<void> ended;
  const auto server = serve(streaming([&](runtime_api::ResponseStream& stream) {
    stream.write("first");
    gone.get_future().wait();
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 200; ++i)
      CHECK(stream.write(piece) == runtime_api::ResponseStream::Accepted::yes);
    ended.set_value();
  }));
  {
    RawConnection client(server->port());
    client.say(request("POST", kStreamPath, "{}"));
    EventReader events(client);
    client.hear_until("\r\n\r\n");
    CHECK(events.next().payload == "first");
  }
  gone.set_value();
  ended.get_future().wait();
}

TEST_CASE("a function waits for a client that does not read, and a stop for neither",
          "[protocol][control_plane][stream]") {
  // Far more than sockets hold, so that the last write cannot have been accepted unread.
  constexpr int kPieces = 1000;
  std::atomic<int> accepted = 0;
  std::promise<void> some;
  std::shared_ptr<runtime_api::ResponseStream> stream;
  auto api = streaming([&](runtime_api::ResponseStream& into) {
    const std::string piece(100'000, 'x');
    for (int i = 0; i < kPieces; ++i) {
      if (into.write(piece) == runtime_api::ResponseStream::Accepted::ended) return;
      if (++accepted == 3) some.set_value();
    }
  });
  api.invoke = [&, run = api.invoke](InvocationRequest request) {
    stream = request.stream;
    return run(std::move(request));
  };
  auto server = serve(std::move(api));
  RawConnection client(server->port());
  client.say(request("POST", kStreamPath, "{}"));
  some.get_future().wait();
  CHECK(server->stop(std::chrono::milliseconds{1}) == Drained::some_left);
  // As the end of the function's processes does it.
  stream->end();
  server.reset();
  CHECK(accepted < kPieces);
}

TEST_CASE("a refusal before the first byte is an ordinary error on the wire",
          "[protocol][control_plane][stream]") {
  auto api = echoing();
  api.invoke = [](const InvocationRequest&) -> Ended {
    return tl::unexpected(
        emulator::invoke::Refusal{emulator::invoke::Refusal::Kind::function_not_found, "none"});
  };
  const auto server = serve(std::move(api));
  RawConnection client(server->port());
  client.say(request("POST", kStreamPath, "{}"));
  const auto reply = client.reply();
  CHECK(reply.status == 404);
  CHECK(reply.head.find("x-amzn-ErrorType: ResourceNotFoundException\r\n") != std::string::npos);
}

TEST_CASE("a defect behind the first byte leaves the body without its end",
          "[protocol][control_plane][stream]") {
  const auto server = serve(streaming([](runtime_api::ResponseStream& stream) {
    stream.write("first");
    throw std::runtime_error("defect");
  }));
  RawConnection client(server->port());
  client.say(request("POST", kStreamPath, "{}"));
  client.hear_until("\r\n\r\n");
  EventReader events(client);
  CHECK(events.next().payload == "first");
  CHECK_THROWS_AS(events.next(), std::runtime_error);
}
