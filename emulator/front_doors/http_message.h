// HTTP requests and replies as plain values, so that what a service answers can be decided and
// tested without a socket.
//
// Values only; any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::front_doors {

// A request as it arrived. The views point into the connection's buffers and are good for the call
// that the request is handed to; `body` is the request's own.
struct Request {
  std::string_view method;
  std::string_view target;  // path and query, percent-encoded as sent
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string body;
};

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

// Whether whoever asked still takes what is sent.
enum class Client { listens, gone };

// Sends a piece of a body at once, and blocks as long as the client does not read.
using SendPiece = std::function<Client(std::string_view bytes)>;

// Content-Length and Connection are the listener's business, not the service's.
struct Reply {
  int status = 200;
  std::string content_type;  // empty: none is sent when there is no body
  std::vector<Header> headers;
  std::string body;
  // In place of `body`, one whose length is not known before: called once, on the connection's
  // thread, when status and headers are sent; it returns when the body has ended. Also where the
  // client has gone before, because there may be something to be brought to its end. `content_type`
  // must not be empty then.
  std::function<void(const SendPiece& send)> stream{};
};

// The first header of that name, in any case.
std::optional<std::string_view> header_value(const Request& request, std::string_view name);

}  // namespace emulator::front_doors
