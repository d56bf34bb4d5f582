// Hearth's own record of an invocation: a JSON object on one line, with the event as it came.
//
//   {"hearth_record":1,"time":"2026-01-13T00:00:00.000Z","function":"f","request_id":"…","event":…}
//
// A result line of a replay is one too, with what came of the event and, when asked for, the event.
//
// Pure; any thread.
#pragma once

#include "emulator/harness/event_time.h"
#include "emulator/harness/harness_error.h"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace emulator::harness {

// The member that tells a record from an event; its value is the version of the form.
inline constexpr std::string_view kRecordMember = "hearth_record";
inline constexpr std::string_view kRecordMark = R"("hearth_record":1)";

struct Record {
  std::string_view event;  // bytes of the line it was read from
  std::optional<EventTime> time;
  std::string function;
  std::string request_id;
};

// nullopt: `line` is no record but an event. An error: a record that cannot be replayed.
tl::expected<std::optional<Record>, HarnessError> read_record(std::string_view line);

// The line, with its end. Line breaks in `event`, which JSON has between its parts only, become
// spaces; nothing else of it changes.
std::string record_line(const Record& record);

// `json` without line breaks, appended.
void append_on_one_line(std::string& line, std::string_view json);

}  // namespace emulator::harness
