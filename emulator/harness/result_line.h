// What became of one event, and the line that tells it.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/environment/invocation_report.h"
#include "emulator/harness/event_time.h"
#include "emulator/harness/harness_error.h"
#include "emulator/invoke/invocation.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::harness {

// Bytes a caller was given, and how a JSON line holds them: as they are, as a string, or in base64.
struct Response {
  enum class Form : std::uint8_t { none, json, text, binary };
  Form form = Form::none;
  std::string bytes;
};

// By what the bytes are: a JSON document, UTF-8, or neither. No bytes are text.
Response response_of(std::string bytes);

struct ReplayResult {
  std::uint64_t position = 0;
  std::string file;
  std::uint64_t line = 0;
  std::optional<EventTime> started;
  std::string function_name;
  std::string request_id;
  std::string input_sha256;  // of the event's bytes, 64 lower-case hexadecimal digits
  // responded, function_error, timed_out, runtime_exited, out_of_memory, response_too_large,
  // response_truncated, never_started or throttled.
  std::string outcome;
  // Empty for a success. Of a function error the type that its document names, as its caller sees
  // it.
  std::string error_type;
  Response response;  // for a failure the document its caller is given
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::chrono::nanoseconds> init_duration;       // of a cold start
  std::optional<std::chrono::nanoseconds> restore_duration{};  // of one from a snapshot
  bool cold() const { return init_duration || restore_duration; }
  std::uint64_t billed_ms = 0;
  std::int64_t max_memory_used_mb = 0;
  std::string event;  // empty unless it is kept
};

// An event that was sent, and where it came from.
struct SentEvent {
  std::uint64_t position = 0;
  std::string file;
  std::uint64_t line = 0;
  std::string function_name;
  std::string request_id;
  std::string input_sha256;
};

// Of an invocation that ran, or was refused. For a refusal error_type is the service's exception.
ReplayResult result_of(SentEvent sent,
                       tl::expected<invoke::InvocationResult, invoke::Refusal> answer,
                       environment::Profile profile);

// JSON on one line, with its end: a Hearth record. The response's bytes stand in it as they are,
// but for line breaks between its parts; "response_text" and "response_base64" hold one that is no
// JSON.
void append_result_line(std::string& lines, const ReplayResult& result);

// The same without what differs from run to run: position, input, outcome, error type and response.
void append_saved_line(std::string& lines, const ReplayResult& result);

// Reads a line of either kind, as far as it is there; the event is left out.
tl::expected<ReplayResult, HarnessError> parse_result_line(std::string_view line);

}  // namespace emulator::harness
