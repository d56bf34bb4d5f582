// Lines of a stream of bytes, in memory that does not grow with the stream.
#pragma once

#include "emulator/harness/harness_error.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::harness {

// Writes up to `room` bytes to `into` and says how many; 0 at the end. May block.
using ByteSource =
    std::function<tl::expected<std::size_t, HarnessError>(char* into, std::size_t room)>;

// Asked of the source at once. Our choice: a few hundred events of usual size.
inline constexpr std::size_t kReadBytes = std::size_t{256} << 10;

struct Line {
  std::uint64_t number = 0;      // from 1
  std::string_view text;         // without its end ("\n" or "\r\n"); empty when it is too long
  bool too_long = false;         // longer than allowed, and skipped
  bool ended = false;            // by a line feed, not by the end of the stream
  std::uint64_t end_offset = 0;  // of the stream's bytes behind the line
};

// Its owner's thread. A byte order mark at the beginning of the stream belongs to no line.
class LineReader {
 public:
  LineReader(ByteSource source, std::size_t max_line_bytes);

  // nullopt at the end. The text is valid until the next call of any function.
  tl::expected<std::optional<Line>, HarnessError> next();

  // Gives the line of the last next() again. Only directly after it, and not for one too long.
  void back();

  // All that is left, if that is no more than `max_bytes`; takes nothing. Valid like a line.
  tl::expected<std::optional<std::string_view>, HarnessError> rest(std::size_t max_bytes);

 private:
  tl::expected<bool, HarnessError> fill();  // false: nothing came, the stream has ended
  tl::expected<void, HarnessError> skip_mark();
  tl::expected<std::optional<Line>, HarnessError> skip_long_line();
  Line take(std::size_t size, std::size_t with_end);

  const ByteSource source_;
  const std::size_t max_line_bytes_;
  std::string buffer_;  // bytes [begin_, end_) are read and not taken
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t last_begin_ = 0;  // of the line that was given last
  std::uint64_t offset_ = 0;    // of begin_ in the stream
  std::uint64_t lines_ = 0;
  bool started_ = false;
  bool source_ended_ = false;
};

}  // namespace emulator::harness
