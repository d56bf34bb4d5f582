#include "emulator/app/whole_append.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace emulator::app {

int append_whole(int descriptor, std::string_view text) {
  struct stat before {};
  if (::fstat(descriptor, &before) != 0) return errno;
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      return ::ftruncate(descriptor, before.st_size) == 0 ? error : errno;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace emulator::app
