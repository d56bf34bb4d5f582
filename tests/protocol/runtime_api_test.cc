#include "runtime_api/server.h"
#include "runtime_api/session.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <utility>
#include <vector>

using namespace runtime_api;

namespace {

struct Served {
  Session session{[](std::string_view) {}};
  ExtensionHub hub{{.function = {}, .new_identifier = [] { return std::string(); }},
                   {.settled = [](std::string_view) {}, .reported = {}}};
  Server server;
  httplib::Client client{"127.0.0.1", server.port()};

  explicit Served(ConnectionCheck check = {})
      : server(open_listening_socket("127.0.0.1", 0).value(), session, hub, std::move(check)) {
    client.set_keep_alive(true);
  }
  ~Served() {
    session.end();
    hub.end();
  }

  // Runs one invocation while `runtime` plays the runtime on this thread.
  ExchangeResult exchange(const std::string& payload, const std::function<void()>& runtime) {
    auto next = std::make_shared<NextInvocation>();
    next->request_id = "the-id";
    next->payload = payload;
    auto result = std::async(std::launch::async, [this, next] {
      return session.exchange(next, Session::TimePoint::max());
    });
    runtime();
    return result.get();
  }
};

const std::string kNext = "/2018-06-01/runtime/invocation/next";
const std::string kResponse = "/2018-06-01/runtime/invocation/the-id/response";
const std::string kError = "/2018-06-01/runtime/invocation/the-id/error";

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  return socket;
}

void send_all(int socket, const std::string& text) {
  REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

// Up to and with the blank line that ends a head, or what came before the connection's end.
std::string receive(int socket) {
  std::string head;
  char byte = 0;
  while (head.find("\r\n\r\n") == std::string::npos && ::recv(socket, &byte, 1, 0) == 1) {
    head += byte;
  }
  return head;
}

}  // namespace

TEST_CASE("a response is accepted with 202 and reaches the invoking side byte for byte") {
  Served served;
  const std::string bytes("\0 not { json \xff\n", 15);
  const auto result = served.exchange("{\"event\": 1 }", [&] {
    const auto next = served.client.Get(kNext);
    REQUIRE(next);
    CHECK(next->status == 200);
    CHECK(next->body == "{\"event\": 1 }");
    const auto posted = served.client.Post(kResponse, bytes, "application/octet-stream");
    CHECK(posted->status == 202);
    CHECK(posted->body == "{\"status\":\"OK\"}\n");
    CHECK(posted->get_header_value("Content-Type") == "application/json");
  });
  CHECK(std::get<RuntimeAnswer>(result).body == bytes);
  CHECK(std::get<RuntimeAnswer>(result).content_type == "application/octet-stream");
}

TEST_CASE("an empty event has a length of zero and its content type") {
  Served served;
  served.exchange("", [&] {
    const auto next = served.client.Get(kNext);
    CHECK(next->status == 200);
    CHECK(next->body.empty());
    CHECK(next->get_header_value("Content-Length") == "0");
    CHECK(next->get_header_value("Content-Type") == "application/json");
    served.client.Post(kResponse, "", "application/json");
  });
}

TEST_CASE("a large event is sent whole") {
  Served served;
  const std::string large(5 << 20, 'e');
  served.exchange(large, [&] {
    CHECK(served.client.Get(kNext)->body == large);
    served.client.Post(kResponse, "1", "application/json");
  });
}

TEST_CASE("a stale or unknown id is a bad request, a second answer a forbidden one") {
  Served served;
  CHECK(served.client.Post(kResponse, "1", "application/json")->body ==
        "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n");
  served.exchange("1", [&] {
    served.client.Get(kNext);
    const auto unknown = served.client.Post(
        "/2018-06-01/runtime/invocation/other/response", "1", "application/json");
    CHECK(unknown->status == 400);
    CHECK(served.client.Post(kResponse, "1", "application/json")->status == 202);
    const auto second = served.client.Post(kResponse, "2", "application/json");
    CHECK(second->status == 403);
    CHECK(second->body ==
          "{\"errorMessage\":\"State transition from RuntimeResponseSentState to "
          "InvocationResponse failed for runtime. Error: State transition is not allowed\","
          "\"errorType\":\"InvalidStateTransition\"}\n");
    CHECK(served.client.Post(kError, "2", "application/json")
              ->body.find("to InvocationErrorResponse failed") != std::string::npos);
    CHECK(served.client.Post("/2018-06-01/runtime/init/error", "{}", "application/json")->status ==
          403);
  });
}

TEST_CASE("a chunked response body is collected") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const auto posted = served.client.Post(
        kResponse,
        [](std::size_t, httplib::DataSink& sink) {
          sink.write("part one, ", 10);
          sink.write("part two", 8);
          sink.done();
          return true;
        },
        "application/json");
    CHECK(posted->status == 202);
  });
  CHECK(std::get<RuntimeAnswer>(result).body == "part one, part two");
}

TEST_CASE("a client that expects 100-continue is told to go on") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const int socket = connect_to(served.server.port());
    send_all(socket,
             "POST " + kResponse +
                 " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    CHECK(receive(socket).rfind("HTTP/1.1 100", 0) == 0);
    send_all(socket, "done");
    CHECK(receive(socket).rfind("HTTP/1.1 202", 0) == 0);
    ::close(socket);
  });
  CHECK(std::get<RuntimeAnswer>(result).body == "done");
}

TEST_CASE("a response that breaks off before its announced end is a truncated one") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const int socket = connect_to(served.server.port());
    send_all(socket,
             "POST " + kResponse + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart");
    ::close(socket);
  });
  CHECK(std::get<RuntimeAnswer>(result).kind == RuntimeAnswer::Kind::truncated);
}

TEST_CASE("an error cause of one MiB in a header is accepted") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const httplib::Headers headers = {
        {"Lambda-Runtime-Function-Error-Type", "Runtime.Big"},
        {"Lambda-Runtime-Function-XRay-Error-Cause", std::string(1 << 20, 'c')}};
    CHECK(served.client.Post(kError, headers, "{}", "application/json")->status == 202);
  });
  CHECK(std::get<RuntimeAnswer>(result).error_type == "Runtime.Big");
}

TEST_CASE("an error with its cause reaches the caller without it") {
  Served served;
  const auto type = "application/vnd.aws.lambda.error.cause+json";
  const auto whole = served.exchange("1", [&] {
    served.client.Get(kNext);
    served.client.Post(
        kError, R"({"errorMessage":"m","errorType":"t","errorCause":{"message":"x"}})", type);
  });
  CHECK(std::get<RuntimeAnswer>(whole).body == R"({"errorMessage":"m","errorType":"t"})");
  CHECK(std::get<RuntimeAnswer>(whole).exceptions ==
        std::vector<runtime_api::CausingException>{{"Runtime.Unknown", "x"}});
  Served other;
  const auto broken = other.exchange("1", [&] {
    other.client.Get(kNext);
    other.client.Post(kError, "{", type);
  });
  CHECK(std::get<RuntimeAnswer>(broken).body == "\"Invalid error body\"");
}

TEST_CASE("the exceptions in an error's header are kept for the trace") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const httplib::Headers headers = {
        {"Lambda-Runtime-Function-XRay-Error-Cause",
         R"({"exceptions":[{"type":"KeyError","message":"'a'","stack":[]}],"paths":[]})"}};
    CHECK(served.client.Post(kError, headers, "{}", "application/json")->status == 202);
  });
  CHECK(std::get<RuntimeAnswer>(result).exceptions ==
        std::vector<runtime_api::CausingException>{{"KeyError", "'a'"}});
}

TEST_CASE("a header's value is what was sent, percent signs and all") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const httplib::Headers headers = {
        {"Lambda-Runtime-Function-Error-Type", "Runtime.Half%41"},
        {"Lambda-Runtime-Function-XRay-Error-Cause",
         R"({"exceptions":[{"type":"KeyError","message":"50%25"}]})"}};
    CHECK(served.client.Post(kError, headers, "{}", "application/json")->status == 202);
  });
  CHECK(std::get<RuntimeAnswer>(result).error_type == "Runtime.Half%41");
  CHECK(std::get<RuntimeAnswer>(result).exceptions ==
        std::vector<runtime_api::CausingException>{{"KeyError", "50%25"}});
}

TEST_CASE("an unknown response mode is refused and the answer may be sent again") {
  Served served;
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    const httplib::Headers wrong = {{"Lambda-Runtime-Function-Response-Mode", "Streaming"}};
    const auto refused = served.client.Post(kResponse, wrong, "1", "application/json");
    CHECK(refused->status == 400);
    CHECK(refused->body.find("InvalidFunctionResponseMode") != std::string::npos);
    const httplib::Headers none = {{"Lambda-Runtime-Function-Response-Mode", ""}};
    CHECK(served.client.Post(kResponse, none, "2", "application/json")->status == 202);
  });
  CHECK(std::get<RuntimeAnswer>(result).body == "2");
}

TEST_CASE("a multipart response is its bytes") {
  Served served;
  const std::string multipart =
      "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b--\r\n";
  const auto result = served.exchange("1", [&] {
    served.client.Get(kNext);
    CHECK(served.client.Post(kResponse, multipart, "multipart/form-data; boundary=b")->status ==
          202);
  });
  CHECK(std::get<RuntimeAnswer>(result).body == multipart);
  CHECK(std::get<RuntimeAnswer>(result).content_type == "multipart/form-data; boundary=b");
}

TEST_CASE("garbage on the Runtime API harms nobody") {
  Served served;
  for (const auto* garbage :
       {"\x00\x01\x02garbage\r\n\r\n",
        "GET\r\n\r\n",
        "POST / HTTP/9.9\r\n\r\n",
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nbroken\r\n\r\n"}) {
    const int socket = connect_to(served.server.port());
    send_all(socket, garbage);
    ::shutdown(socket, SHUT_WR);
    receive(socket);
    ::close(socket);
  }
  const auto result = served.exchange("1", [&] {
    CHECK(served.client.Get(kNext)->status == 200);
    CHECK(served.client.Post(kResponse, "fine", "application/json")->status == 202);
  });
  CHECK(std::get<RuntimeAnswer>(result).body == "fine");
}

TEST_CASE("a connection that the check refuses is answered 403, hung up on and given no event") {
  Served served([](std::uint16_t, std::uint16_t) { return false; });
  auto next = std::make_shared<NextInvocation>();
  next->request_id = "the-id";
  auto exchanged = std::async(
      std::launch::async, [&] { return served.session.exchange(next, Session::TimePoint::max()); });
  for (const auto& request : {"GET " + kNext + " HTTP/1.1\r\nHost: x\r\n\r\n",
                              "POST " + kResponse +
                                  " HTTP/1.1\r\nHost: x\r\n"
                                  "Content-Length: 1000000\r\n\r\n"}) {
    const int socket = connect_to(served.server.port());
    send_all(socket, request);
    CHECK(receive(socket).rfind("HTTP/1.1 403", 0) == 0);
    char byte = 0;
    CHECK(::recv(socket, &byte, 1, 0) == 0);
    ::close(socket);
  }
  CHECK(served.session.waiting_takers() == 0);
  CHECK(served.session.state() == RuntimeState::started);
  served.session.end();
  CHECK_FALSE(std::get<SessionEnded>(exchanged.get()).taken);
}

TEST_CASE("the check is asked once a connection, with both of its ports") {
  std::mutex mutex;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> asked;
  Served served([&](std::uint16_t peer_port, std::uint16_t local_port) {
    const std::lock_guard lock(mutex);
    asked.emplace_back(peer_port, local_port);
    return true;
  });
  // More connections than the listener keeps threads, so that threads serve more than one.
  constexpr int kConnections = 5;
  std::vector<std::uint16_t> peers;
  for (int at = 0; at < kConnections; ++at) {
    const int socket = connect_to(served.server.port());
    sockaddr_in own{};
    socklen_t length = sizeof(own);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &length);
    peers.push_back(ntohs(own.sin_port));
    for (int call = 0; call < 3; ++call) {
      send_all(socket, "GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n");
      CHECK(receive(socket).rfind("HTTP/1.1 200", 0) == 0);
      std::string pong(4, ' ');
      CHECK(::recv(socket, pong.data(), pong.size(), MSG_WAITALL) == 4);
      CHECK(pong == "pong");
    }
    ::close(socket);
  }
  const std::lock_guard lock(mutex);
  REQUIRE(asked.size() == kConnections);
  for (std::size_t at = 0; at < kConnections; ++at) {
    CHECK(asked[at] == std::pair{peers[at], served.server.port()});
  }
}

TEST_CASE("a check that lets one connection in does not let the next one in") {
  std::atomic<int> asked = 0;
  Served served([&](std::uint16_t, std::uint16_t) { return ++asked == 1; });
  const std::string ping = "GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n";
  const int first = connect_to(served.server.port());
  send_all(first, ping);
  CHECK(receive(first).rfind("HTTP/1.1 200", 0) == 0);
  ::close(first);
  for (int at = 0; at < 4; ++at) {
    const int later = connect_to(served.server.port());
    send_all(later, ping);
    CHECK(receive(later).rfind("HTTP/1.1 403", 0) == 0);
    ::close(later);
  }
}

TEST_CASE("unknown paths and methods answer as the published emulator does") {
  Served served;
  const auto unknown = served.client.Get("/2018-06-01/runtime/invocation/next/");
  CHECK(unknown->status == 404);
  CHECK(unknown->body == "404 page not found\n");
  CHECK(unknown->get_header_value("X-Content-Type-Options") == "nosniff");
  const auto wrong = served.client.Post(kNext, "x", "text/plain");
  CHECK(wrong->status == 405);
  CHECK(wrong->get_header_value("Allow") == "GET");
  CHECK(served.client.Get("/2018-06-01/ping?x=1")->body == "pong");
}

TEST_CASE("what is refused is read to its end, so that the next request on the connection counts") {
  Served served;
  served.client.set_keep_alive(true);
  // Small, so that it comes after the head and the next request close behind it.
  const std::string body(100, 'x');
  for (int round = 0; round < 500; ++round) {
    REQUIRE(served.client.Post("/2018-06-01/runtime/invocation/stale/response", body, "text/plain")
                ->status == 400);
    REQUIRE(served.client.Get("/2018-06-01/ping")->body == "pong");
  }
}

TEST_CASE("who sends a body where none belongs is answered and hung up on") {
  Served served;
  for (const auto* line : {"POST /nowhere", "POST /2018-06-01/runtime/invocation/next"}) {
    const int socket = connect_to(served.server.port());
    send_all(socket, std::string(line) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    const auto head = receive(socket);
    INFO(head);
    CHECK(head.rfind("HTTP/1.1 40", 0) == 0);
    const auto said = head.find("Connection: close");
    REQUIRE(said != std::string::npos);
    CHECK(head.find("Connection: close", said + 1) == std::string::npos);
    char byte = 0;
    while (::recv(socket, &byte, 1, 0) == 1) {
    }
    ::close(socket);
  }
}

TEST_CASE("a taken port is an error that says what to do") {
  const int first = open_listening_socket("127.0.0.1", 0).value();
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  ::getsockname(first, reinterpret_cast<sockaddr*>(&address), &length);
  const auto second = open_listening_socket("127.0.0.1", ntohs(address.sin_port));
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find("choose another port") != std::string::npos);
  ::close(first);
  CHECK_FALSE(open_listening_socket("localhost", 0));
}
