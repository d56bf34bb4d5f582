#include "emulator/environment/log_format.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

namespace emulator::environment {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 6> kLevelNames = {
    "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

}  // namespace

std::string_view name_of(LogLevel level) { return kLevelNames.at(static_cast<std::size_t>(level)); }

std::optional<LogLevel> log_level_named(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  // Python has other names for these two.
  if (upper == "WARNING") return LogLevel::warn;
  if (upper == "CRITICAL") return LogLevel::fatal;
  const auto found = std::find(kLevelNames.begin(), kLevelNames.end(), upper);
  if (found == kLevelNames.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLevelNames.begin());
}

std::string iso_time(std::chrono::system_clock::time_point time) {
  const auto ms_since_epoch =
      std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms_since_epoch);
  const std::time_t whole = seconds.count();
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  std::array<char, 80> text{};
  std::snprintf(text.data(),
                text.size(),
                "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                parts.tm_year + 1900,
                parts.tm_mon + 1,
                parts.tm_mday,
                parts.tm_hour,
                parts.tm_min,
                parts.tm_sec,
                static_cast<int>((ms_since_epoch - seconds).count()));
  return text.data();
}

void append_json_string(std::string_view text, std::string& into) {
  // Most lines need no escaping at all, and a copy is much cheaper than the library's way.
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
  });
  if (plain) {
    into.append("\"").append(text).append("\"");
    return;
  }
  into += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

LineReading read_log_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  if (!line.starts_with('{') || !line.ends_with('}')) return {};
  // Only the members of the line itself are looked at; what is inside them is not even kept.
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= 1; };
  const auto json = Json::parse(line, shallow, false);
  if (!json.is_object()) return {};
  LineReading reading{.is_object = true};
  if (const auto level = json.find("level"); level != json.end() && level->is_string()) {
    reading.level = log_level_named(level->get_ref<const std::string&>()).value_or(LogLevel::info);
  }
  return reading;
}

void append_log_line(const LogFormatting& formatting,
                     std::string_view line,
                     std::string_view request_id,
                     std::chrono::system_clock::time_point now,
                     std::string& into) {
  if (formatting.format == LogFormat::text) {
    into.append(line);
    into += '\n';
    return;
  }
  const auto reading = read_log_line(line);
  if (reading.level < formatting.application_level) return;
  if (reading.is_object) {
    into.append(line);
    into += '\n';
    return;
  }
  into.append("{\"timestamp\":\"").append(iso_time(now)).append("\",\"level\":\"INFO\"");
  into += ",\"message\":";
  append_json_string(line, into);
  if (!request_id.empty()) {
    into += ",\"requestId\":";
    append_json_string(request_id, into);
  }
  into += "}\n";
}

}  // namespace emulator::environment
