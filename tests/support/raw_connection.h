// A client that says exactly the bytes a test gives it, for what no HTTP library would send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tests {

struct RawReply {
  int status = 0;
  std::string head;  // status line and headers, without the empty line
  std::string body;
};

// One thread. Throws when the server closes or says nothing for half a minute.
class RawConnection {
 public:
  explicit RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect");
    }
  }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection() { ::close(socket_); }

  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("cannot send");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Up to and including `end`.
  std::string hear_until(std::string_view end) {
    while (true) {
      if (const auto at = heard_.find(end); at != std::string::npos) return take(at + end.size());
      hear();
    }
  }

  // So many bytes.
  std::string hear(std::size_t size) {
    while (heard_.size() < size) hear();
    return take(size);
  }

  // A reply with Content-Length; `without_body` for one to HEAD.
  RawReply reply(bool without_body = false) {
    RawReply reply;
    reply.head = hear_until("\r\n\r\n");
    reply.status = std::stoi(reply.head.substr(9, 3));
    const auto at = reply.head.find("Content-Length: ");
    if (at == std::string::npos || without_body) return reply;
    const auto length = std::stoul(reply.head.substr(at + 16));
    while (heard_.size() < length) hear();
    reply.body = take(length);
    return reply;
  }

 private:
  void hear() {
    char buffer[65536];
    const auto size = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (size <= 0) throw std::runtime_error("the server closed or said nothing");
    heard_.append(buffer, static_cast<std::size_t>(size));
  }

  std::string take(std::size_t size) {
    auto taken = heard_.substr(0, size);
    heard_.erase(0, size);
    return taken;
  }

  int socket_;
  std::string heard_;
};

}  // namespace tests
