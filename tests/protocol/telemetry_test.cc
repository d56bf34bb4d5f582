#include "emulator/environment/telemetry.h"

#include "tests/support/telemetry_listeners.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

using namespace emulator::environment;
using namespace std::chrono_literals;
using runtime_api::Destination;
using runtime_api::EventCategory;
using runtime_api::Subscription;
using runtime_api::SubscriptionRefused;
using runtime_api::TelemetryApi;
using runtime_api::TelemetrySchema;

namespace {

Subscription everything(Destination::Protocol protocol, std::uint16_t port) {
  Subscription subscription;
  for (const auto category :
       {EventCategory::platform, EventCategory::function, EventCategory::extension}) {
    subscription.categories.add(category);
  }
  subscription.destination = {
      .protocol = protocol, .port = port, .host = "sandbox.localdomain", .path = "/events?a=b"};
  return subscription;
}
Subscription by_http(std::uint16_t port) { return everything(Destination::Protocol::http, port); }
Subscription by_tcp(std::uint16_t port) { return everything(Destination::Protocol::tcp, port); }

auto soon() { return std::chrono::steady_clock::now() + 10min; }

// The telemetry of one launch, on the host's time.
struct Launch {
  emulator::time::SystemClock clock;
  emulator::time::TimerQueue timers{clock, emulator::time::TimerDrive::own_thread};
  std::vector<TelemetryRecord> logged;  // on the test's thread, while nothing is lost
  Telemetry telemetry{clock,
                      timers,
                      tests::connect_to_loopback(),
                      LogFormat::text,
                      [this](const TelemetryRecord& record) {
                        if (std::holds_alternative<Subscribed>(record)) logged.push_back(record);
                      }};

  void print(const std::string& line, EventCategory writer = EventCategory::function) {
    telemetry.line_tap()(writer, line);
  }
};

}  // namespace

TEST_CASE("an HTTP subscriber gets arrays of events at its path", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  REQUIRE(launch.telemetry.subscribe("e", by_http(listener.port())));
  launch.print("hello");
  launch.print("from the extension", EventCategory::extension);
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.last_request() == "POST /events?a=b application/json");
  CHECK(listener.received.types() ==
        std::vector<std::string>{"platform.telemetrySubscription", "function", "extension"});
  CHECK(listener.received.of_type("function")[0]["record"] == "hello");
  CHECK(launch.telemetry.counts().delivered == 3);
  REQUIRE(launch.logged.size() == 1);
  CHECK(std::get<Subscribed>(launch.logged.front()).name == "e");
}

TEST_CASE("a TCP subscriber gets a line for each event", "[telemetry]") {
  tests::TcpListener listener;
  Launch launch;
  REQUIRE(launch.telemetry.subscribe("e", by_tcp(listener.port())));
  launch.print("one");
  launch.print("two");
  CHECK(launch.telemetry.flush(soon()));
  listener.received.await_type("function", 2);
  CHECK(listener.received.of_type("function")[1]["record"] == "two");
}

TEST_CASE("a new subscriber is told what came before it", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  launch.telemetry.record(InitStart{});
  launch.print("printed early");
  REQUIRE(launch.telemetry.subscribe("e", by_http(listener.port())));
  launch.telemetry.close_subscriptions();
  launch.telemetry.record(InitReported{});
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.received.types() == std::vector<std::string>{"platform.initStart",
                                                              "function",
                                                              "platform.telemetrySubscription",
                                                              "platform.initReport"});
}

TEST_CASE("of lines that were printed before, what was not kept is counted", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  constexpr int kPrinted = 2'000;
  for (int i = 0; i < kPrinted; ++i) launch.print(std::string(1'000, 'x'));
  REQUIRE(launch.telemetry.subscribe("e", by_http(listener.port())));
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.received.of_type("platform.logsDropped").size() == 1);
  CHECK(listener.received.received_and_lost("function") == kPrinted);
}

TEST_CASE("a subscriber gets only the categories that it asked for", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  auto subscription = by_http(listener.port());
  subscription.categories = {};
  subscription.categories.add(EventCategory::extension);
  REQUIRE(launch.telemetry.subscribe("e", subscription));
  launch.print("function");
  launch.print("extension", EventCategory::extension);
  launch.telemetry.record(InvocationStart{});
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.received.types() == std::vector<std::string>{"extension"});
}

TEST_CASE("subscribing twice is taken once, and only if it is the same", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  REQUIRE(launch.telemetry.subscribe("e", by_http(listener.port())));
  REQUIRE(launch.telemetry.subscribe("e", by_http(listener.port())));
  const auto other = launch.telemetry.subscribe("e", by_http(1));
  REQUIRE_FALSE(other);
  CHECK(other.error().reason == SubscriptionRefused::Reason::conflict);
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.received.all().size() == 1);
}

TEST_CASE("an environment subscribes by one API only", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  REQUIRE(launch.telemetry.subscribe("one", by_http(listener.port())));
  auto logs = by_http(listener.port());
  logs.api = TelemetryApi::logs;
  logs.schema = TelemetrySchema::v2020_08_15;
  const auto refused = launch.telemetry.subscribe("two", logs);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == SubscriptionRefused::Reason::conflict);
}

TEST_CASE("a subscriber of the Logs API may be put to, and hears of ends", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  auto logs = by_http(listener.port());
  logs.api = TelemetryApi::logs;
  logs.schema = TelemetrySchema::v2020_08_15;
  logs.destination.method = Destination::Method::put;
  REQUIRE(launch.telemetry.subscribe("e", logs));
  launch.telemetry.record(InvocationReported{});
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.last_request().starts_with("PUT "));
  CHECK(listener.received.types() ==
        std::vector<std::string>{"platform.logsSubscription", "platform.end", "platform.report"});
}

TEST_CASE("nobody subscribes after Init", "[telemetry]") {
  Launch launch;
  launch.telemetry.close_subscriptions();
  const auto refused = launch.telemetry.subscribe("e", by_http(1));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == SubscriptionRefused::Reason::closed);
  CHECK_FALSE(launch.telemetry.desk([](const std::string&) { return std::nullopt; }).open());
}

TEST_CASE("a TCP listener has to be there when it is subscribed", "[telemetry]") {
  tests::LoopbackSocket nobody;
  const auto port = nobody.port();
  nobody.close();
  tests::TcpListener listener;
  Launch launch;
  const auto refused = launch.telemetry.subscribe("e", by_tcp(port));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == SubscriptionRefused::Reason::unreachable);
  // And may be there later.
  CHECK(launch.telemetry.subscribe("e", by_tcp(listener.port())));
}

TEST_CASE("ten extensions may subscribe", "[telemetry]") {
  tests::HttpListener listener;
  Launch launch;
  for (std::size_t i = 0; i < kMaxSubscriptions; ++i) {
    REQUIRE(launch.telemetry.subscribe("e" + std::to_string(i), by_http(listener.port())));
  }
  CHECK_FALSE(launch.telemetry.subscribe("more", by_http(listener.port())));
}

TEST_CASE("what a subscriber refused is sent again", "[telemetry]") {
  std::atomic<int> answers{0};
  tests::HttpListener listener([&answers] { return answers++ < 2 ? 500 : 202; });
  Launch launch;
  REQUIRE(launch.telemetry.subscribe("e", by_http(listener.port())));
  launch.print("again");
  CHECK(launch.telemetry.flush(soon()));
  CHECK(listener.received.of_type("function").size() == 1);
  CHECK(launch.telemetry.counts().dropped == 0);
}

TEST_CASE("a subscriber that never reads holds nobody up", "[telemetry]") {
  // It accepts by its queue alone, and what is sent fills its buffers.
  const tests::LoopbackSocket deaf;
  for (const auto& subscription : {by_tcp(deaf.port()), by_http(deaf.port())}) {
    Launch launch;
    REQUIRE(launch.telemetry.subscribe("e", subscription));
    constexpr std::uint64_t kPrinted = 30'000;
    for (std::uint64_t i = 0; i < kPrinted; ++i) launch.print(std::string(1'000, 'x'));
    const auto counts = launch.telemetry.counts();
    CHECK(counts.dropped > 0);
    CHECK(counts.delivered + counts.dropped + counts.pending == kPrinted + 1);
    CHECK_FALSE(launch.telemetry.flush(std::chrono::steady_clock::now()));
  }
}

TEST_CASE("a subscriber that is gone costs its events, and they are counted", "[telemetry]") {
  Launch launch;
  {
    const tests::LoopbackSocket listening;
    REQUIRE(launch.telemetry.subscribe("e", by_http(listening.port())));
  }
  launch.print("to nobody");
  launch.telemetry.flush(std::chrono::steady_clock::now());
  const auto counts = launch.telemetry.counts();
  CHECK(counts.delivered == 0);
  CHECK(counts.dropped + counts.pending == 2);
}

TEST_CASE("an answer that is no HTTP is a failure, and interim answers are none", "[telemetry]") {
  const auto answer_with = [](const std::string& answer) {
    tests::LoopbackSocket listening;
    std::thread subscriber([&] {
      const emulator::sandbox::UniqueFd connection(::accept(listening.get(), nullptr, nullptr));
      std::string request;
      std::array<char, 4096> buffer{};
      while (!request.ends_with("]")) {
        const auto length = ::read(connection.get(), buffer.data(), buffer.size());
        if (length <= 0) break;
        request.append(buffer.data(), static_cast<std::size_t>(length));
      }
      static_cast<void>(::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
    });
    runtime_api::TelemetryChannel channel(by_http(listening.port()).destination,
                                          tests::connect_to_loopback());
    const auto interruption = runtime_api::Interruption::make().value();
    const std::array<std::string, 2> events = {"{}", "{}"};
    const auto sent = channel.deliver(events, *interruption);
    subscriber.join();
    return sent.has_value();
  };
  CHECK(answer_with("HTTP/1.1 204 No Content\r\n\r\n"));
  CHECK(answer_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n"));
  CHECK(answer_with("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
  CHECK(answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
  CHECK_FALSE(answer_with(""));
  CHECK_FALSE(answer_with("HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(answer_with("220 mail.example.com\r\n\r\n"));
  CHECK_FALSE(answer_with("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"));
  CHECK_FALSE(answer_with("HTTP/1.1 99999999999\r\n\r\n"));
  CHECK_FALSE(answer_with(std::string(200'000, 'x')));
}

TEST_CASE("a function that prints faster than anybody reads loses nothing that is not counted",
          "[telemetry]") {
  tests::TcpListener listener;
  Launch launch;
  std::uint64_t written = 0;
  LogStream log([&written](std::string_view lines) { written += lines.size(); });
  log.set_tap(launch.telemetry.line_tap());
  REQUIRE(launch.telemetry.subscribe("e", by_tcp(listener.port())));
  launch.telemetry.close_subscriptions();

  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const emulator::sandbox::UniqueFd reading(ends[0]);
  constexpr std::uint64_t kLines = 50'000;  // half a second of 10 MB/s
  const std::string line(99, 'x');
  std::thread function([&line, writing = emulator::sandbox::UniqueFd(ends[1])] {
    const std::string text = line + "\n";
    std::string chunk;
    for (int i = 0; i < 100; ++i) chunk += text;
    for (std::uint64_t i = 0; i < kLines / 100; ++i) {
      std::string_view rest = chunk;
      while (!rest.empty()) {
        const auto length = ::write(writing.get(), rest.data(), rest.size());
        if (length <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(length));
      }
    }
  });
  LogSource source(log, LogSource::Kind::function);
  while (source.drain(reading.get())) {
  }
  function.join();
  log.set_tap({});
  CHECK(written == kLines * (line.size() + 1));
  CHECK(launch.telemetry.flush(soon()));
  listener.received.await_type("platform.telemetrySubscription");
  const auto counts = launch.telemetry.counts();
  CHECK(counts.delivered + counts.dropped == kLines + 1);
  listener.received.await_type("function", counts.delivered - 1);
  listener.received.await_lost(counts.dropped);
  CHECK(listener.received.received_and_lost("function") == kLines);
  CHECK(launch.telemetry.untaken().empty());
}

TEST_CASE("what a subscriber never had is known, and of which", "[telemetry]") {
  tests::HttpListener listener;
  const tests::LoopbackSocket deaf;
  Launch launch;
  REQUIRE(launch.telemetry.subscribe("listens", by_http(listener.port())));
  REQUIRE(launch.telemetry.subscribe("sleeps", by_http(deaf.port())));
  launch.telemetry.close_subscriptions();
  constexpr std::uint64_t kPrinted = 20'000;
  for (std::uint64_t i = 0; i < kPrinted; ++i) launch.print(std::string(1'000, 'x'));
  listener.received.await_type("function");
  launch.telemetry.hurry();
  // Beside what it printed, each subscription is an event for both.
  const auto of_sleeper = [&]() -> std::uint64_t {
    for (const auto& [extension, events] : launch.telemetry.untaken()) {
      if (extension == "sleeps") return events;
    }
    return 0;
  };
  CHECK(of_sleeper() == kPrinted + 2);
}
