#include "emulator/environment/xray_daemon.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace emulator::environment {
namespace {

// The largest that UDP over IPv4 can carry; X-Ray's own limit for a segment is 64 KiB.
constexpr std::size_t kMaxDatagramBytes = 65'536;

std::uint16_t port_of(int socket) {
  sockaddr_in bound{};
  socklen_t size = sizeof(bound);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.sin_port);
}

}  // namespace

tl::expected<std::unique_ptr<XRayDaemon>, sandbox::SandboxError> XRayDaemon::open(
    sandbox::Sandbox& sandbox, OutputPump& pump, Take take) {
  const bool own = sandbox.has_own_network();
  const auto socket = sandbox.bind_datagram_inside(own ? kXRayPort : 0);
  if (!socket) return tl::unexpected(socket.error());
  std::unique_ptr<XRayDaemon> daemon(new XRayDaemon(sandbox::UniqueFd(*socket),
                                                    own ? sandbox::kListeningAddress : "127.0.0.1",
                                                    pump,
                                                    std::move(take)));
  daemon->watch_ = pump.watch(*socket, [raw = daemon.get()] {
    raw->drain();
    return OutputPump::Keep::watching;
  });
  return daemon;
}

XRayDaemon::XRayDaemon(sandbox::UniqueFd socket, std::string address, OutputPump& pump, Take take)
    : socket_(std::move(socket)),
      address_(std::move(address)),
      port_(port_of(socket_.get())),
      pump_(pump),
      take_(std::move(take)) {}

XRayDaemon::~XRayDaemon() {
  if (watch_ != OutputPump::WatchId{}) pump_.unwatch(watch_);
}

void XRayDaemon::drain() {
  std::array<char, kMaxDatagramBytes> datagram;
  for (int i = 0; i < kMaxDatagramsInARow; ++i) {
    const auto size = ::recv(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    take_(std::string_view(datagram.data(), static_cast<std::size_t>(size)));
  }
}

}  // namespace emulator::environment
