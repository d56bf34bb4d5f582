// The Lambda API on a port, and whatever else Hearth shows beside it.
#pragma once

#include "emulator/control_plane/invoke_api.h"
#include "emulator/front_doors/http_listener.h"
#include "emulator/front_doors/http_message.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace emulator::control_plane {

// The largest body for an extra route. Ours: the service's limit of a directly uploaded package,
// 50 MB (source: developer guide), in base64 and its JSON envelope.
inline constexpr std::size_t kMaxExtraRequestBytes = 70U * 1024 * 1024;

// A path beside the Invoke operations: the path itself and everything below it. Handlers are called
// from any connection's thread, several at a time; the request's target still holds path and query.
struct ExtraRoute {
  std::string method;
  std::string path;  // "/metrics"; also answers "/metrics/…", never "/metricsfoo"
  std::function<front_doors::Reply(front_doors::Request)> handler;
};

// The operations beside Invoke; see OperationRouter. Called from any connection's thread.
struct ControlPlane {
  // Whether a request is one of them; nothing below is asked of any other.
  std::function<bool(const front_doors::Request& head)> handles;
  std::function<std::size_t(const front_doors::Request& head)> body_limit;
  std::function<front_doors::Reply(front_doors::Request)> answer;
  std::function<front_doors::Reply(const front_doors::Request& head)> refuse_too_large;
};

// Threads: start, stop and destruction by the owner's thread; port() any thread.
class LambdaServer {
 public:
  // Of several routes that match, the one with the longest path is taken. A control plane without
  // `handles` has no operations.
  static tl::expected<std::unique_ptr<LambdaServer>, front_doors::ListenError> start(
      const front_doors::ListenAddress& address,
      InvokeApi api,
      ControlPlane control_plane,
      std::vector<ExtraRoute> routes);

  int port() const { return listener_->port(); }

  // See HttpListener::stop.
  front_doors::Drained stop(std::chrono::milliseconds budget) { return listener_->stop(budget); }

 private:
  explicit LambdaServer(std::unique_ptr<front_doors::HttpListener> listener)
      : listener_(std::move(listener)) {}
  std::unique_ptr<front_doors::HttpListener> listener_;
};

}  // namespace emulator::control_plane
