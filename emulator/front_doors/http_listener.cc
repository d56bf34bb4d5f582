#include "emulator/front_doors/http_listener.h"

#include "emulator/front_doors/connection_socket.h"
#include "emulator/front_doors/library_request.h"
#include "runtime_api/connection_workers.h"

#include <httplib.h>
#include <spdlog/spdlog.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <limits>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace emulator::front_doors {
namespace {

// The library's reply has no place for a mark of ours; this field of it is for clients only.
constexpr const char* kMadeByService = "service";

// In effect without limit; a number that every client can read in the Keep-Alive header.
constexpr std::size_t kMaxRequestsPerConnection = 1'000'000'000;

const std::string kContentType = "Content-Type";
const std::string kConnection = "Connection";

// The library announces the end of the connection with every status from 400 on, and then keeps it
// open. A caller that is refused may go on; only a body that was not read ends the connection.
void keep_connection_after_error(const httplib::Request& request, httplib::Response& response) {
  if (response.status < 400 || response.status == 413) return;
  if (response.reason != kMadeByService || request.version != "HTTP/1.1") return;
  if (request.headers.find(kConnection) == request.headers.end()) {
    response.headers.erase(kConnection);
  }
}

// Orderly stop needs what the library's stop() does in one go to happen in two.
class Server final : public httplib::Server {
 public:
  // Once only: the accepting thread then closes the socket, and its number may mean another.
  void stop_accepting() {
    if (std::exchange(stopped_, true)) return;
    const auto socket = svr_sock_.load();
    if (socket != INVALID_SOCKET) ::shutdown(socket, SHUT_RDWR);
  }
  void end_idle_connections() { svr_sock_ = INVALID_SOCKET; }

 private:
  bool stopped_ = false;  // the owner's thread
};

std::string listen_failure(const ListenAddress& address, int error) {
  const auto where = address.host + ":" + std::to_string(address.port);
  if (error == EADDRINUSE) {
    return "cannot listen on " + where +
           ": the port is in use; stop the program that holds it or " + "choose another with " +
           address.flag;
  }
  if (error == EACCES) {
    return "cannot listen on " + where +
           ": ports below 1024 need privileges; choose another with " + address.flag;
  }
  return "cannot listen on " + where + ": " + std::generic_category().message(error) +
         "; check the address given with " + address.flag;
}

}  // namespace

class HttpListener::Connections {
 public:
  explicit Connections(HttpService service) : service_(std::move(service)) { set_up(); }
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections() {
    server_.stop_accepting();
    {
      std::unique_lock lock(mutex_);
      const auto none = [this] { return in_flight_ == 0; };
      if (!none_in_flight_.wait_for(lock, kLastWords, none)) {
        // None of them is closed meanwhile: to say that it is done it needs the lock.
        for (const auto& connection : sending_) hang_up(connection);
        none_in_flight_.wait(lock, none);
      }
    }
    server_.end_idle_connections();
    if (accepting_.joinable()) accepting_.join();
  }

  tl::expected<void, ListenError> start(const ListenAddress& address) {
    errno = 0;
    port_ = address.port;
    bool bound = false;
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host);
      bound = port_ > 0;
    } else {
      bound = server_.bind_to_port(address.host, address.port);
    }
    if (!bound) {
      const int error = errno != 0 ? errno : EADDRNOTAVAIL;
      return tl::unexpected(ListenError{listen_failure(address, error)});
    }
    accepting_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
    return {};
  }

  int port() const { return port_; }

  Drained stop(std::chrono::milliseconds budget) {
    server_.stop_accepting();
    std::unique_lock lock(mutex_);
    if (!none_in_flight_.wait_for(lock, budget, [this] { return in_flight_ == 0; })) {
      return Drained::some_left;
    }
    lock.unlock();
    server_.end_idle_connections();
    return Drained::all;
  }

 private:
  // Counts a reply from its request's arrival until it is handed to the kernel, if it is large, or
  // to the connection's thread, which is joined.
  class InFlight {
   public:
    explicit InFlight(Connections& owner) : owner_(&owner) {
      const std::lock_guard lock(owner.mutex_);
      ++owner.in_flight_;
    }
    InFlight(InFlight&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    InFlight& operator=(InFlight&&) = delete;
    ~InFlight() {
      if (owner_ == nullptr) return;
      const std::lock_guard lock(owner_->mutex_);
      if (--owner_->in_flight_ == 0) owner_->none_in_flight_.notify_all();
    }

   private:
    Connections* owner_;
  };

  // A connection while more is sent on it than its socket takes at once.
  class Sending {
   public:
    Sending(Connections& owner, const httplib::Request& request) : owner_(owner) {
      const std::lock_guard lock(owner.mutex_);
      entry_ = owner.sending_.insert(
          owner.sending_.end(),
          {request.remote_addr, request.remote_port, request.local_addr, request.local_port});
    }
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;
    ~Sending() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.sending_.erase(entry_);
    }

   private:
    Connections& owner_;
    std::list<ConnectionEnds>::iterator entry_;
  };

  struct LargeBody {
    LargeBody(std::string body, InFlight counted, Connections& owner, const httplib::Request& to)
        : bytes(std::move(body)), in_flight(std::move(counted)), sending(owner, to) {}
    std::string bytes;
    InFlight in_flight;
    Sending sending;
  };

  // Runs its stream once, whether or not there is somebody to send it to.
  class StreamedBody {
   public:
    StreamedBody(std::function<void(const SendPiece&)> stream,
                 InFlight counted,
                 Connections& owner,
                 const httplib::Request& to)
        : stream_(std::move(stream)), in_flight_(std::move(counted)), sending_(owner, to) {}
    StreamedBody(const StreamedBody&) = delete;
    StreamedBody& operator=(const StreamedBody&) = delete;
    ~StreamedBody() {
      run([](std::string_view) { return Client::gone; });
    }

    // False: it failed by a defect, and the body has no proper end.
    bool run(const SendPiece& send);

   private:
    std::function<void(const SendPiece&)> stream_;
    InFlight in_flight_;
    Sending sending_;
  };

  void set_up();
  httplib::Server::HandlerResponse on_head(httplib::Request& request, httplib::Response& response);
  void on_body(const httplib::Request& request,
               httplib::Response& response,
               const httplib::ContentReader& read);
  void on_whole(httplib::Request& request, httplib::Response& response);
  void on_library_refusal(const httplib::Request& request, httplib::Response& response);
  Reply answered(Request request) const;
  void send(Reply reply,
            InFlight in_flight,
            const httplib::Request& request,
            httplib::Response& response);
  void send_large(Reply reply,
                  InFlight in_flight,
                  const httplib::Request& request,
                  httplib::Response& response);
  void send_stream(Reply reply,
                   InFlight in_flight,
                   const httplib::Request& request,
                   httplib::Response& response);

  const HttpService service_;
  Server server_;
  std::thread accepting_;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable none_in_flight_;
  int in_flight_ = 0;  // these two are guarded by mutex_
  std::list<ConnectionEnds> sending_;
};

void HttpListener::Connections::set_up() {
  server_.new_task_queue = [] {
    return runtime_api::make_connection_workers(kKeptConnectionThreads, kMaxConnections).release();
  };
  server_.set_tcp_nodelay(true);
  server_.set_keep_alive_max_count(kMaxRequestsPerConnection);
  server_.set_keep_alive_timeout(kKeepAliveTimeout.count());
  server_.set_read_timeout(kReadTimeout);
  server_.set_write_timeout(kWriteTimeout);
  server_.set_payload_max_length(kMaxDiscardedBytes);
  // The library's default lets a second program share the port; then each gets half the requests.
  server_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server_.set_pre_routing_handler([this](const auto& request, auto& response) {
    return on_head(const_cast<httplib::Request&>(request), response);
  });
  server_.set_expect_100_continue_handler([this](const auto& request, auto& response) {
    const auto limit = service_.body_limit(view(request));
    const auto length = announced_length(request);
    if (limit == 0 || !length || *length <= limit) return 100;
    response.status = 413;  // on_library_refusal() writes the rest
    return response.status;
  });
  server_.set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    on_library_refusal(request, response);
  });
  server_.set_post_routing_handler(
      [](const auto& request, auto& response) { keep_connection_after_error(request, response); });
  const auto with_body = [this](const auto& request, auto& response, const auto& read) {
    on_body(request, response, read);
  };
  server_.Post(kOnlyRoute, with_body);
  server_.Put(kOnlyRoute, with_body);
  server_.Patch(kOnlyRoute, with_body);
  server_.Delete(kOnlyRoute, with_body);
  const auto whole = [this](const httplib::Request& request, httplib::Response& response) {
    on_whole(const_cast<httplib::Request&>(request), response);
  };
  server_.Get(kOnlyRoute, whole);
  server_.Options(kOnlyRoute, whole);
}

// Answers all that needs no body. A request that wants its body read goes on to one of the routes.
httplib::Server::HandlerResponse HttpListener::Connections::on_head(httplib::Request& request,
                                                                    httplib::Response& response) {
  neutralise(request);
  auto head = view(request);
  const auto limit = service_.body_limit(head);
  const auto length = announced_length(request);
  if (limit > 0 && (is_chunked(request) || length.value_or(0) > 0)) {
    if (length.value_or(0) <= limit) return httplib::Server::HandlerResponse::Unhandled;
    send(service_.refuse_too_large(head), InFlight(*this), request, response);
    return httplib::Server::HandlerResponse::Handled;
  }
  InFlight in_flight(*this);
  send(answered(std::move(head)), std::move(in_flight), request, response);
  return httplib::Server::HandlerResponse::Handled;
}

void HttpListener::Connections::on_body(const httplib::Request& request,
                                        httplib::Response& response,
                                        const httplib::ContentReader& read) {
  auto whole = view(request);
  const auto limit = service_.body_limit(whole);
  whole.body.reserve(std::min(announced_length(request).value_or(0), limit));
  bool too_large = false;
  const bool complete = read([&](const char* data, std::size_t size) {
    too_large = too_large || size > limit - whole.body.size();
    if (too_large) {
      whole.body = {};
    } else {
      whole.body.append(data, size);
    }
    return true;
  });
  // The library has set the status for an unreadable body: 400, or 413 beyond what is discarded.
  if (!complete) return;
  InFlight in_flight(*this);
  auto reply = too_large ? service_.refuse_too_large(whole) : answered(std::move(whole));
  send(std::move(reply), std::move(in_flight), request, response);
}

// GET, HEAD and OPTIONS with a body: the library has read it, within kMaxDiscardedBytes.
void HttpListener::Connections::on_whole(httplib::Request& request, httplib::Response& response) {
  auto whole = view(request);
  const bool too_large = request.body.size() > service_.body_limit(whole);
  if (!too_large) whole.body = std::move(request.body);
  InFlight in_flight(*this);
  auto reply = too_large ? service_.refuse_too_large(whole) : answered(std::move(whole));
  send(std::move(reply), std::move(in_flight), request, response);
}

// Bytes that are no HTTP request, and limits that the library keeps by itself.
void HttpListener::Connections::on_library_refusal(const httplib::Request& request,
                                                   httplib::Response& response) {
  if (response.reason == kMadeByService || response.status != 413) return;
  send(service_.refuse_too_large(view(request)), InFlight(*this), request, response);
}

Reply HttpListener::Connections::answered(Request request) const {
  try {
    return service_.answer(std::move(request));
  } catch (const std::exception& defect) {
    spdlog::error("a request failed inside Hearth: {}; this is a defect, please report it",
                  defect.what());
  } catch (...) {
    spdlog::error("a request failed inside Hearth; this is a defect, please report it");
  }
  return service_.admit_defect();
}

void HttpListener::Connections::send(Reply reply,
                                     InFlight in_flight,
                                     const httplib::Request& request,
                                     httplib::Response& response) {
  response.status = reply.status;
  response.reason = kMadeByService;
  for (auto& [name, value] : reply.headers) response.set_header(name, value);
  if (reply.stream) {
    send_stream(std::move(reply), std::move(in_flight), request, response);
  } else if (reply.body.size() > kMaxCopiedBodyBytes) {
    send_large(std::move(reply), std::move(in_flight), request, response);
  } else {
    if (!reply.content_type.empty()) response.set_header(kContentType, reply.content_type);
    response.body = std::move(reply.body);
  }
}

void HttpListener::Connections::send_large(Reply reply,
                                           InFlight in_flight,
                                           const httplib::Request& request,
                                           httplib::Response& response) {
  const auto large =
      std::make_shared<LargeBody>(std::move(reply.body), std::move(in_flight), *this, request);
  const auto type = reply.content_type.empty() ? "application/octet-stream" : reply.content_type;
  response.set_content_provider(
      large->bytes.size(),
      type,
      [large](std::size_t offset, std::size_t size, httplib::DataSink& sink) {
        return sink.write(large->bytes.data() + offset, size);
      });
}

bool HttpListener::Connections::StreamedBody::run(const SendPiece& send) try {
  if (const auto stream = std::exchange(stream_, nullptr)) stream(send);
  return true;
} catch (const std::exception& defect) {
  spdlog::error("a streamed reply failed inside Hearth: {}; this is a defect, please report it",
                defect.what());
  return false;
} catch (...) {
  spdlog::error("a streamed reply failed inside Hearth; this is a defect, please report it");
  return false;
}

// The library sends each piece as a chunk of its own, at once.
void HttpListener::Connections::send_stream(Reply reply,
                                            InFlight in_flight,
                                            const httplib::Request& request,
                                            httplib::Response& response) {
  const auto body =
      std::make_shared<StreamedBody>(std::move(reply.stream), std::move(in_flight), *this, request);
  response.set_chunked_content_provider(
      reply.content_type, [body](std::size_t, httplib::DataSink& sink) {
        auto client = Client::listens;
        const bool ended = body->run([&](std::string_view piece) {
          if (client == Client::listens && !sink.write(piece.data(), piece.size())) {
            client = Client::gone;
          }
          return client;
        });
        if (!ended || client == Client::gone) return false;
        sink.done();
        return true;
      });
}

HttpListener::HttpListener(std::unique_ptr<Connections> connections)
    : connections_(std::move(connections)) {}

HttpListener::~HttpListener() = default;

tl::expected<std::unique_ptr<HttpListener>, ListenError> HttpListener::start(
    const ListenAddress& address, HttpService service) {
  auto connections = std::make_unique<Connections>(std::move(service));
  if (auto started = connections->start(address); !started) {
    return tl::unexpected(std::move(started.error()));
  }
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(connections)));
}

int HttpListener::port() const { return connections_->port(); }

Drained HttpListener::stop(std::chrono::milliseconds budget) { return connections_->stop(budget); }

}  // namespace emulator::front_doors
