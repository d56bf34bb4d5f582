#include "emulator/front_doors/connection_socket.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

namespace emulator::front_doors {
namespace {

using AskName = int (*)(int, sockaddr*, socklen_t*);

bool is_end(AskName ask, int descriptor, const std::string& address, int port) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  auto* const generic = reinterpret_cast<sockaddr*>(&storage);
  if (ask(descriptor, generic, &length) != 0) return false;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  const int named = ::getnameinfo(generic,
                                  length,
                                  host.data(),
                                  host.size(),
                                  service.data(),
                                  service.size(),
                                  NI_NUMERICHOST | NI_NUMERICSERV);
  return named == 0 && address == host.data() && std::to_string(port) == service.data();
}

bool is_socket_of(int descriptor, const ConnectionEnds& ends) {
  return is_end(::getpeername, descriptor, ends.remote_address, ends.remote_port) &&
         is_end(::getsockname, descriptor, ends.local_address, ends.local_port);
}

std::optional<int> descriptor_of(const std::string& name) {
  int descriptor = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), descriptor);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return descriptor;
}

}  // namespace

void hang_up(const ConnectionEnds& ends) {
  std::error_code failed;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failed), none;
       !failed && entry != none;
       entry.increment(failed)) {
    const auto descriptor = descriptor_of(entry->path().filename().string());
    // Both directions: one thread may read from it, another write to it.
    if (descriptor && is_socket_of(*descriptor, ends)) ::shutdown(*descriptor, SHUT_RDWR);
  }
}

}  // namespace emulator::front_doors
