// Any bytes as a file of events, in pieces: every event must be one JSON document within the
// limits, everything else be told in a sentence; and as a file of results, and as two documents to
// compare.

#include "emulator/harness/event_reader.h"
#include "emulator/harness/json_difference.h"
#include "emulator/harness/result_file.h"
#include "emulator/invoke/json_syntax.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace emulator::harness;

void require(bool condition) {
  if (!condition) std::abort();
}

ByteSource source_of(std::string_view bytes, std::size_t piece) {
  auto left = std::make_shared<std::string_view>(bytes);
  return [left, piece](char* into, std::size_t room) {
    const auto size = std::min({room, piece, left->size()});
    std::memcpy(into, left->data(), size);
    left->remove_prefix(size);
    return size;
  };
}

// The events as one string, to see that pieces make no difference.
std::string events_of(std::string_view bytes, std::size_t piece) {
  EventReader reader({"f"}, [&](const std::string&) { return source_of(bytes, piece); });
  std::string all;
  std::uint64_t position = 0;
  while (true) {
    auto read = reader.next();
    if (std::holds_alternative<EndOfEvents>(read)) return all;
    if (const auto* broken = std::get_if<BrokenEvent>(&read)) {
      require(broken->position == ++position && broken->message.starts_with("f:"));
      continue;
    }
    const auto& event = std::get<Event>(read);
    require(event.position == ++position && event.payload.size() <= kMaxEventBytes);
    require(!emulator::invoke::find_json_fault(event.payload));
    event_time(event.payload);
    require(json_differences(event.payload, event.payload, {}, 1).count == 0);
    all += event.payload + "\n";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = events_of(bytes, SIZE_MAX);
  require(events_of(bytes, 1) == whole);
  const auto results = read_results(source_of(bytes, 3), [](const ReplayResult& result) {
    std::string line;
    append_result_line(line, result);
    require(parse_result_line(line).has_value());
  });
  if (!results) require(!results.error().message.empty());
  const auto half = bytes.substr(0, size / 2);
  const auto pointer = JsonPointer::parse(half);
  if (pointer) {
    require(JsonPointer::parse(pointer_text(pointer->tokens()))->tokens() == pointer->tokens());
    find_value(bytes.substr(size / 2), pointer->tokens());
  }
  json_differences(half, bytes.substr(size / 2), {}, 10);
  require(unquoted(json_string(half)).has_value());
  return 0;
}
