#include "runtime_api/server.h"

#include "runtime_api/connection_workers.h"
#include "runtime_api/error_trailers.h"
#include "runtime_api/extension_routes.h"
#include "runtime_api/raw_request.h"
#include "runtime_api/restore_routes.h"
#include "runtime_api/runtime_routes.h"

#include <httplib.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>

namespace runtime_api {
namespace {

// Bodies from this size on are sent from where they lie; below it, one copy beside the headers
// saves a system call.
constexpr std::size_t kSendInPlaceBytes = 64 * 1024;

// Our side never gives a runtime's connection up: a handler may think for 15 minutes between two
// calls, and many clients do not retry on a connection that was closed under them.
constexpr time_t kKeepAliveSeconds = 24 * 3600;

// A peer that stops in the middle of a request or does not read is given up after this time; the
// function timeout ends the invocation before that.
constexpr time_t kTransferSeconds = 900;

// The header alone is a wish to the peer. The library itself hangs up after a body that breaks off,
// and this one, whose end is the connection's, breaks off behind `body`. To an error, and to who
// wished it, the library writes the header by itself.
void send_and_hang_up(std::string body,
                      const std::string& type,
                      const httplib::Request& request,
                      httplib::Response& response) {
  const bool written = response.status >= httplib::StatusCode::BadRequest_400 ||
                       request.get_header_value("Connection") == "close";
  if (!written) response.set_header("Connection", "close");
  response.set_content_provider(type,
                                [body = std::move(body)](std::size_t, httplib::DataSink& sink) {
                                  if (!body.empty()) sink.write(body.data(), body.size());
                                  return false;
                                });
}

void send(RuntimeReply reply, const httplib::Request& request, httplib::Response& response) {
  response.status = reply.status;
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  if (reply.connection == RuntimeReply::Connection::ends) {
    if (reply.invocation) reply.body = reply.invocation->payload;
    send_and_hang_up(std::move(reply.body), reply.content_type, request, response);
    return;
  }
  if (!reply.content_type.empty()) response.set_header("Content-Type", reply.content_type);
  if (!reply.invocation) {
    response.body = std::move(reply.body);
    return;
  }
  const auto& payload = reply.invocation->payload;
  if (payload.size() < kSendInPlaceBytes) {
    response.body = payload;
    return;
  }
  response.set_content_provider(
      payload.size(),
      reply.content_type,
      [invocation = reply.invocation](
          std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return sink.write(invocation->payload.data() + offset, length);
      });
}

void read_trailers(const httplib::Request& request, PostedRequest::Body& body) {
  body.error_type_trailer = request.get_trailer_value(kErrorTypeTrailer);
  body.error_body_trailer = request.get_trailer_value(kErrorBodyTrailer);
}

// The body of a request that carries one. What follows on the connection would be taken for the
// rest of a body that was answered unread, so what a call leaves is read before its answer is sent.
class PostedBody {
 public:
  PostedBody(const httplib::Request& request, const httplib::ContentReader& reader)
      : request_(request), reader_(reader) {}

  PostedRequest::Body pass(
      const std::function<PostedRequest::Wanted(std::string_view piece)>& accept) {
    PostedRequest::Body body;
    begun_ = true;
    const bool whole = reader_([&](const char* data, std::size_t length) {
      body.size_bytes += length;
      return accept({data, length}) == PostedRequest::Wanted::more;
    });
    if (!whole) body.end = PostedRequest::Body::End::broken;
    read_trailers(request_, body);
    return body;
  }

  PostedRequest::Body read(std::uint64_t max_bytes) {
    std::string bytes;
    bytes.reserve(
        std::min<std::uint64_t>(request_.get_header_value_u64("Content-Length"), max_bytes));
    auto body = pass([&](std::string_view piece) {
      bytes.append(piece.substr(0, max_bytes - std::min<std::uint64_t>(bytes.size(), max_bytes)));
      return PostedRequest::Wanted::more;
    });
    body.bytes = std::move(bytes);
    return body;
  }

  void finish() {
    if (!begun_) reader_([](const char*, std::size_t) { return true; });
  }

 private:
  const httplib::Request& request_;
  const httplib::ContentReader& reader_;
  bool begun_ = false;
};

PostedRequest posted_request(const httplib::Request& request, PostedBody& body) {
  PostedRequest posted;
  posted.content_type = content_type_of(request);
  posted.error_type = request.get_header_value("Lambda-Runtime-Function-Error-Type");
  posted.error_cause = request.get_header_value("Lambda-Runtime-Function-XRay-Error-Cause");
  // An empty one is none, as it is to the emulator that AWS publishes.
  auto mode = request.get_header_value("Lambda-Runtime-Function-Response-Mode");
  if (!mode.empty()) {
    posted.response_mode = std::move(mode);
  } else {
    posted.announces_error_trailer = announces_trailer(request, kErrorTypeTrailer);
  }
  if (posted.response_mode || posted.announces_error_trailer) {
    keep_trailers(request, std::string(kErrorTypeTrailer) + "," + kErrorBodyTrailer);
  }
  posted.read_body = [&body](std::uint64_t max_bytes) { return body.read(max_bytes); };
  posted.pass_body = [&body](const auto& accept) { return body.pass(accept); };
  return posted;
}

ExtensionRequest extension_request(const httplib::Request& request,
                                   std::function<PostedRequest::Body(std::uint64_t)> read_body) {
  ExtensionRequest result;
  result.name = request.get_header_value("Lambda-Extension-Name");
  result.accepted_features = request.get_header_value("Lambda-Extension-Accept-Feature");
  if (request.has_header("Lambda-Extension-Identifier")) {
    result.identifier = request.get_header_value("Lambda-Extension-Identifier");
  }
  result.error_type = request.get_header_value("Lambda-Extension-Function-Error-Type");
  result.read_body = std::move(read_body);
  return result;
}

bool carries_body(const ExtensionCall& call) {
  return std::holds_alternative<RegisterCall>(call) ||
         std::holds_alternative<ExtensionErrorCall>(call);
}

bool carries_body(const Call& call) {
  return std::holds_alternative<ResponseCall>(call) || std::holds_alternative<ErrorCall>(call) ||
         std::holds_alternative<InitErrorCall>(call);
}

// For a call that carries no body: whoever sends one with it is answered and hung up on.
void send_unread(RuntimeReply reply, const httplib::Request& request, httplib::Response& response) {
  if (request.has_header("Transfer-Encoding") ||
      request.get_header_value_u64("Content-Length") > 0) {
    reply.connection = RuntimeReply::Connection::ends;
    leave_body_unread(request);
  }
  send(std::move(reply), request, response);
}

// Whether the connection that this thread serves has passed the check.
thread_local bool connection_passed = false;

// Answers 403, reads no body and ends the connection.
void refuse(const httplib::Request& request, httplib::Response& response) {
  response.status = httplib::StatusCode::Forbidden_403;
  send_and_hang_up({}, "text/plain", request, response);
  leave_body_unread(request);
}

}  // namespace

// The library keeps its listening socket to subclasses; ours adopts one that is ready.
class Server::Listener final : public httplib::Server {
 public:
  Listener(int listening_socket,
           RuntimeDesk runtime,
           ExtensionHub& extensions,
           ConnectionCheck check,
           SubscriptionDesk telemetry,
           std::optional<RestoreDesk> restore)
      : listening_socket_(listening_socket),
        runtime_(std::move(runtime)),
        extensions_(extensions),
        check_(std::move(check)),
        telemetry_(std::move(telemetry)),
        restore_(std::move(restore)) {
    svr_sock_ = listening_socket;
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    ::getsockname(listening_socket, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    configure();
    add_routes();
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() override {
    if (thread_.joinable()) {
      stop_accepting();
      thread_.join();
    }
    ::close(listening_socket_);
  }

  void start() {
    thread_ = std::thread([this] { listen_after_bind(); });
  }

  std::uint16_t port() const { return port_; }

 private:
  void configure() {
    // Beside the one that kMaxConnections has room for.
    const auto connections = kMaxConnections + runtime_.polls - 1;
    new_task_queue = [connections] {
      return make_connection_workers(2, connections, [] { connection_passed = false; }).release();
    };
    set_tcp_nodelay(true);
    set_keep_alive_max_count(std::numeric_limits<std::size_t>::max());
    set_keep_alive_timeout(kKeepAliveSeconds);
    set_read_timeout(kTransferSeconds);
    set_write_timeout(kTransferSeconds);
    set_payload_max_length(std::numeric_limits<std::size_t>::max());
  }

  void add_routes() {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      keep_body_raw(request);
      if (!passes(request)) {
        refuse(request, response);
        return HandlerResponse::Handled;
      }
      if (const auto call = extension_call(request)) return before_body(*call, request, response);
      if (const auto call = restore_call(request)) return before_body(*call, request, response);
      const auto call = parse_call(request.method, request.path);
      if (carries_body(call) || is_subscription(call)) return HandlerResponse::Unhandled;
      if (std::holds_alternative<NextCall>(call)) {
        // A runtime that asks for its first event has loaded whatever could register with it.
        extensions_.close_registration();
        send_unread(runtime_.next(still_connected(request)), request, response);
      } else {
        send_unread(answer_simple(call), request, response);
      }
      return HandlerResponse::Handled;
    });
    add_runtime_posts();
    add_extension_posts();
    add_subscriptions();
  }

  // A handler for what `answer` makes of a request and its body.
  template <typename Answer>
  static HandlerWithContentReader with_body(Answer answer) {
    return [answer](const httplib::Request& request,
                    httplib::Response& response,
                    const httplib::ContentReader& reader) {
      PostedBody body(request, reader);
      auto reply = answer(request, body);
      body.finish();
      send(std::move(reply), request, response);
    };
  }

  // Paths with parameters, because the library matches these without a regular expression, which
  // would be compiled for every environment.
  void add_runtime_posts() {
    const auto post = with_body([this](const httplib::Request& request, PostedBody& body) {
      const auto posted = posted_request(request, body);
      if (restore_call(request)) return answer_restore_error(*restore_->session, posted);
      const auto call = parse_call(request.method, request.path);
      if (const auto* answer = std::get_if<ResponseCall>(&call)) {
        return runtime_.response(*answer, posted);
      }
      if (const auto* error = std::get_if<ErrorCall>(&call)) {
        return runtime_.error(*error, posted);
      }
      return runtime_.init_error(posted);
    });
    Post("/2018-06-01/runtime/invocation/:id/response", post);
    Post("/2018-06-01/runtime/invocation/:id/error", post);
    Post("/2018-06-01/runtime/:phase/error", post);  // only init and restore get here
  }

  void add_extension_posts() {
    const auto post = with_body([this](const httplib::Request& request, PostedBody& body) {
      const auto call = extension_call(request);
      if (!call) return answer_simple(UnknownPath{});
      const auto posted = extension_request(
          request, [&body](std::uint64_t max_bytes) { return body.read(max_bytes); });
      if (const auto* error = std::get_if<ExtensionErrorCall>(&*call)) {
        return answer_extension_error(extensions_, *error, posted);
      }
      return answer_register(extensions_, posted);
    });
    Post("/2020-01-01/extension/:call", post);
    Post("/2020-01-01/extension/:phase/error", post);
  }

  void add_subscriptions() {
    const auto put = with_body([this](const httplib::Request& request, PostedBody& body) {
      const auto call = parse_call(request.method, request.path);
      if (!subscribes(call)) return answer_simple(call);
      const auto api =
          std::holds_alternative<LogsCall>(call) ? TelemetryApi::logs : TelemetryApi::telemetry;
      return answer_subscribe(api,
                              extension_request(request, {}).identifier,
                              posted_request(request, body),
                              telemetry_);
    });
    Put("/2022-07-01/:api", put);
    Put("/2020-08-15/:api", put);
  }

  static bool is_subscription(const Call& call) {
    return std::holds_alternative<TelemetryCall>(call) || std::holds_alternative<LogsCall>(call);
  }

  bool subscribes(const Call& call) const {
    return is_subscription(call) && telemetry_.subscribe &&
           extensions_.service() == ExtensionHub::Service::on;
  }

  // Nothing where the calls of extensions are not served, which then are paths like any other.
  std::optional<ExtensionCall> extension_call(const httplib::Request& request) const {
    if (extensions_.service() == ExtensionHub::Service::off) return std::nullopt;
    return parse_extension_call(request.method, request.path);
  }

  HandlerResponse before_body(const ExtensionCall& call,
                              const httplib::Request& request,
                              httplib::Response& response) {
    if (carries_body(call)) return HandlerResponse::Unhandled;
    if (const auto* wrong = std::get_if<WrongMethod>(&call)) {
      send_unread(answer_simple(*wrong), request, response);
    } else {
      send_unread(
          answer_next_event(extensions_, extension_request(request, {}), still_connected(request)),
          request,
          response);
    }
    return HandlerResponse::Handled;
  }

  // Nothing where such calls are not served.
  std::optional<RestoreCall> restore_call(const httplib::Request& request) const {
    if (!restore_) return std::nullopt;
    return parse_restore_call(request.method, request.path);
  }

  HandlerResponse before_body(const RestoreCall& call,
                              const httplib::Request& request,
                              httplib::Response& response) {
    if (std::holds_alternative<RestoreErrorCall>(call)) return HandlerResponse::Unhandled;
    if (const auto* wrong = std::get_if<WrongMethod>(&call)) {
      send_unread(answer_simple(*wrong), request, response);
    } else if (std::holds_alternative<CredentialsCall>(call)) {
      send_unread(answer_credentials(*restore_, request.get_header_value("Authorization")),
                  request,
                  response);
    } else {
      // What could register has been loaded, as where a runtime asks for its first event.
      extensions_.close_registration();
      send_unread(
          answer_restore_next(*restore_->session, still_connected(request)), request, response);
    }
    return HandlerResponse::Handled;
  }

  static std::function<bool()> still_connected(const httplib::Request& request) {
    return [&request] { return !request.is_connection_closed(); };
  }

  bool passes(const httplib::Request& request) {
    if (!connection_passed && check_) {
      connection_passed = check_(static_cast<std::uint16_t>(request.remote_port), port_);
    }
    return connection_passed || !check_;
  }

  // In place of stop(), which closes the socket while the accepting thread may be about to use its
  // number, by then perhaps another listener's.
  void stop_accepting() {
    svr_sock_ = INVALID_SOCKET;
    ::shutdown(listening_socket_, SHUT_RDWR);
  }

  const int listening_socket_;
  const RuntimeDesk runtime_;
  ExtensionHub& extensions_;
  const ConnectionCheck check_;
  const SubscriptionDesk telemetry_;
  const std::optional<RestoreDesk> restore_;  // nothing: there are no such calls
  std::uint16_t port_ = 0;
  std::thread thread_;
};

tl::expected<int, ListenError> open_listening_socket(const std::string& address,
                                                     std::uint16_t port) {
  const auto fail = [&](int error) {
    auto message = "cannot listen on " + address + ":" + std::to_string(port) + ": " +
                   std::generic_category().message(error);
    if (error == EADDRINUSE) message += "; choose another port or stop what holds this one";
    return tl::unexpected(ListenError{std::move(message), error});
  };
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1) {
    return tl::unexpected(ListenError{"'" + address + "' is not an IPv4 address", EINVAL});
  }
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail(errno);
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0 ||
      ::listen(descriptor, static_cast<int>(kMaxConnections)) != 0) {
    const int error = errno;
    ::close(descriptor);
    return fail(error);
  }
  return descriptor;
}

namespace {

std::optional<RestoreDesk> with_session(std::optional<RestoreDesk> restore, Session& session) {
  if (restore) restore->session = &session;
  return restore;
}

}  // namespace

Server::Server(int listening_socket,
               Session& session,
               ExtensionHub& extensions,
               ConnectionCheck check,
               SubscriptionDesk telemetry,
               std::optional<RestoreDesk> restore)
    : Server(listening_socket,
             desk_of(session),
             extensions,
             std::move(check),
             std::move(telemetry),
             with_session(std::move(restore), session)) {}

Server::Server(int listening_socket,
               RuntimeDesk runtime,
               ExtensionHub& extensions,
               ConnectionCheck check,
               SubscriptionDesk telemetry,
               std::optional<RestoreDesk> restore)
    : listener_(std::make_unique<Listener>(listening_socket,
                                           std::move(runtime),
                                           extensions,
                                           std::move(check),
                                           std::move(telemetry),
                                           std::move(restore))) {
  listener_->start();
}

Server::~Server() = default;

std::uint16_t Server::port() const { return listener_->port(); }

}  // namespace runtime_api
