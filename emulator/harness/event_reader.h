// The events of a number of files, one after the other.
//
// A file holds one event a line (JSON Lines), or Hearth's own records, or is one JSON document:
// then its first line alone is the beginning of one, and the file as a whole is one. An array is
// one event, as it is for Lambda. White space around an event and a byte order mark are the file's;
// every other byte reaches the function as it stands.
#pragma once

#include "emulator/harness/event_time.h"
#include "emulator/harness/line_reader.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace emulator::harness {

// Source: Lambda quotas, payload of a synchronous invocation: 6 MB, by the service's own count.
inline constexpr std::size_t kMaxEventBytes = 6'291'456;

// A record may hold an event, a response (6,291,556 bytes) and what is said of both. Ours; a longer
// line is skipped and never held.
inline constexpr std::size_t kMaxLineBytes = 2 * kMaxEventBytes + (std::size_t{64} << 10);

struct Event {
  std::uint64_t position = 0;  // from 1, over all files; broken ones count
  std::size_t file = 0;        // of the reader's files
  std::uint64_t line = 0;      // where it begins, from 1
  std::string payload;
  std::optional<EventTime> recorded;  // what a record says; what the event says is not looked at
};

// What stood in an event's place, or a file that could not be read to its end.
struct BrokenEvent {
  std::uint64_t position = 0;  // 0 for a file
  std::string message;         // a sentence that begins with the file and the line
};

struct EndOfEvents {};

using ReadEvent = std::variant<Event, BrokenEvent, EndOfEvents>;

// Opens a file by the name the user gave; "-" is standard input.
using OpenFile = std::function<tl::expected<ByteSource, HarnessError>(const std::string& name)>;

// One thread at a time.
class EventReader {
 public:
  EventReader(std::vector<std::string> files, OpenFile open);

  // The next one. After EndOfEvents always that again. May block where a file does.
  ReadEvent next();

  const std::vector<std::string>& files() const { return files_; }

 private:
  enum class Form { unknown, lines };

  std::optional<ReadEvent> next_of_file();
  std::optional<ReadEvent> whole_document(const Line& first);
  ReadEvent event_of(std::string_view text, std::uint64_t line);
  BrokenEvent broken(std::uint64_t line, const std::string& what);
  BrokenEvent broken_file(const std::string& what);

  const std::vector<std::string> files_;
  const OpenFile open_;
  std::size_t file_ = 0;
  std::optional<LineReader> lines_;  // of the file that is being read
  Form form_ = Form::unknown;
  std::uint64_t position_ = 0;
};

}  // namespace emulator::harness
