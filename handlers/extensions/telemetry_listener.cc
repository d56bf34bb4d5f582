#include "handlers/extensions/telemetry_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace extensions {
namespace {

// Takes one connection and reads it to its end, or to the end of interest.
void read_lines(int listening, const TelemetryListener::Take& take) {
  const int connection = ::accept(listening, nullptr, nullptr);
  std::string text;
  std::array<char, 4096> buffer{};
  bool wanted = connection >= 0;
  while (wanted) {
    const auto length = ::read(connection, buffer.data(), buffer.size());
    if (length <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(length));
    for (auto end = text.find('\n'); wanted && end != std::string::npos; end = text.find('\n')) {
      wanted = take(text.substr(0, end));
      text.erase(0, end + 1);
    }
  }
  if (connection >= 0) ::close(connection);
  ::close(listening);
}

}  // namespace

std::optional<TelemetryListener> TelemetryListener::open(Take take) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening < 0) return std::nullopt;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listening, where, length) != 0 || ::listen(listening, 1) != 0 ||
      ::getsockname(listening, where, &length) != 0) {
    ::close(listening);
    return std::nullopt;
  }
  return TelemetryListener(
      ntohs(address.sin_port),
      std::thread([listening, take = std::move(take)] { read_lines(listening, take); }));
}

}  // namespace extensions
