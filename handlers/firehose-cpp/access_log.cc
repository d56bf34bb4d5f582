#include "handlers/firehose-cpp/access_log.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace firehose {
namespace {

// As many digits as every JSON reader keeps exactly, those of JavaScript included.
constexpr std::size_t kMaxSizeDigits = 15;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

int number(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// Reads a line from left to right; after the first mismatch everything it returns is empty.
class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

  void expect(std::string_view text) {
    if (!rest_.starts_with(text)) failed_ = true;
    if (!failed_) rest_.remove_prefix(text.size());
  }

  // What comes before `end`, which must come and is passed over, and is not empty.
  std::string_view until(char end) {
    const auto at = rest_.find(end);
    if (failed_ || at == std::string_view::npos || at == 0) return fail();
    return take(at, 1);
  }

  // "…" with quotes and backslashes escaped inside; returned as written.
  std::string_view quoted() {
    expect("\"");
    for (std::size_t at = 0; at < rest_.size() && !failed_; ++at) {
      if (rest_[at] == '\\') {
        ++at;
      } else if (rest_[at] == '"') {
        return take(at, 1);
      }
    }
    return fail();
  }

  // Up to the next blank or the end, which stays.
  std::string_view word() {
    if (failed_) return {};
    return take(std::min(rest_.find(' '), rest_.size()), 0);
  }

 private:
  std::string_view fail() {
    failed_ = true;
    return {};
  }

  std::string_view take(std::size_t size, std::size_t passed_over) {
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size + passed_over);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape =
        text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\');
    plain += text[escape ? ++at : at];
  }
  return plain;
}

std::optional<std::string> unless_dash(std::string text) {
  if (text == "-") return std::nullopt;
  return text;
}

int days_in(int year, int month) {
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays.at(static_cast<std::size_t>(month - 1)) + (month == 2 && leap ? 1 : 0);
}

// In a pattern, 0 stands for a digit, + for a sign, * for anything, the rest for itself.
bool matches(char c, char pattern) {
  if (pattern == '0') return is_digit(c);
  if (pattern == '+') return c == '+' || c == '-';
  return pattern == '*' || c == pattern;
}

// 10/Oct/2000:13:55:36 -0700 as 2000-10-10T13:55:36-07:00; nullopt when there is no such time.
std::optional<std::string> iso_time(std::string_view text) {
  constexpr std::string_view kPattern = "00/***/0000:00:00:00 +0000";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != kPattern.size()) return std::nullopt;
  if (!std::equal(text.begin(), text.end(), kPattern.begin(), matches)) return std::nullopt;
  const auto name = kMonths.find(text.substr(3, 3));
  if (name == std::string_view::npos || name % 3 != 0) return std::nullopt;
  const int month = static_cast<int>(name / 3) + 1;
  const int year = number(text.substr(7, 4));
  const int day = number(text.substr(0, 2));
  if (year == 0 || day < 1 || day > days_in(year, month)) return std::nullopt;
  if (number(text.substr(12, 2)) > 23 || number(text.substr(15, 2)) > 59) return std::nullopt;
  if (number(text.substr(18, 2)) > 60) return std::nullopt;  // 60: a leap second
  if (number(text.substr(22, 2)) > 14 || number(text.substr(24, 2)) > 59) return std::nullopt;
  std::string iso(text.substr(7, 4));
  iso.append(month < 10 ? "-0" : "-").append(std::to_string(month)).append("-");
  iso.append(text.substr(0, 2)).append("T").append(text.substr(12, 8));
  return iso.append(text.substr(21, 3)).append(":").append(text.substr(24, 2));
}

bool is_method(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// HTTP/1.1 or HTTP/2
bool is_protocol(std::string_view text) {
  if (!text.starts_with("HTTP/")) return false;
  text.remove_prefix(5);
  return (text.size() == 1 && is_digit(text[0])) ||
         (text.size() == 3 && is_digit(text[0]) && text[1] == '.' && is_digit(text[2]));
}

bool read_request(std::string_view request, AccessLogEntry& entry) {
  Reader reader(request);
  entry.method = reader.until(' ');
  entry.path = reader.until(' ');
  entry.protocol = reader.word();
  return !reader.failed() && reader.at_end() && is_method(entry.method) &&
         is_protocol(entry.protocol);
}

bool read_status_and_size(std::string_view status, std::string_view size, AccessLogEntry& entry) {
  if (status.size() != 3 || !is_number(status) || status[0] < '1' || status[0] > '5') return false;
  entry.status = number(status);
  if (size == "-") return true;
  if (!is_number(size) || size.size() > kMaxSizeDigits) return false;
  std::from_chars(size.data(), size.data() + size.size(), entry.bytes);
  return true;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; }

bool is_utf8(std::string_view text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

std::optional<AccessLogEntry> parse_access_log(std::string_view line) {
  if (std::any_of(line.begin(), line.end(), is_control) || !is_utf8(line)) return std::nullopt;
  AccessLogEntry entry;
  Reader reader(line);
  entry.client = reader.until(' ');
  entry.ident = unless_dash(std::string(reader.until(' ')));
  entry.user = unless_dash(std::string(reader.until(' ')));
  reader.expect("[");
  const auto time = iso_time(reader.until(']'));
  reader.expect(" ");
  const auto request = unescape(reader.quoted());
  reader.expect(" ");
  const auto status = reader.until(' ');
  const auto size = reader.word();
  if (!reader.failed() && !reader.at_end()) {
    reader.expect(" ");
    entry.referer = unless_dash(unescape(reader.quoted()));
    reader.expect(" ");
    entry.user_agent = unless_dash(unescape(reader.quoted()));
  }
  if (reader.failed() || !reader.at_end() || !time || !read_request(request, entry) ||
      !read_status_and_size(status, size, entry)) {
    return std::nullopt;
  }
  entry.time = *time;
  return entry;
}

bool is_health_check(const AccessLogEntry& entry) {
  const auto path = std::string_view(entry.path).substr(0, entry.path.find('?'));
  return path == "/health" || path == "/healthz" ||
         entry.user_agent.value_or("").starts_with("ELB-HealthChecker");
}

std::string to_json_line(const AccessLogEntry& entry) {
  const auto or_null = [](const std::optional<std::string>& text) {
    return text ? nlohmann::ordered_json(*text) : nlohmann::ordered_json();
  };
  const nlohmann::ordered_json json = {
      {"client", entry.client},
      {"ident", or_null(entry.ident)},
      {"user", or_null(entry.user)},
      {"time", entry.time},
      {"method", entry.method},
      {"path", entry.path},
      {"protocol", entry.protocol},
      {"status", entry.status},
      {"bytes", entry.bytes},
      {"referer", or_null(entry.referer)},
      {"user_agent", or_null(entry.user_agent)},
  };
  return json.dump() + "\n";
}

}  // namespace firehose
