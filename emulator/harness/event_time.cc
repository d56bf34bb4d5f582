#include "emulator/harness/event_time.h"

#include "emulator/harness/json_pointer.h"
#include "fixtures/instant.h"

#include <charconv>
#include <cmath>

namespace emulator::harness {
namespace {

using std::chrono::milliseconds;

// Reads a time from its front; a function that finds something else leaves `failed` set.
struct Reading {
  std::string_view text;
  bool failed = false;

  int digits(std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text.empty() || text[0] < '0' || text[0] > '9') {
        failed = true;
        return 0;
      }
      value = value * 10 + (text[0] - '0');
      text.remove_prefix(1);
    }
    return value;
  }

  void expect(char c) {
    if (!take(c)) failed = true;
  }

  bool take(char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  }

  // Of a second; finer digits than milliseconds are dropped.
  int fraction_ms() {
    int value = 0;
    int scale = 100;
    if (text.empty() || text[0] < '0' || text[0] > '9') failed = true;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      value += (text[0] - '0') * scale;
      scale /= 10;
      text.remove_prefix(1);
    }
    return value;
  }

  std::chrono::minutes offset() {
    if (take('Z')) return {};
    const int sign = take('-') ? -1 : 1;
    if (sign == 1) expect('+');
    const int hours = digits(2);
    take(':');
    const int minutes = digits(2);
    return std::chrono::minutes{sign * (hours * 60 + minutes)};
  }
};

std::optional<EventTime> time_of_number(std::optional<std::string_view> value, double per_ms) {
  if (!value) return std::nullopt;
  auto text = *value;
  if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  const double ms = std::round(number * per_ms);
  // Ours: times of four-digit years; beyond them a number is none.
  if (!(ms >= 0 && ms < 253'402'300'800'000.0)) return std::nullopt;
  return EventTime{milliseconds{static_cast<std::int64_t>(ms)}};
}

constexpr double kMilliseconds = 1;
constexpr double kSeconds = 1000;

std::optional<EventTime> time_of_text(std::optional<std::string_view> value) {
  if (!value) return std::nullopt;
  const auto text = unquoted(*value);
  return text ? parse_iso_time(*text) : std::nullopt;
}

std::optional<EventTime> record_time(std::string_view record) {
  if (auto at =
          time_of_number(find_value(record, {"attributes", "SentTimestamp"}), kMilliseconds)) {
    return at;
  }
  if (auto at = time_of_number(find_value(record, {"kinesis", "approximateArrivalTimestamp"}),
                               kSeconds)) {
    return at;
  }
  if (auto at = time_of_number(find_value(record, {"dynamodb", "ApproximateCreationDateTime"}),
                               kSeconds)) {
    return at;
  }
  if (auto at = time_of_text(find_value(record, {"Sns", "Timestamp"}))) return at;
  if (auto at = time_of_text(find_value(record, {"eventTime"}))) return at;
  return time_of_number(find_value(record, {"approximateArrivalTimestamp"}), kMilliseconds);
}

}  // namespace

std::optional<EventTime> parse_iso_time(std::string_view text) {
  Reading reading{text};
  const int year = reading.digits(4);
  reading.expect('-');
  const int month = reading.digits(2);
  reading.expect('-');
  const int day = reading.digits(2);
  reading.expect('T');
  const int hour = reading.digits(2);
  reading.expect(':');
  const int minute = reading.digits(2);
  reading.expect(':');
  const int second = reading.digits(2);
  const int ms = reading.take('.') ? reading.fraction_ms() : 0;
  const auto offset = reading.offset();
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (reading.failed || !reading.text.empty() || !date.ok() || hour > 23 || minute > 59 ||
      second > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} -
         offset + std::chrono::seconds{second} + milliseconds{ms};
}

std::string iso_time(EventTime time) { return fixtures::iso_milliseconds(time); }

std::optional<EventTime> event_time(std::string_view event) {
  if (json_kind(event) != JsonKind::object) return std::nullopt;
  for (const auto* list : {"Records", "records"}) {
    if (const auto record = find_value(event, {list, "0"})) return record_time(*record);
  }
  if (const auto context = find_value(event, {"requestContext"})) {
    auto at = time_of_number(find_value(*context, {"requestTimeEpoch"}), kMilliseconds);
    if (!at) at = time_of_number(find_value(*context, {"timeEpoch"}), kMilliseconds);
    if (at) return at;
  }
  return time_of_text(find_value(event, {"time"}));
}

}  // namespace emulator::harness
