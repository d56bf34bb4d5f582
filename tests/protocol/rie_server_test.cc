#include "emulator/front_doors/rie_server.h"

#include "tests/support/raw_connection.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <latch>
#include <mutex>
#include <thread>

using namespace emulator::front_doors;
using emulator::environment::Responded;
using emulator::invoke::InvocationRequest;
using emulator::invoke::InvocationResult;
using tests::RawConnection;

namespace {

constexpr const char* kPath = "/2015-03-31/functions/function/invocations";

// Answers each invocation with its event, and records what it was asked.
struct EchoMachine {
  std::mutex mutex;
  std::vector<InvocationRequest> asked;

  RieFrontDoor door() {
    RieFrontDoor door;
    door.new_request_id = [] { return std::string("8476a536-e9f4-11e8-9739-2dfe598c3fcd"); };
    door.invoke = [this](InvocationRequest request) {
      auto body = request.payload;
      const std::lock_guard lock(mutex);
      asked.push_back(std::move(request));
      return InvocationResult{Responded{std::move(body), ""}, "$LATEST", ""};
    };
    return door;
  }
};

std::unique_ptr<HttpListener> serve(RieFrontDoor door) {
  auto server =
      start_rie_server({"127.0.0.1", 0, "--runtime-interface-emulator-address"}, std::move(door));
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

TEST_CASE("an event posted to RIE's path comes back as the response", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  client.say(request("POST", kPath, R"({"a": 1})", "Content-Type: application/json\r\n"));
  const auto reply = client.reply();
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"a": 1})");
  CHECK(reply.head.find("Content-Type: text/plain; charset=utf-8\r\n") != std::string::npos);
  CHECK(reply.head.find("X-Amz") == std::string::npos);
}

TEST_CASE("a connection serves one request after another", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  for (int i = 0; i < 200; ++i) {
    client.say(request("POST", kPath, std::to_string(i)));
    CHECK(client.reply().body == std::to_string(i));
  }
}

TEST_CASE("every method reaches the function over the wire", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  for (const auto* method : {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "POST"}) {
    RawConnection client(server->port());
    client.say(request(method, kPath, "event"));
    INFO(method);
    CHECK(client.reply().body == "event");
  }
  RawConnection trace(server->port());
  trace.say(request("TRACE", kPath, ""));
  CHECK(trace.reply().status == 200);
  CHECK(machine.asked.size() == 7);
}

TEST_CASE("HEAD invokes, and is answered without the body", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  client.say(request("HEAD", kPath, "event"));
  CHECK(client.reply(true).head.find("Content-Length: 5\r\n") != std::string::npos);
  client.say(request("POST", kPath, "next"));
  CHECK(client.reply().body == "next");
}

TEST_CASE("RIE's path may be percent-encoded; others are redirected or not found",
          "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  client.say(request("POST", "/2015-03-31/%66unctions/function/invocations?x", "event"));
  CHECK(client.reply().body == "event");
  client.say(request("POST", std::string("/") + kPath, "event"));
  const auto moved = client.reply();
  CHECK(moved.status == 301);
  CHECK(moved.head.find(std::string("Location: ") + kPath + "\r\n") != std::string::npos);
  client.say(request("POST", std::string(kPath) + "/", "event"));
  const auto missing = client.reply();
  CHECK(missing.status == 404);
  CHECK(missing.body == "404 page not found\n");
  CHECK(machine.asked.size() == 1);
}

TEST_CASE("a body in chunks is put together", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  client.say(std::string("POST ") + kPath +
             " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\n");
  CHECK(client.reply().body == "abcdefgh");
  client.say(request("POST", kPath, "next"));
  CHECK(client.reply().body == "next");
}

TEST_CASE("a client that expects 100 Continue is told to go on", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  client.say(std::string("POST ") + kPath +
             " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  CHECK(client.hear_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("event");
  CHECK(client.reply().body == "event");
}

TEST_CASE("a request without a length has no body, and the next one is not taken for it",
          "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  client.say(std::string("POST ") + kPath + " HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.reply().body.empty());
  client.say(request("POST", kPath, "second"));
  CHECK(client.reply().body == "second");
}

TEST_CASE("form, multipart and compressed bodies are bytes like any other", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  const std::string large(100'000, 'x');
  for (const auto* header : {"Content-Type: application/x-www-form-urlencoded\r\n",
                             "Content-Type: multipart/form-data; boundary=b\r\n",
                             "Content-Encoding: gzip\r\n",
                             "Range: bytes=0-1\r\n",
                             "Accept-Encoding: gzip\r\n"}) {
    INFO(header);
    client.say(request("POST", kPath, large, header));
    const auto reply = client.reply();
    CHECK(reply.status == 200);
    CHECK((reply.body == large));
  }
}

TEST_CASE("events and responses of six megabytes pass whole", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  RawConnection client(server->port());
  std::string large(kMaxRieRequestBytes, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4099) large[i] = 'y';
  client.say(request("POST", kPath, large));
  CHECK((client.reply().body == large));
}

TEST_CASE("a larger event is refused with 413, announced, chunked or expecting to continue",
          "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  const std::string large(7'000'000, 'x');
  RawConnection announced(server->port());
  announced.say(request("POST", kPath, large));
  CHECK(announced.reply().status == 413);
  RawConnection chunked(server->port());
  chunked.say(std::string("POST ") + kPath +
              " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6acfc0\r\n" + large +
              "\r\n0\r\n\r\n");
  CHECK(chunked.reply().status == 413);
  RawConnection polite(server->port());
  polite.say(std::string("POST ") + kPath +
             " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 7000000\r\n\r\n");
  CHECK(polite.reply().status == 413);
  CHECK(machine.asked.empty());
}

TEST_CASE("bytes that are no HTTP are answered 400, and the next client is served",
          "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  for (const auto* garbage : {"\x16\x03\x01\x02\r\n\r\n",
                              "GET\r\n\r\n",
                              "FOO / HTTP/1.1\r\n\r\n",
                              "GET / HTTP/9.9\r\n\r\n",
                              "GET / HTTP/1.1\r\nbad header\r\n\r\n"}) {
    RawConnection client(server->port());
    client.say(garbage);
    CHECK(client.reply().status == 400);
  }
  RawConnection client(server->port());
  client.say(request("POST", kPath, "event"));
  CHECK(client.reply().body == "event");
}

TEST_CASE("a client that goes away does not end its invocation nor the server", "[protocol][rie]") {
  EchoMachine echo;
  std::promise<void> arrived;
  std::promise<void> client_gone;
  std::promise<void> finished;
  auto door = echo.door();
  const auto answer = door.invoke;
  door.invoke = [&](InvocationRequest asked) {
    if (asked.payload != "abandoned") return answer(std::move(asked));
    arrived.set_value();
    client_gone.get_future().wait();
    auto result = answer(std::move(asked));
    finished.set_value();
    return result;
  };
  const auto server = serve(door);
  {
    RawConnection client(server->port());
    client.say(request("POST", kPath, "abandoned"));
    arrived.get_future().wait();
  }
  client_gone.set_value();
  finished.get_future().wait();
  RawConnection next(server->port());
  next.say(request("POST", kPath, "event"));
  CHECK(next.reply().body == "event");
  CHECK(echo.asked.size() == 2);
}

TEST_CASE("a hundred clients are served at the same time", "[protocol][rie]") {
  constexpr int kClients = 100;
  EchoMachine echo;
  std::latch all_inside(kClients);
  auto door = echo.door();
  const auto answer = door.invoke;
  door.invoke = [&](InvocationRequest asked) {
    all_inside.arrive_and_wait();  // passes only when every client's invocation is under way
    return answer(std::move(asked));
  };
  const auto server = serve(door);
  std::vector<std::future<std::string>> bodies;
  for (int i = 0; i < kClients; ++i) {
    bodies.push_back(std::async(std::launch::async, [&server, i] {
      RawConnection client(server->port());
      client.say(request("POST", kPath, std::to_string(i)));
      return client.reply().body;
    }));
  }
  for (int i = 0; i < kClients; ++i) {
    CHECK(bodies[static_cast<std::size_t>(i)].get() == std::to_string(i));
  }
}

TEST_CASE("a port that is in use is refused with the flag that changes it", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = serve(machine.door());
  const auto second =
      start_rie_server({"127.0.0.1", server->port(), "--some-address"}, machine.door());
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find("the port is in use") != std::string::npos);
  CHECK(second.error().message.find("--some-address") != std::string::npos);
}

TEST_CASE("an address that is not this host's is refused", "[protocol][rie]") {
  EchoMachine machine;
  const auto server = start_rie_server({"192.0.2.1", 1, "--some-address"}, machine.door());
  REQUIRE_FALSE(server);
  CHECK(server.error().message.starts_with("cannot listen on 192.0.2.1:1: "));
}
