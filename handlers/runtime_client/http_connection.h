// One kept-alive HTTP/1.1 connection to a server on this machine: what a Runtime API client needs
// and nothing else. A request leaves in one write, or in pieces where its length is not known; a
// reply is read by its Content-Length.
//
// It is written by hand because a bootstrap's start-up time is part of every cold start: no
// resolver, no locale, no thread. Threads: its owner's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runtime_client {

// A numeric IPv4 address, or "localhost", and a port: the form AWS_LAMBDA_RUNTIME_API has.
struct Address {
  std::uint32_t ipv4 = 0;  // host byte order
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
};

// nullopt when the text is not of the form HOST:PORT.
std::optional<Address> parse_address(std::string_view text);

struct Request {
  std::string_view method;
  std::string_view path;
  std::string_view headers;  // whole lines, each ended by CR LF; Host and Content-Length are added
  std::string_view body;
};

class Connection {
 public:
  explicit Connection(Address address) : address_(address) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&&) = delete;
  Connection& operator=(Connection&&) = delete;

  // Sends the request and blocks, without limit, for the whole reply; returns its status. nullopt
  // when the server is gone or does not speak HTTP. A request that meets a connection which the
  // server had closed while it was idle is sent again on a new one.
  std::optional<int> exchange(const Request& request);

  // The same in pieces, in this order: the head, whose request has no body; pieces of the body,
  // each sent at once, blocking while the server takes no more; the end with its trailers, which
  // are whole lines like headers, and the reply. After a false nothing more can be sent, and
  // finish() still reads what the server has to say. A reused connection is not tried again.
  bool begin(const Request& head);
  bool send_piece(std::string_view bytes);
  std::optional<int> finish(std::string_view trailers);

  // Of the latest reply; valid until the next exchange. A header that is absent is empty.
  std::string_view header(std::string_view name) const;
  std::string_view body() const;

 private:
  enum class Attempt { replied, closed_before_reply, failed };

  bool open();
  void close();
  bool closed_by_server() const;
  Attempt attempt(const Request& request);
  std::optional<int> status_after(Attempt outcome);
  bool send(std::string_view head, std::string_view body);
  Attempt receive();
  bool read_more();

  Address address_;
  int socket_ = -1;
  int status_ = 0;
  std::string received_;       // head and body of the latest reply
  std::size_t head_size_ = 0;  // where its body begins
  std::size_t body_size_ = 0;
};

}  // namespace runtime_client
