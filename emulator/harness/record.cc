#include "emulator/harness/record.h"

#include "emulator/harness/json_pointer.h"
#include "emulator/invoke/json_syntax.h"

#include <algorithm>
#include <string.h>

namespace emulator::harness {
namespace {

bool mentions_record(std::string_view line) {
  // memmem is many times faster than a search of string_view, and every event passes here.
  return ::memmem(line.data(), line.size(), kRecordMember.data(), kRecordMember.size()) != nullptr;
}

}  // namespace

tl::expected<std::optional<Record>, HarnessError> read_record(std::string_view line) {
  if (!mentions_record(line) || json_kind(line) != JsonKind::object) return std::nullopt;
  std::optional<std::string_view> version;
  std::optional<std::string_view> event;
  Record record;
  for_each_member(line, [&](std::string_view raw_name, std::string_view value) {
    const auto name = unquoted(raw_name);
    if (name == kRecordMember) version = value;
    if (name == "event") event = value;
    if (name == "function") record.function = unquoted(value).value_or("");
    if (name == "request_id") record.request_id = unquoted(value).value_or("");
    if (name == "time") record.time = parse_iso_time(unquoted(value).value_or(""));
    return true;
  });
  if (!version) return std::nullopt;
  // One level more than an event may have: the record's own.
  if (const auto fault = invoke::find_json_fault(line, invoke::kMaxJsonDepth + 1)) {
    return tl::unexpected(HarnessError{"the record is not JSON: " + fault->what});
  }
  if (*version != "1") {
    return tl::unexpected(
        HarnessError{"a record of version " + std::string(version->substr(0, 20)) +
                     ", of which this Hearth knows 1; use the Hearth that wrote it"});
  }
  if (!event) {
    return tl::unexpected(HarnessError{
        "the result of a replay without its event; keep events in results with --keep-events"});
  }
  record.event = *event;
  return record;
}

void append_on_one_line(std::string& line, std::string_view json) {
  const auto start = line.size();
  line.append(json);
  std::replace_if(
      line.begin() + static_cast<std::ptrdiff_t>(start),
      line.end(),
      [](char c) { return c == '\n' || c == '\r'; },
      ' ');
}

std::string record_line(const Record& record) {
  std::string line = "{" + std::string(kRecordMark);
  if (record.time) line += ",\"time\":\"" + iso_time(*record.time) + "\"";
  line += ",\"function\":" + json_string(record.function);
  line += ",\"request_id\":" + json_string(record.request_id) + ",\"event\":";
  append_on_one_line(line, record.event);
  return line += "}\n";
}

}  // namespace emulator::harness
