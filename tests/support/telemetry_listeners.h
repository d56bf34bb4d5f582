// Listeners as extensions have them for telemetry, by HTTP and by TCP, on a free port of the
// loopback.
#pragma once

#include "emulator/sandbox/unique_fd.h"
#include "runtime_api/telemetry_channel.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tests {

// Events as they came, and a way to wait for them. Any thread.
class ReceivedEvents {
 public:
  void add(const nlohmann::json& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    ++counts_[event["type"]];
    if (event["type"] == "platform.logsDropped") {
      lost_ += event["record"]["droppedRecords"].get<std::uint64_t>();
    }
    changed_.notify_all();
  }
  std::vector<nlohmann::json> all() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<nlohmann::json> of_type(const std::string& type) const {
    std::vector<nlohmann::json> found;
    for (const auto& event : all()) {
      if (event["type"] == type) found.push_back(event);
    }
    return found;
  }
  std::vector<std::string> types() const {
    std::vector<std::string> found;
    for (const auto& event : all()) found.push_back(event["type"]);
    return found;
  }
  void await_type(const std::string& type, std::size_t count = 1) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      const auto found = counts_.find(type);
      return found != counts_.end() && found->second >= count;
    });
  }
  // Until so many were told to be lost.
  void await_lost(std::uint64_t count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lost_ >= count; });
  }
  // Of the category: how many came, and how many were told to be lost.
  std::uint64_t received_and_lost(const std::string& type) const {
    std::uint64_t sum = of_type(type).size();
    for (const auto& lost : of_type("platform.logsDropped")) {
      sum += lost["record"]["droppedRecords"].get<std::uint64_t>();
    }
    return sum;
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::vector<nlohmann::json> events_;
  std::map<std::string, std::size_t> counts_;  // by type
  std::uint64_t lost_ = 0;
};

inline runtime_api::Connect connect_to_loopback() {
  return [](std::uint16_t port) -> tl::expected<int, std::string> {
    emulator::sandbox::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      return tl::unexpected("cannot connect to port " + std::to_string(port) + ": " +
                            std::generic_category().message(errno));
    }
    return socket.release();
  };
}

// A listening socket on the loopback, and its port.
class LoopbackSocket {
 public:
  LoopbackSocket() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length);
    ::listen(socket_.get(), 16);
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  int get() const { return socket_.get(); }
  std::uint16_t port() const { return port_; }
  void close() { socket_.reset(); }

 private:
  emulator::sandbox::UniqueFd socket_;
  std::uint16_t port_ = 0;
};

class HttpListener {
 public:
  // What a batch is answered; it has been received whatever that is.
  explicit HttpListener(std::function<int()> status = [] { return 200; })
      : status_(std::move(status)) {
    const auto take = [this](const httplib::Request& request, httplib::Response& response) {
      response.status = status_();
      const std::lock_guard lock(mutex_);
      last_method_ = request.method;
      last_path_ = request.target;
      last_content_type_ = request.get_header_value("Content-Type");
      if (response.status / 100 != 2) return;
      for (const auto& event : nlohmann::json::parse(request.body)) received.add(event);
    };
    server_.Post(".*", take);
    server_.Put(".*", take);
    port_ = static_cast<std::uint16_t>(server_.bind_to_any_port("127.0.0.1"));
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  ~HttpListener() {
    server_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  std::string last_request() const {
    const std::lock_guard lock(mutex_);
    return last_method_ + " " + last_path_ + " " + last_content_type_;
  }

  ReceivedEvents received;

 private:
  const std::function<int()> status_;
  httplib::Server server_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::string last_method_;
  std::string last_path_;
  std::string last_content_type_;
  std::thread thread_;
};

// Must outlive who speaks to it.
class TcpListener {
 public:
  TcpListener() : thread_([this] { serve(); }) {}
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  ~TcpListener() {
    stopping_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return listening_.port(); }

  ReceivedEvents received;

 private:
  void serve() {
    while (!stopping_) {
      const emulator::sandbox::UniqueFd connection(::accept(listening_.get(), nullptr, nullptr));
      if (connection.get() >= 0) read_lines(connection.get());
    }
  }
  void read_lines(int connection) {
    std::string text;
    std::array<char, 64 * 1024> buffer{};
    for (;;) {
      const auto length = ::read(connection, buffer.data(), buffer.size());
      if (length <= 0) return;
      text.append(buffer.data(), static_cast<std::size_t>(length));
      std::size_t from = 0;
      for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
        received.add(nlohmann::json::parse(text.substr(from, end - from)));
        from = end + 1;
      }
      text.erase(0, from);
    }
  }

  LoopbackSocket listening_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tests
