// One listening port and the connections behind it. A service decides about values
// (http_message.h); the listener does the HTTP: keep-alive, bodies in pieces or chunks, Expect:
// 100-continue, limits.
#pragma once

#include "emulator/front_doors/http_message.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace emulator::front_doors {

// Connections served at a time; further ones are closed. Our choice: above the 1,000 concurrent
// invocations of a default AWS account, below the usual limit of open files with room to spare.
inline constexpr std::size_t kMaxConnections = 1024;

// Threads that stay when their connections end. Our choice: a handful of developers' tools.
inline constexpr std::size_t kKeptConnectionThreads = 16;

// How long an idle connection is kept. Our choice: longer than SDKs wait between two calls of a
// loop, so that a developer at a prompt does not pay for connecting again.
inline constexpr std::chrono::seconds kKeepAliveTimeout{60};

// How long a client may pause in the middle of a request. Our choice.
inline constexpr std::chrono::seconds kReadTimeout{10};

// How long a client may leave what is sent to it unread before it counts as gone. Our choice: the
// longest function timeout, after which nothing is left to be sent; a reader that is stopped in a
// debugger loses nothing.
inline constexpr std::chrono::seconds kWriteTimeout{900};

// When the listener is destroyed, how long replies under way may take; then their clients are hung
// up on. Our choice: what they wait for has ended before.
inline constexpr std::chrono::milliseconds kLastWords{500};

// A refused body is read and thrown away up to this size, so that a client that sends before it
// listens still gets the answer; beyond it the connection is closed. Our choice.
inline constexpr std::size_t kMaxDiscardedBytes = 80U * 1024 * 1024;

// Larger bodies are sent from where they are instead of being copied behind the headers.
// Our choice: one socket buffer's worth.
inline constexpr std::size_t kMaxCopiedBodyBytes = 64U * 1024;

struct ListenAddress {
  std::string host = "127.0.0.1";
  int port = 0;                 // 0 picks a free one
  std::string flag = "--port";  // what the user would change; only named in errors
};

// A port that cannot be listened on, with a sentence that says what to do.
struct ListenError {
  std::string message;
};

// What a listener asks. All are called from any connection's thread, several at a time.
struct HttpService {
  // How many bytes of body this request may bring. 0: its body does not matter, `answer` is called
  // at once without it. Called before the body is read, and perhaps twice.
  std::function<std::size_t(const Request& head)> body_limit;
  // Blocks until the reply is known, even when the client has gone.
  std::function<Reply(Request request)> answer;
  std::function<Reply(const Request& head)> refuse_too_large;
  // The reply when `answer` has thrown: a defect of ours, which the listener has logged.
  std::function<Reply()> admit_defect;
};

enum class Drained { all, some_left };

// Threads: start, stop and destruction by the owner's thread; port() any thread.
class HttpListener {
 public:
  // Listens from here on; the connections are served by threads of its own.
  static tl::expected<std::unique_ptr<HttpListener>, ListenError> start(
      const ListenAddress& address, HttpService service);
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  // Stops; waits for the replies under way, so end what they wait for first. Clients that do not
  // read theirs are hung up on.
  ~HttpListener();

  int port() const;

  // Accepts nothing more, waits for the replies under way for as long as the budget lasts, then
  // lets idle connections go. Says whether every reply was sent. A second call may wait again.
  Drained stop(std::chrono::milliseconds budget);

 private:
  class Connections;
  explicit HttpListener(std::unique_ptr<Connections> connections);
  std::unique_ptr<Connections> connections_;
};

}  // namespace emulator::front_doors
