#include "emulator/app/identifiers.h"

#include <sys/random.h>

#include <array>
#include <cstring>

namespace emulator::app {
namespace {

// A thread asks the kernel once for many identifiers.
class RandomBytes {
 public:
  std::uint8_t next() {
    if (used_ == bytes_.size()) {
      std::size_t filled = 0;
      while (filled < bytes_.size()) {
        const auto got = ::getrandom(bytes_.data() + filled, bytes_.size() - filled, 0);
        if (got > 0) filled += static_cast<std::size_t>(got);
      }
      used_ = 0;
    }
    return bytes_[used_++];
  }

 private:
  std::array<std::uint8_t, 4096> bytes_{};
  std::size_t used_ = bytes_.size();
};

std::uint8_t random_byte() {
  thread_local RandomBytes bytes;
  return bytes.next();
}

constexpr char kDigits[] = "0123456789abcdef";

}  // namespace

std::string new_hex(int digits) {
  std::string text;
  text.reserve(static_cast<std::size_t>(digits));
  for (int i = 0; i < digits; ++i) text += kDigits[random_byte() & 0xFU];
  return text;
}

std::string new_uuid() {
  constexpr char kVariants[] = "89ab";
  std::string text = new_hex(36);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) text[dash] = '-';
  text[14] = '4';
  text[19] = kVariants[random_byte() & 0x3U];
  return text;
}

std::uint64_t new_seed() {
  std::uint64_t seed = 0;
  for (int i = 0; i < 8; ++i) seed = seed << 8U | random_byte();
  return seed;
}

}  // namespace emulator::app
