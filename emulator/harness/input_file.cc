#include "emulator/harness/input_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

namespace emulator::harness {
namespace {

std::string reason(int error) {
  std::array<char, 128> text{};
  return ::strerror_r(error, text.data(), text.size());
}

tl::unexpected<HarnessError> failure(const std::string& what, int error) {
  return tl::unexpected(HarnessError{what + ": " + reason(error)});
}

// Of an input that may keep its reader waiting. 0 when it is stopped or at its end.
tl::expected<std::size_t, HarnessError> read_some(int input,
                                                  int stopped,
                                                  char* into,
                                                  std::size_t room) {
  while (true) {
    std::array<pollfd, 2> wait{{{input, POLLIN, 0}, {stopped, POLLIN, 0}}};
    if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) {
      return failure("it cannot be read", errno);
    }
    if (wait[1].revents != 0) return 0;
    if (wait[0].revents == 0) continue;
    const auto read = ::read(input, into, room);
    if (read >= 0) return static_cast<std::size_t>(read);
    if (errno != EINTR && errno != EAGAIN) return failure("it cannot be read", errno);
  }
}

}  // namespace

InputFiles::InputFiles() : stopped_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

tl::expected<ByteSource, HarnessError> InputFiles::open(const std::string& name) const {
  int input = STDIN_FILENO;
  // Shared, because a function object must be copyable; there is one of it.
  std::shared_ptr<sandbox::UniqueFd> owned;
  if (name != kStandardInput) {
    owned = std::make_shared<sandbox::UniqueFd>(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!owned->valid()) return failure("it cannot be opened", errno);
    input = owned->get();
    struct stat kind {};
    if (::fstat(input, &kind) == 0 && S_ISDIR(kind.st_mode)) {
      return tl::unexpected(HarnessError{"it is a folder; name the files in it"});
    }
  }
  return [input, owned, stopped = stopped_.get()](char* into, std::size_t room) {
    return read_some(input, stopped, into, room);
  };
}

void InputFiles::stop() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stopped_.get(), &one, sizeof(one));
}

}  // namespace emulator::harness
