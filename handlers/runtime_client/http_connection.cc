#include "handlers/runtime_client/http_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace runtime_client {
namespace {

// The Runtime API's own headers take well under 4 KiB; client context may add a few more.
constexpr std::size_t kMaxHead = std::size_t{64} * 1024;
constexpr std::size_t kReadSize = std::size_t{16} * 1024;

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return lower(x) == lower(y);
         });
}

// Without the empty line that ends it.
std::string head_of(const Request& request) {
  std::string head;
  head.reserve(256 + request.headers.size());
  head.append(request.method).append(" ").append(request.path).append(" HTTP/1.1\r\n");
  head.append("Host: runtime-api\r\n").append(request.headers);
  return head;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  in_addr ipv4{};
  if (!port || *port == 0 || ::inet_pton(AF_INET, host.c_str(), &ipv4) != 1) return std::nullopt;
  return Address{.ipv4 = ntohl(ipv4.s_addr), .port = *port};
}

Connection::~Connection() { close(); }

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool Connection::open() {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(address_.port);
  server.sin_addr.s_addr = htonl(address_.ipv4);
  int result = 0;
  do {
    result = ::connect(socket_, reinterpret_cast<const sockaddr*>(&server), sizeof server);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  close();
  return false;
}

// Between two exchanges nothing may arrive; whatever does, an end or stray bytes, makes the
// connection unusable.
bool Connection::closed_by_server() const {
  char byte = 0;
  const auto count = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

std::optional<int> Connection::exchange(const Request& request) {
  if (socket_ >= 0 && closed_by_server()) close();
  const bool reused = socket_ >= 0;
  if (!reused && !open()) return std::nullopt;
  auto outcome = attempt(request);
  if (outcome == Attempt::closed_before_reply && reused) {
    close();
    if (!open()) return std::nullopt;
    outcome = attempt(request);
  }
  return status_after(outcome);
}

std::optional<int> Connection::status_after(Attempt outcome) {
  if (outcome != Attempt::replied) {
    close();
    return std::nullopt;
  }
  if (same_ignoring_case(header("Connection"), "close")) close();
  return status_;
}

bool Connection::begin(const Request& head) {
  if (socket_ >= 0 && closed_by_server()) close();
  if (socket_ < 0 && !open()) return false;
  return send(head_of(head) + "Transfer-Encoding: chunked\r\n\r\n", {});
}

bool Connection::send_piece(std::string_view bytes) {
  if (socket_ < 0) return false;
  // A piece of no bytes would be the end.
  if (bytes.empty()) return true;
  std::array<char, 20> digits{};
  const auto written =
      std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16);
  const std::string size(digits.data(), written.ptr);
  return send(size + "\r\n", bytes) && send("\r\n", {});
}

std::optional<int> Connection::finish(std::string_view trailers) {
  if (socket_ < 0) return std::nullopt;
  const bool sent = send("0\r\n", std::string(trailers) + "\r\n");
  const auto outcome = receive();
  if (!sent && outcome != Attempt::replied) return status_after(Attempt::failed);
  return status_after(outcome);
}

Connection::Attempt Connection::attempt(const Request& request) {
  auto head = head_of(request);
  if (!request.body.empty() || request.method == "POST") {
    head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  head.append("\r\n");
  // A server that refuses a large body answers before it has read it all, and that answer counts.
  const bool sent = send(head, request.body);
  const auto outcome = receive();
  if (!sent && outcome != Attempt::replied) return Attempt::closed_before_reply;
  return outcome;
}

bool Connection::send(std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                     {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const auto count = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    const auto of_head = std::min(head.size(), static_cast<std::size_t>(count));
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(count) - of_head);
  }
  return true;
}

bool Connection::read_more() {
  const auto filled = received_.size();
  const auto wanted = head_size_ + body_size_;
  received_.resize(wanted > filled ? wanted : filled + kReadSize);
  while (true) {
    const auto count = ::recv(socket_, received_.data() + filled, received_.size() - filled, 0);
    if (count < 0 && errno == EINTR) continue;
    received_.resize(filled + (count > 0 ? static_cast<std::size_t>(count) : 0));
    return count > 0;
  }
}

Connection::Attempt Connection::receive() {
  received_.clear();
  while (true) {
    head_size_ = body_size_ = 0;
    auto end = received_.find("\r\n\r\n");
    while (end == std::string::npos) {
      if (received_.size() > kMaxHead) return Attempt::failed;
      if (!read_more()) {
        return received_.empty() ? Attempt::closed_before_reply : Attempt::failed;
      }
      end = received_.find("\r\n\r\n");
    }
    head_size_ = end + 4;
    const std::string_view line = std::string_view(received_).substr(0, received_.find("\r\n"));
    if (line.size() < 12 || !line.starts_with("HTTP/1.")) return Attempt::failed;
    const auto status = parse_number<int>(line.substr(9, 3));
    if (!status) return Attempt::failed;
    status_ = *status;
    if (status_ >= 200) break;
    received_.erase(0, head_size_);  // an interim reply, such as 100 Continue
  }
  const auto length = header("Content-Length");
  if (!header("Transfer-Encoding").empty()) return Attempt::failed;
  const auto size = parse_number<std::size_t>(length.empty() ? "0" : length);
  if (!size) return Attempt::failed;
  body_size_ = *size;
  while (received_.size() < head_size_ + body_size_) {
    if (!read_more()) return Attempt::failed;
  }
  return Attempt::replied;
}

std::string_view Connection::header(std::string_view name) const {
  std::string_view head = std::string_view(received_).substr(0, head_size_);
  for (auto end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
    const auto line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && same_ignoring_case(line.substr(0, colon), name)) {
      return trim(line.substr(colon + 1));
    }
  }
  return {};
}

std::string_view Connection::body() const {
  return std::string_view(received_).substr(head_size_, body_size_);
}

}  // namespace runtime_client
