#include "runtime_api/telemetry_channel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace runtime_api {
namespace {

using Done = tl::expected<void, std::string>;

std::string reason_of(int error) { return std::generic_category().message(error); }

// A subscriber that never stops sending keeps us this long. Our choice: 64 KiB are more than none.
constexpr int kMaxIdleReads = 16;

constexpr std::string_view kInterrupted = "the subscriber took too long";

// Blocks until the descriptor is ready for `events`. False: interrupted.
bool await(int descriptor, short events, const Interruption& interruption) {
  std::array<pollfd, 2> wait{{{.fd = descriptor, .events = events, .revents = 0},
                              {.fd = interruption.descriptor(), .events = POLLIN, .revents = 0}}};
  while (::poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
  }
  return wait[1].revents == 0;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return result;
}

// What is known of an answer once its header is there.
struct AnswerHead {
  int status = 0;
  std::size_t size_bytes = 0;             // of the header itself
  std::optional<std::size_t> body_bytes;  // as announced
};

std::optional<std::size_t> announced_length(std::string_view head) {
  constexpr std::string_view kName = "\r\ncontent-length:";
  const auto names = lower(head);
  const auto at = names.find(kName);
  if (at == std::string::npos) return std::nullopt;
  auto value = head.substr(at + kName.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  std::size_t length = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), length);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return length;
}

// Nothing: the header is not complete, or none at all, which its status 0 says.
std::optional<AnswerHead> read_head(std::string_view received) {
  constexpr std::size_t kStatusAt = std::string_view("HTTP/1.1 ").size();
  const auto end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  AnswerHead head;
  head.size_bytes = end + 4;
  if (received.starts_with("HTTP/1.") && end >= kStatusAt + 3) {
    const auto* digits = received.data() + kStatusAt;
    std::from_chars(digits, digits + 3, head.status);
  }
  head.body_bytes = announced_length(received.substr(0, head.size_bytes));
  const bool bodiless = head.status / 100 == 1 || head.status == 204 || head.status == 304;
  if (bodiless) head.body_bytes = 0;
  return head;
}

}  // namespace

// ---- Interruption.

tl::expected<std::unique_ptr<Interruption>, std::string> Interruption::make() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) {
    return tl::unexpected("cannot make an event descriptor: " + reason_of(errno) +
                          "; raise the limit of open files");
  }
  return std::unique_ptr<Interruption>(new Interruption(descriptor));
}

Interruption::~Interruption() { ::close(descriptor_); }

// Not const, for whoever holds one by a const reference must not change what others wait for.
// NOLINTNEXTLINE(readability-make-member-function-const)
void Interruption::raise() noexcept {
  const std::uint64_t one = 1;
  // Full after 2^64 - 2 of them, and then it is raised all the same.
  static_cast<void>(!::write(descriptor_, &one, sizeof(one)));
}

// NOLINTNEXTLINE(readability-make-member-function-const)
void Interruption::clear() noexcept {
  std::uint64_t count = 0;
  static_cast<void>(!::read(descriptor_, &count, sizeof(count)));
}

// ---- A connection to the subscriber.

class TelemetryChannel::Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(descriptor_); }

  Done send(std::string_view bytes, const Interruption& interruption) const {
    while (!bytes.empty()) {
      if (!await(descriptor_, POLLOUT, interruption)) {
        return tl::unexpected(std::string(kInterrupted));
      }
      const auto sent =
          ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EINTR && errno != EAGAIN) {
        return tl::unexpected("the subscriber broke the connection: " + reason_of(errno));
      }
    }
    return {};
  }

  // Appends what has come; false at the connection's end, whatever its reason, or if interrupted.
  bool receive(std::string& into, const Interruption& interruption) const {
    std::array<char, 4096> buffer;  // not cleared: only what was read is looked at
    while (await(descriptor_, POLLIN, interruption)) {
      const auto length = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (length > 0) {
        into.append(buffer.data(), static_cast<std::size_t>(length));
        return true;
      }
      if (length == 0 || (errno != EINTR && errno != EAGAIN)) return false;
    }
    return false;
  }

  // The status of the answer; 0: there was none. What follows the header is read as well, so that
  // the subscriber does not see its answer refused.
  int receive_status(const Interruption& interruption) const {
    std::string received;
    std::optional<AnswerHead> head;
    while (received.size() < kMaxAnswerBytes) {
      head = read_head(received);
      if (head && head->status / 100 != 1) break;
      if (head) {
        received.erase(0, head->size_bytes);
        head.reset();
      } else if (!receive(received, interruption)) {
        return 0;
      }
    }
    if (!head) return 0;
    const auto end = head->size_bytes + head->body_bytes.value_or(kMaxAnswerBytes);
    while (received.size() < std::min(end, kMaxAnswerBytes) && receive(received, interruption)) {
    }
    return head->status;
  }

  // Whether the other side has hung up. What it may have sent is thrown away: a subscriber that is
  // spoken to by TCP has nothing to say.
  bool is_closed() const {
    std::array<char, 4096> buffer;
    for (int reads = 0; reads < kMaxIdleReads; ++reads) {
      const auto length = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (length == 0) return true;
      if (length < 0) return errno != EAGAIN && errno != EINTR;
    }
    return false;
  }

 private:
  const int descriptor_;
};

// ---- The channel.

TelemetryChannel::TelemetryChannel(Destination destination, Connect connect)
    : destination_(std::move(destination)), connect_(std::move(connect)) {}

TelemetryChannel::~TelemetryChannel() = default;

Done TelemetryChannel::open() {
  if (destination_.protocol == Destination::Protocol::http) return {};
  const auto socket = connect_(destination_.port);
  if (!socket) return tl::unexpected(socket.error());
  kept_ = std::make_unique<Connection>(*socket);
  return {};
}

Done TelemetryChannel::deliver(std::span<const std::string> events,
                               const Interruption& interruption) {
  if (events.empty()) return {};
  return destination_.protocol == Destination::Protocol::http ? post(events, interruption)
                                                              : write_lines(events, interruption);
}

Done TelemetryChannel::post(std::span<const std::string> events, const Interruption& interruption) {
  const auto socket = connect_(destination_.port);
  if (!socket) return tl::unexpected(socket.error());
  const Connection connection(*socket);
  std::size_t length = 1;  // the brackets, and a comma after each but the last
  for (const auto& event : events) length += event.size() + 1;
  std::string request = destination_.method == Destination::Method::put ? "PUT " : "POST ";
  request += destination_.path + " HTTP/1.1\r\nHost: " + destination_.host + ":" +
             std::to_string(destination_.port) +
             "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(length) +
             "\r\nConnection: close\r\n\r\n";
  request.reserve(request.size() + length);
  char separator = '[';
  for (const auto& event : events) {
    request += separator;
    request += event;
    separator = ',';
  }
  request += ']';
  if (auto sent = connection.send(request, interruption); !sent) return sent;
  const int status = connection.receive_status(interruption);
  if (status / 100 == 2) return {};
  if (status == 0) {
    return tl::unexpected(std::string("the subscriber did not answer as HTTP, or not in time"));
  }
  return tl::unexpected("the subscriber answered " + std::to_string(status));
}

Done TelemetryChannel::write_lines(std::span<const std::string> events,
                                   const Interruption& interruption) {
  // A listener that hung up since would be written to once without any error.
  if (kept_ && kept_->is_closed()) kept_.reset();
  if (!kept_) {
    if (auto opened = open(); !opened) return opened;
  }
  std::string lines;
  std::size_t length = 0;
  for (const auto& event : events) length += event.size() + 1;
  lines.reserve(length);
  for (const auto& event : events) {
    lines += event;
    lines += '\n';
  }
  auto sent = kept_->send(lines, interruption);
  // Whoever comes next must not begin in the middle of a line.
  if (!sent) kept_.reset();
  return sent;
}

}  // namespace runtime_api
