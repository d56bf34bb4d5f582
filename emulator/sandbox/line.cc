#include "emulator/sandbox/line.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace emulator::sandbox {

UniqueFd above_standard_streams(UniqueFd descriptor) {
  if (!descriptor.valid() || descriptor.get() > STDERR_FILENO) return descriptor;
  return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

SandboxError system_error(const std::string& operation) {
  const int error = errno;
  return {.kind = SandboxError::Kind::system,
          .operation = operation,
          .error_number = error,
          .message = operation + " failed: " + std::generic_category().message(error)};
}

tl::expected<Line, SandboxError> make_line() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return tl::unexpected(system_error("making a line to a child"));
  }
  Line line{above_standard_streams(UniqueFd(ends[0])), above_standard_streams(UniqueFd(ends[1]))};
  if (!line.ours.valid() || !line.theirs.valid()) {
    return tl::unexpected(system_error("making a line to a child"));
  }
  return line;
}

ssize_t receive_record(const UniqueFd& line, void* bytes, std::size_t size, UniqueFd& descriptor) {
  iovec place{.iov_base = bytes, .iov_len = size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t length = 0;
  do {
    length = ::recvmsg(line.get(), &message, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  const auto* header = length > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int received = -1;
    std::memcpy(&received, CMSG_DATA(header), sizeof(received));
    descriptor.reset(received);
  }
  return length;
}

std::optional<ReceivedReport> receive_report(const UniqueFd& line) {
  ReceivedReport received;
  const auto length =
      receive_record(line, &received.report, sizeof(received.report), received.descriptor);
  if (length != static_cast<ssize_t>(sizeof(received.report))) return std::nullopt;
  return received;
}

}  // namespace emulator::sandbox
