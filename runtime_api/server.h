// The HTTP listener that serves one session, and the hub of its extensions, to the processes of one
// environment.
#pragma once

#include "runtime_api/extension_hub.h"
#include "runtime_api/restore_routes.h"
#include "runtime_api/runtime_routes.h"
#include "runtime_api/session.h"
#include "runtime_api/telemetry_routes.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace runtime_api {

// What the processes of one launch need at the most: a runtime keeps one to three connections open,
// an extension one on which its next call is parked and one beside it.
inline constexpr std::size_t kRuntimeConnections = 3;
inline constexpr std::size_t kExtensionConnections = 2;

// Connections served at a time; each holds one thread, and so does each parked call. Our choice:
// more than twice what is needed, and a process that opens more starves only its own environment.
inline constexpr std::size_t kMaxConnections = 64;
static_assert(kMaxConnections >=
              2 * (kRuntimeConnections + kMaxExtensions * kExtensionConnections));

struct ListenError {
  std::string message;  // a sentence: what, where, how to mend
  int error_number = 0;
};

// A bound and listening TCP socket on an IPv4 address; `port` 0 takes a free one. The caller owns
// the descriptor, which closes on exec.
tl::expected<int, ListenError> open_listening_socket(const std::string& address,
                                                     std::uint16_t port);

// Whether a connection from 127.0.0.1:`peer_port` to our 127.0.0.1:`local_port` comes from one that
// may speak to us. Asked once a connection, on any thread.
using ConnectionCheck = std::function<bool(std::uint16_t peer_port, std::uint16_t local_port)>;

// Any thread.
class Server {
 public:
  // Without a check, everyone who reaches the socket may speak. Others get 403 and are hung up on.
  // Takes the listening socket over and serves until destroyed. `session` and `extensions` must
  // outlive the server, and must be ended before the server is destroyed: a parked call holds its
  // thread until then. What `telemetry` and `restore` use must outlive it too. Without `restore`
  // the calls that it is for are unknown.
  Server(int listening_socket,
         Session& session,
         ExtensionHub& extensions,
         ConnectionCheck check = {},
         SubscriptionDesk telemetry = {},
         std::optional<RestoreDesk> restore = {});

  // The same for any kind of session; each poll that may be parked has a connection beyond
  // kMaxConnections.
  Server(int listening_socket,
         RuntimeDesk runtime,
         ExtensionHub& extensions,
         ConnectionCheck check = {},
         SubscriptionDesk telemetry = {},
         std::optional<RestoreDesk> restore = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  std::uint16_t port() const;

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace runtime_api
