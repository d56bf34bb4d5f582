#include "emulator/control_plane/server.h"
#include "tests/support/raw_connection.h"

#include <catch2/catch_test_macros.hpp>

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
