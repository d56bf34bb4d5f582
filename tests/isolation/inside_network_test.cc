// Sockets of Hearth's that reach the programs of a sandbox, and that these reach.
#include "emulator/sandbox/inside_socket.h"
#include "emulator/sandbox/unique_fd.h"
#include "tests/isolation/sandboxed_testee.h"
#include "tests/support/host_requirements.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace isolation_test;
using namespace emulator::sandbox;

namespace {

IsolationPlan plan_with(Network network) {
  if (network == Network::none) tests::requires_own_network();
  const auto plan =
      plan_isolation({.strictness = Strictness::degraded, .network = network}, tests::host());
  REQUIRE(plan);
  return *plan;
}

// Free in the host's network a moment ago, and in any other.
std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

struct Address {
  std::string text;
  std::uint16_t port = 0;
};

Address address_of(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return {text.data(), ntohs(address.sin_port)};
}

bool blocks_and_closes_on_exec(const UniqueFd& socket) {
  return (::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) == 0 &&
         (::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0;
}

// It must not hang a test that it fails.
std::string receive(const UniqueFd& socket) {
  constexpr int kPatienceMs = 60'000;
  pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
  REQUIRE(::poll(&wait, 1, kPatienceMs) == 1);
  std::array<char, 64> text{};
  const auto size = ::recv(socket.get(), text.data(), text.size(), 0);
  REQUIRE(size >= 0);
  return {text.data(), static_cast<std::size_t>(size)};
}

StartRequest listening(std::uint16_t port, const std::string& mode = "listens") {
  return testee_start(mode, {"TESTEE_PORT=" + std::to_string(port)});
}

}  // namespace

TEST_CASE("a program that listens is spoken with from outside, in whichever network it is",
          "[inside-network]") {
  const auto network = GENERATE(Network::host, Network::none);
  LinuxLauncher launcher(plan_with(network));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const auto port = free_port();
  StartedProgram program(*sandbox, listening(port));
  REQUIRE(program.line() == "listening");
  for (const std::string line : {"one", "two"}) {
    const auto connected = sandbox->connect_inside(port);
    REQUIRE(connected);
    const UniqueFd connection(*connected);
    CHECK(blocks_and_closes_on_exec(connection));
    REQUIRE(::send(connection.get(), (line + "\n").data(), line.size() + 1, MSG_NOSIGNAL) > 0);
    CHECK(program.line() == line);
    CHECK(receive(connection) == "heard\n");
  }
}

TEST_CASE("where nobody listens a connection is refused at once", "[inside-network]") {
  const auto network = GENERATE(Network::host, Network::none);
  LinuxLauncher launcher(plan_with(network));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const auto port = free_port();
  const auto refused = sandbox->connect_inside(port);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().error_number == ECONNREFUSED);
  CHECK(refused.error().message.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
}

TEST_CASE("a listener that takes no connection is not waited for without end", "[inside-network]") {
  LinuxLauncher launcher(plan_with(Network::host));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const auto port = free_port();
  StartedProgram program(*sandbox, listening(port, "listens_without_accepting"));
  REQUIRE(program.line() == "listening");
  std::vector<UniqueFd> connections;
  auto last = sandbox->connect_inside(port);
  // Its queue is one or two connections long, as the kernel counts.
  for (int more = 0; last && more < 4; ++more) {
    connections.emplace_back(*last);
    last = sandbox->connect_inside(port);
  }
  if (last) {
    connections.emplace_back(*last);
    SKIP("SKIPPED: this kernel takes more connections than a queue is long");
  }
  CHECK(last.error().error_number == ETIMEDOUT);
}

TEST_CASE("the port of another network is not met inside a sandbox's own", "[inside-network]") {
  tests::requires_own_network();
  LinuxLauncher outside(plan_with(Network::host));
  LinuxLauncher inside(plan_with(Network::none));
  const auto host = sandbox_of(outside, testee_request());
  const auto own = sandbox_of(inside, testee_request());
  const auto port = free_port();
  StartedProgram program(*host, listening(port));
  REQUIRE(program.line() == "listening");
  CHECK_FALSE(own->connect_inside(port));
  StartedProgram same(*own, listening(port));
  CHECK(same.line() == "listening");
  CHECK(UniqueFd(own->connect_inside(port).value()).valid());
}

TEST_CASE("programs send datagrams to a socket of the sandbox's owner", "[inside-network]") {
  const auto network = GENERATE(Network::host, Network::none);
  LinuxLauncher launcher(plan_with(network));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const auto bound = sandbox->bind_datagram_inside(0);
  REQUIRE(bound);
  const UniqueFd socket(*bound);
  CHECK(blocks_and_closes_on_exec(socket));
  const auto address = address_of(socket);
  CHECK(address.text == (network == Network::none ? kListeningAddress : kLoopbackAddress));
  const auto target = "TESTEE_TARGET=" + address.text + ":" + std::to_string(address.port);
  {
    StartedProgram first(*sandbox, testee_start("sends_datagram", {target}));
    StartedProgram second(*sandbox, testee_start("sends_datagram", {target}));
    CHECK(first.line() == "sent");
    CHECK(second.line() == "sent");
    CHECK(receive(socket) == "hello");
    CHECK(receive(socket) == "hello");
  }
  // And after all of them have gone.
  StartedProgram later(*sandbox, testee_start("sends_datagram", {target}));
  CHECK(later.line() == "sent");
  CHECK(receive(socket) == "hello");
}

TEST_CASE("a datagram port that is taken is refused with advice", "[inside-network]") {
  const auto network = GENERATE(Network::host, Network::none);
  LinuxLauncher launcher(plan_with(network));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const UniqueFd socket(sandbox->bind_datagram_inside(0).value());
  const auto refused = sandbox->bind_datagram_inside(address_of(socket).port);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().error_number == EADDRINUSE);
  CHECK(refused.error().message.find("another port") != std::string::npos);
}

TEST_CASE("the first of several programs brings the listening socket", "[inside-network]") {
  LinuxLauncher launcher(plan_with(Network::none));
  const auto sandbox = sandbox_of(launcher, testee_request());
  for (int start = 0; start < 2; ++start) {
    StartedProgram first(*sandbox, shell("sleep 1000"));
    StartedProgram second(*sandbox, shell("sleep 1000"));
    const auto given = first.process().take_listening_socket();
    REQUIRE(given);
    const UniqueFd listener(*given);
    // Of every address inside: what fetches credentials asks the loopback for them.
    CHECK(address_of(listener).text == "0.0.0.0");
    CHECK(address_of(listener).port == kListeningPort);
    CHECK_FALSE(first.process().take_listening_socket());
    CHECK_FALSE(second.process().take_listening_socket());
  }
}

TEST_CASE("the connections of every program are known for the sandbox's", "[inside-network]") {
  tests::requires_peer_check();
  LinuxLauncher launcher(plan_with(Network::host));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const auto stranger = sandbox_of(launcher, testee_request());
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener.get(), 8) == 0);
  const auto port = address_of(listener).port;
  const auto connecting =
      testee_start("keeps_connection", {"TESTEE_EVENT=\"127.0.0.1:" + std::to_string(port) + "\""});
  const StartedProgram first(*sandbox, connecting);
  const StartedProgram second(*sandbox, connecting);
  const StartedProgram other(*stranger, shell("sleep 1000"));
  std::vector<UniqueFd> connections;
  for (int i = 0; i < 2; ++i) {
    sockaddr_in peer{};
    size = sizeof peer;
    connections.emplace_back(
        ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
    REQUIRE(connections.back().valid());
    CHECK(sandbox->owns_connection(ntohs(peer.sin_port), port));
    CHECK_FALSE(stranger->owns_connection(ntohs(peer.sin_port), port));
  }
}

TEST_CASE("many threads may make connections into one sandbox while it runs and is frozen",
          "[inside-network]") {
  const auto network = GENERATE(Network::host, Network::none);
  LinuxLauncher launcher(plan_with(network));
  const auto sandbox = sandbox_of(launcher, testee_request());
  const auto before = tests::open_descriptors();
  const auto port = free_port();
  {
    StartedProgram program(*sandbox, listening(port));
    REQUIRE(program.line() == "listening");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&sandbox, port] {
        for (int turn = 0; turn < 20; ++turn) {
          auto connected = sandbox->connect_inside(port);
          if (connected) ::close(*connected);
          auto bound = sandbox->bind_datagram_inside(0);
          if (bound) ::close(*bound);
        }
      });
    }
    for (int turn = 0; turn < 20; ++turn) {
      sandbox->freeze();
      sandbox->thaw();
    }
    for (auto& thread : threads) thread.join();
    CHECK(UniqueFd(sandbox->connect_inside(port).value()).valid());
  }
  CHECK(tests::open_descriptors() <= before);
}

TEST_CASE("a sandbox whose first process was killed says so, and hangs nobody",
          "[inside-network]") {
  LinuxLauncher launcher(plan_with(Network::none));
  const auto children = tests::child_processes();
  const auto sandbox = sandbox_of(launcher, testee_request());
  for (const auto pid : tests::child_processes()) {
    if (std::find(children.begin(), children.end(), pid) == children.end()) ::kill(pid, SIGKILL);
  }
  const auto refused = sandbox->connect_inside(1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("sandbox's network") != std::string::npos);
}
