// A response that is streamed, with what follows it, as a hostile runtime may send it: over a
// connection, because it is the listener that takes chunks and trailers apart. The input is either
// all that follows the head, any bytes; or, from a first byte that is odd, the type and the body
// of an error and then the pieces of a response, which are sent as they must be and must arrive so.

#include "runtime_api/error_trailers.h"
#include "runtime_api/error_type.h"
#include "runtime_api/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace runtime_api;

// All of it fits into the stream, so that nobody has to read while it arrives.
constexpr std::size_t kMaxInputBytes = kMaxWaitingStreamBytes / 2;
// Below what the listener takes for a line.
constexpr std::size_t kMaxFieldBytes = 4096;
constexpr std::string_view kHead =
    "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: h\r\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n";

void require(bool condition) {
  if (!condition) std::abort();
}

std::string take_line(std::string_view& input) {
  const auto end = input.find('\n');
  std::string line(input.substr(0, end));
  input = end == std::string_view::npos ? std::string_view{} : input.substr(end + 1);
  return line;
}

// libFuzzer's alarm, every few seconds, interrupts calls.
template <typename Call>
ssize_t persist(const Call& call) {
  ssize_t result = 0;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// Whoever ends a connection first keeps its port for a minute, and thousands are ended in a second:
// so each comes from another address of the loopback.
void bind_to_next_address(int connection) {
  constexpr std::uint32_t kFirst = 0x7f010001;  // 127.1.0.1
  constexpr std::uint32_t kAddresses = 1 << 16;
  static std::uint32_t used = 0;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(kFirst + used++ % kAddresses);
  require(::bind(connection, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
}

// One listener for all inputs; each has a session of its own.
class Desk {
 public:
  Desk() : server_(*open_listening_socket("127.0.0.1", 0), desk(), hub_) {}

  void serve(Session& session) { session_ = &session; }

  // Sends all of `bytes`, and waits until the listener has hung up.
  void send(const std::string& bytes) const {
    const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind_to_next_address(connection);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(server_.port());
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::connect(connection, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
    std::string_view left = bytes;
    while (!left.empty()) {
      const auto sent =
          persist([&] { return ::send(connection, left.data(), left.size(), MSG_NOSIGNAL); });
      if (sent <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(connection, SHUT_WR);
    std::array<char, 4096> answer{};
    while (persist([&] { return ::recv(connection, answer.data(), answer.size(), 0); }) > 0) {
    }
    ::close(connection);
  }

 private:
  RuntimeDesk desk() {
    const auto over = [] { return session_over_reply(); };
    return {.next = [over](const std::function<bool()>&) { return over(); },
            .response =
                [this](const ResponseCall& call, const PostedRequest& posted) {
                  return answer_response(*session_, call, posted);
                },
            .error =
                [this](const ErrorCall& call, const PostedRequest& posted) {
                  return answer_error(*session_, call, posted);
                },
            .init_error = [over](const PostedRequest&) { return over(); }};
  }

  Session* session_ = nullptr;
  ExtensionHub hub_{{.function = {},
                     .new_identifier = [] { return std::string(); },
                     .service = ExtensionHub::Service::off},
                    {.settled = [](std::string_view) {},
                     .reported = [](const std::string&, ExtensionErrorPhase) {}}};
  Server server_;
};

struct Came {
  ExchangeResult result;
  std::string streamed;
};

Came come(const Desk& desk, Session& session, const std::string& bytes) {
  auto invocation = std::make_shared<NextInvocation>();
  invocation->request_id = "id";
  invocation->stream = std::make_shared<ResponseStream>();
  Came came;
  // All of it happens before the exchange begins to wait, which it therefore does not.
  came.result = session.exchange(invocation, Session::TimePoint::min(), [&] {
    require(std::holds_alternative<SharedInvocation>(session.take([] { return true; })));
    desk.send(bytes);
  });
  invocation->stream->end();
  std::string piece;
  while (invocation->stream->read(piece)) came.streamed += piece;
  return came;
}

void check_any(const Came& came) {
  const auto* answer = std::get_if<RuntimeAnswer>(&came.result);
  if (answer == nullptr) return;
  require(answer->kind != RuntimeAnswer::Kind::too_large);
  require(answer->size_bytes == came.streamed.size());
  const bool error = answer->kind == RuntimeAnswer::Kind::error;
  require(!error || answer->error_type.find('.') != std::string::npos);
  require(error || answer->body.empty());
  require(answer->body.size() <= kMaxErrorBytes);
}

// A field's value as it arrives: what ends a line or is no text is left out, blanks around it are
// not part of it.
std::string field_value(const std::string& any) {
  std::string value;
  for (const char c : std::string_view(any).substr(0, kMaxFieldBytes)) {
    if (c > ' ' && c < '\x7f') value += c;
  }
  return value;
}

void check_proper(Desk& desk, Session& session, std::string_view input) {
  const auto type = field_value(take_line(input));
  const auto body = field_value(take_line(input));
  std::string bytes(kHead);
  std::string sent;
  while (!input.empty()) {
    const auto length =
        std::min<std::size_t>(input.size(), static_cast<unsigned char>(input[0]) + 1);
    std::array<char, 8> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", length);
    bytes.append(size.data()).append(input.substr(0, length)).append("\r\n");
    sent.append(input.substr(0, length));
    input.remove_prefix(length);
  }
  bytes.append("0\r\n").append(kErrorTypeTrailer).append(": ").append(type).append("\r\n");
  bytes.append(kErrorBodyTrailer).append(": ").append(body).append("\r\n\r\n");
  const auto came = come(desk, session, bytes);
  const auto* answer = std::get_if<RuntimeAnswer>(&came.result);
  require(answer != nullptr && answer->size_bytes == sent.size() && came.streamed == sent);
  const auto error = read_error_trailers(type, body);
  require(answer->kind == (error ? RuntimeAnswer::Kind::error : RuntimeAnswer::Kind::response));
  require(!error || (answer->error_type == error->error_type && answer->body == error->body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > kMaxInputBytes) return 0;
  static Desk desk;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool proper = (data[0] & 1U) != 0;
  input.remove_prefix(1);
  Session session([](std::string_view) {});
  desk.serve(session);
  if (proper) {
    check_proper(desk, session, input);
  } else {
    check_any(come(desk, session, std::string(kHead).append(input)));
  }
  session.end();
  return 0;
}
