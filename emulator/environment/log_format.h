// How a function's log is written: plain lines, or a JSON object a line, and from which levels on.
//
// Values and pure functions; any thread. Source: developer guide, "Configuring advanced logging
// controls for Lambda functions"; the names are the public service model's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::environment {

enum class LogFormat : std::uint8_t { text, json };

// In order; a log has what is of its own level or above. System logs have debug, info and warn.
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, fatal };

// "TRACE" … "FATAL".
std::string_view name_of(LogLevel level);

// Also in lower case, as functions write them; nothing for any other word.
std::optional<LogLevel> log_level_named(std::string_view name);

struct LogFormatting {
  LogFormat format = LogFormat::text;
  // Of effect with JSON only.
  LogLevel application_level = LogLevel::info;
  LogLevel system_level = LogLevel::info;
  bool operator==(const LogFormatting&) const = default;
};

// 2025-07-17T17:36:24.304Z
std::string iso_time(std::chrono::system_clock::time_point time);

// `text` as a JSON string, quotes included. What is no UTF-8 becomes U+FFFD.
void append_json_string(std::string_view text, std::string& into);

// Whether a line is one JSON object, which runtimes write themselves. Of one that is, its level;
// info where it names none, which is what the service assumes.
struct LineReading {
  bool is_object = false;
  LogLevel level = LogLevel::info;
};
LineReading read_log_line(std::string_view line);

// Appends the line, without its newline, as the log of a JSON function has it: an object as it is,
// anything else as the message of one, at level info; nothing where its level is below
// `formatting`'s. With the text format: the line as it is.
// `request_id` is empty outside invocations.
void append_log_line(const LogFormatting& formatting,
                     std::string_view line,
                     std::string_view request_id,
                     std::chrono::system_clock::time_point now,
                     std::string& into);

}  // namespace emulator::environment
