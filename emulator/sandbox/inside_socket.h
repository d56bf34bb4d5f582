// Hearth's own sockets to and from the processes of a sandbox. A socket belongs for good to the
// network it was made in, so these work alike on one made here and on one made inside.
//
// Any thread.
#pragma once

#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <cstdint>

namespace emulator::sandbox {

enum class SocketKind { stream, datagram };

inline constexpr const char* kLoopbackAddress = "127.0.0.1";

// In the caller's network, IPv4, not blocking, closed on exec.
tl::expected<UniqueFd, SandboxError> open_socket(SocketKind kind);

// Connects a stream socket as open_socket() makes them to 127.0.0.1:`port`, as
// Sandbox::connect_inside() promises.
tl::expected<UniqueFd, SandboxError> connect_to_loopback(UniqueFd socket, std::uint16_t port);

// Binds a datagram socket as open_socket() makes them, as Sandbox::bind_datagram_inside() promises.
// `address` in dotted form.
tl::expected<UniqueFd, SandboxError> bind_to(UniqueFd socket,
                                             const char* address,
                                             std::uint16_t port);

}  // namespace emulator::sandbox
