#include "emulator/harness/line_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace emulator::harness {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

LineReader::LineReader(ByteSource source, std::size_t max_line_bytes)
    : source_(std::move(source)), max_line_bytes_(max_line_bytes) {}

tl::expected<bool, HarnessError> LineReader::fill() {
  if (source_ended_) return false;
  if (begin_ > 0 && buffer_.size() - end_ < kReadBytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // Doubling, so that a long line is not copied once a chunk.
  if (buffer_.size() - end_ < kReadBytes) buffer_.resize(std::max(2 * end_, end_ + kReadBytes));
  const auto read = source_(buffer_.data() + end_, buffer_.size() - end_);
  if (!read) return tl::unexpected(read.error());
  source_ended_ = *read == 0;
  end_ += *read;
  return !source_ended_;
}

tl::expected<void, HarnessError> LineReader::skip_mark() {
  if (std::exchange(started_, true)) return {};
  while (end_ - begin_ < kByteOrderMark.size()) {
    const auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    if (!kByteOrderMark.starts_with(std::string_view(buffer_).substr(begin_, 1))) break;
  }
  if (std::string_view(buffer_).substr(begin_, end_ - begin_).starts_with(kByteOrderMark)) {
    begin_ += kByteOrderMark.size();
    offset_ += kByteOrderMark.size();
  }
  return {};
}

Line LineReader::take(std::size_t size, std::size_t with_end) {
  Line line{.number = ++lines_,
            .text = std::string_view(buffer_).substr(begin_, size),
            .too_long = false,
            .ended = with_end > size,
            .end_offset = offset_ + with_end};
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  line.too_long = line.text.size() > max_line_bytes_;
  if (line.too_long) line.text = {};
  last_begin_ = begin_;
  begin_ += with_end;
  offset_ += with_end;
  return line;
}

tl::expected<std::optional<Line>, HarnessError> LineReader::next() {
  if (auto skipped = skip_mark(); !skipped) return tl::unexpected(skipped.error());
  std::size_t searched = 0;
  while (true) {
    const auto* start = buffer_.data() + begin_;
    const auto size = end_ - begin_;
    const auto* found =
        size > searched ? std::memchr(start + searched, '\n', size - searched) : nullptr;
    if (found != nullptr) {
      const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - start);
      return take(length, length + 1);
    }
    // One byte more for a carriage return.
    if (size > max_line_bytes_ + 1) return skip_long_line();
    searched = size;
    const auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (*more) continue;
    if (size == 0) return std::nullopt;
    return take(size, size);
  }
}

tl::expected<std::optional<Line>, HarnessError> LineReader::skip_long_line() {
  Line line{.number = ++lines_, .text = {}, .too_long = true};
  while (true) {
    const auto* start = buffer_.data() + begin_;
    const auto* found = static_cast<const char*>(std::memchr(start, '\n', end_ - begin_));
    const auto skipped =
        found != nullptr ? static_cast<std::size_t>(found - start) + 1 : end_ - begin_;
    begin_ += skipped;
    offset_ += skipped;
    line.ended = found != nullptr;
    line.end_offset = offset_;
    if (line.ended) return line;
    const auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return line;
  }
}

void LineReader::back() {
  offset_ -= begin_ - last_begin_;
  begin_ = last_begin_;
  --lines_;
}

tl::expected<std::optional<std::string_view>, HarnessError> LineReader::rest(
    std::size_t max_bytes) {
  while (end_ - begin_ <= max_bytes) {
    const auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return std::string_view(buffer_).substr(begin_, end_ - begin_);
  }
  return std::nullopt;
}

}  // namespace emulator::harness
