// Any bytes as a .zip file: whatever is unpacked stays inside the folder and below the limit, and
// a refusal leaves nothing there.
#include "emulator/functions/code_package.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxBytes = 1'000'000;

void check_tree(const fs::path& root) {
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto status = entry.symlink_status();
    if (!fs::is_regular_file(status) && !fs::is_directory(status) && !fs::is_symlink(status)) {
      std::abort();
    }
    if (!fs::is_symlink(status)) continue;
    std::error_code error;
    const auto real = fs::weakly_canonical(entry.path(), error);
    if (!error && *real.lexically_relative(root).begin() == "..") std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using emulator::functions::TemporaryFolder;
  const int file = ::memfd_create("zip", MFD_CLOEXEC);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  auto parent = TemporaryFolder::create(fs::canonical(fs::temp_directory_path()));
  if (!parent) std::abort();
  const auto out = (*parent)->path() / "out";
  fs::create_directory(out);
  const auto unpacked =
      emulator::functions::unpack_zip("/proc/self/fd/" + std::to_string(file), out, kMaxBytes);
  ::close(file);
  if (unpacked && (*unpacked < 0 || *unpacked > kMaxBytes)) std::abort();
  if (unpacked) check_tree(out);
  if (!unpacked && !fs::is_empty(out)) std::abort();
  for (const auto& entry : fs::directory_iterator((*parent)->path())) {
    if (entry.path() != out) std::abort();
  }
  return 0;
}
