#include "handlers/testees/conversation.h"

#include "handlers/runtime_client/http_connection.h"
#include "handlers/testees/variables.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace testees {
namespace {

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int listener(int backlog) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(number("TESTEE_PORT", 0)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket, where, sizeof address) != 0 || ::listen(socket, backlog) != 0) {
    std::perror("listening");
    std::_Exit(EXIT_FAILURE);
  }
  say("listening\n");
  return socket;
}

void hear(int connection) {
  std::string line;
  for (char letter = 0; ::read(connection, &letter, 1) == 1;) {
    line += letter;
    if (letter != '\n') continue;
    say(line);
    line.clear();
    ::send(connection, "heard\n", 6, MSG_NOSIGNAL);
  }
}

}  // namespace

int listens() {
  constexpr int kBacklog = 128;
  const int socket = listener(kBacklog);
  while (true) {
    const int connection = ::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return EXIT_FAILURE;
    hear(connection);
    ::close(connection);
  }
}

int listens_without_accepting() {
  listener(0);
  while (true) ::pause();
}

int sends_datagram() {
  const auto target = runtime_client::parse_address(variable("TESTEE_TARGET"));
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (!target || socket < 0) return EXIT_FAILURE;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target->port);
  address.sin_addr.s_addr = htonl(target->ipv4);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (::sendto(socket, "hello", 5, 0, where, sizeof address) != 5) return EXIT_FAILURE;
  say("sent\n");
  return EXIT_SUCCESS;
}

int ends_when_asked() {
  sigset_t termination;
  ::sigemptyset(&termination);
  ::sigaddset(&termination, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &termination, nullptr);
  say("up\n");
  int signal = 0;
  ::sigwait(&termination, &signal);
  say("asked to end\n");
  return static_cast<int>(number("TESTEE_EXIT_CODE", 0));
}

}  // namespace testees
