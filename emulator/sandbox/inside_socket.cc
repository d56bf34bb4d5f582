#include "emulator/sandbox/inside_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

sockaddr_in address_of(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

std::string at(const char* address, std::uint16_t port) {
  return std::string(address) + ":" + std::to_string(port);
}

SandboxError socket_error(const std::string& operation, int error, const std::string& advice) {
  return {.kind = SandboxError::Kind::system,
          .operation = operation,
          .error_number = error,
          .message = operation + " failed: " + std::generic_category().message(error) + advice};
}

bool make_blocking(const UniqueFd& socket) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  return flags >= 0 && ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) == 0;
}

// 0, or the errno of the connection that was begun.
int await_connected(const UniqueFd& socket) {
  pollfd wait{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, static_cast<int>(kConnectPatience.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return errno;
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// A port that nobody listens on may be the one that the kernel chose for our own side; TCP then
// connects a socket with itself.
bool met_itself(const UniqueFd& socket, std::uint16_t port) {
  sockaddr_in own{};
  socklen_t size = sizeof(own);
  return ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
         own.sin_port == htons(port);
}

}  // namespace

tl::expected<UniqueFd, SandboxError> open_socket(SocketKind kind) {
  const int type = kind == SocketKind::stream ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.valid()) return socket;
  return tl::unexpected(socket_error("making a socket", errno, ""));
}

tl::expected<UniqueFd, SandboxError> connect_to_loopback(UniqueFd socket, std::uint16_t port) {
  const auto operation = "connecting to " + at(kLoopbackAddress, port) + " in a sandbox";
  const auto address = address_of(kLoopbackAddress, port);
  int error = 0;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    error = errno == EINPROGRESS || errno == EINTR ? await_connected(socket) : errno;
  }
  if (error == 0 && met_itself(socket, port)) error = ECONNREFUSED;
  if (error == 0 && !make_blocking(socket)) error = errno;
  if (error == 0) return socket;
  return tl::unexpected(
      socket_error(operation, error, "; a process of the sandbox must listen there"));
}

tl::expected<UniqueFd, SandboxError> bind_to(UniqueFd socket,
                                             const char* address,
                                             std::uint16_t port) {
  const auto where = address_of(address, port);
  const bool bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0;
  if (bound && make_blocking(socket)) return socket;
  const int error = errno;
  return tl::unexpected(socket_error("taking datagrams at " + at(address, port),
                                     error,
                                     error == EADDRINUSE ? "; choose another port, or 0" : ""));
}

}  // namespace emulator::sandbox
