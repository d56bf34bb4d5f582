#include "emulator/harness/json_pointer.h"

#include "fixtures/encoding.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace emulator::harness {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Walks over values. Every skip_ function says whether it found what it is named for; none reads
// behind the end.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {
    if (bytes_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  void skip_blanks() {
    while (at_ < bytes_.size() && is_blank(bytes_[at_])) ++at_;
  }

  bool take(char c) {
    if (at_ >= bytes_.size() || bytes_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool at_end() const { return at_ >= bytes_.size(); }
  char peek() const { return at_end() ? '\0' : bytes_[at_]; }

  // With its quotes.
  std::optional<std::string_view> string() {
    const auto start = at_;
    if (!take('"')) return std::nullopt;
    while (at_ < bytes_.size()) {
      const char c = bytes_[at_++];
      if (c == '"') return bytes_.substr(start, at_ - start);
      if (c == '\\') ++at_;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> value() {
    skip_blanks();
    const auto start = at_;
    if (at_end()) return std::nullopt;
    if (peek() == '"') return string();
    if (peek() == '{' || peek() == '[') {
      if (!skip_container()) return std::nullopt;
    } else {
      while (!at_end() && !is_blank(peek()) && peek() != ',' && peek() != '}' && peek() != ']')
        ++at_;
      if (at_ == start) return std::nullopt;
    }
    return bytes_.substr(start, at_ - start);
  }

 private:
  // Counts brackets; that they are of the same kind is for a validator to see.
  bool skip_container() {
    std::size_t depth = 0;
    while (!at_end()) {
      const char c = bytes_[at_];
      if (c == '"') {
        if (!string()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

bool names(std::string_view raw_name, std::string_view token) {
  const auto inside = raw_name.substr(1, raw_name.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return inside == token;
  return unquoted(raw_name) == token;
}

std::optional<std::string_view> find_child(std::string_view value, std::string_view token) {
  std::optional<std::string_view> found;
  if (json_kind(value) == JsonKind::object) {
    for_each_member(value, [&](std::string_view name, std::string_view member) {
      if (!names(name, token)) return true;
      found = member;
      return false;
    });
  } else if (json_kind(value) == JsonKind::array) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    const bool plain = error == std::errc{} && end == token.data() + token.size() &&
                       (token.size() == 1 || token.front() != '0');
    if (!plain) return std::nullopt;
    for_each_element(value, [&](std::string_view element) {
      if (index-- > 0) return true;
      found = element;
      return false;
    });
  }
  return found;
}

void append_utf8(std::string& text, std::uint32_t point) {
  const auto byte = [&](std::uint32_t bits) { text.push_back(static_cast<char>(bits)); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | (point >> 6));
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | (point >> 12));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | (point >> 18));
    byte(0x80 | ((point >> 12) & 0x3F));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

// Four hexadecimal digits behind "\u".
std::optional<std::uint32_t> unit_at(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  std::uint32_t unit = 0;
  const auto* first = text.data() + at + 2;
  const auto [end, error] = std::from_chars(first, first + 4, unit, 16);
  if (error != std::errc{} || end != first + 4) return std::nullopt;
  return unit;
}

// The escape at `at`; returns where it ends, 0 for one that is none.
std::size_t append_escape(std::string& text, std::string_view inside, std::size_t at) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (at + 1 >= inside.size()) return 0;
  if (const auto named = kNames.find(inside[at + 1]); named != std::string_view::npos) {
    text.push_back(kMeanings[named]);
    return at + 2;
  }
  const auto unit = unit_at(inside, at);
  if (!unit) return 0;
  if (*unit >= 0xD800 && *unit < 0xDC00) {
    const auto low = unit_at(inside, at + 6);
    if (low && *low >= 0xDC00 && *low < 0xE000) {
      append_utf8(text, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
      return at + 12;
    }
  }
  append_utf8(text, *unit);
  return at + 6;
}

// digits × 10^exponent, the digits without zeros at either end; of zero there are none.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;

  bool operator==(const Decimal&) const = default;
};

// No two numbers of a document of allowed size differ beyond this only.
constexpr std::int64_t kFarExponent = std::int64_t{1} << 60;

Decimal decimal_of(std::string_view number) {
  Decimal decimal;
  if (number.starts_with('-')) {
    decimal.negative = true;
    number.remove_prefix(1);
  }
  const auto mark = number.find_first_of("eE");
  if (mark != std::string_view::npos) {
    auto text = number.substr(mark + 1);
    if (text.starts_with('+')) text.remove_prefix(1);
    const auto result = std::from_chars(text.data(), text.data() + text.size(), decimal.exponent);
    if (result.ec == std::errc::result_out_of_range || decimal.exponent > kFarExponent ||
        decimal.exponent < -kFarExponent) {
      decimal.exponent = text.starts_with('-') ? -kFarExponent : kFarExponent;
    }
    number = number.substr(0, mark);
  }
  const auto point = number.find('.');
  decimal.digits = number.substr(0, point);
  if (point != std::string_view::npos) {
    decimal.digits += number.substr(point + 1);
    decimal.exponent -= static_cast<std::int64_t>(number.size() - point - 1);
  }
  const auto last = decimal.digits.find_last_not_of('0');
  if (last == std::string::npos) return {};
  decimal.exponent += static_cast<std::int64_t>(decimal.digits.size() - last - 1);
  decimal.digits.resize(last + 1);
  decimal.digits.erase(0, decimal.digits.find_first_not_of('0'));
  return decimal;
}

}  // namespace

tl::expected<JsonPointer, HarnessError> JsonPointer::parse(std::string_view text) {
  const auto refused = [&](const std::string& why) {
    return tl::unexpected(HarnessError{"'" + std::string(text) + "' is no JSON pointer: " + why});
  };
  if (!text.empty() && text.front() != '/') {
    return refused("it begins with /, as /Records/0/messageId does");
  }
  JsonPointer pointer;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '/') {
      if (pointer.tokens_.size() >= kMaxPointerTokens) return refused("it is too deep");
      pointer.tokens_.emplace_back();
    } else if (text[i] == '~') {
      const char code = i + 1 < text.size() ? text[i + 1] : '\0';
      if (code != '0' && code != '1') return refused("write ~0 for ~ and ~1 for / in a name");
      pointer.tokens_.back().push_back(code == '0' ? '~' : '/');
      ++i;
    } else {
      pointer.tokens_.back().push_back(text[i]);
    }
  }
  return pointer;
}

std::string pointer_text(std::span<const std::string> tokens) {
  std::string text;
  for (const auto& token : tokens) {
    text += '/';
    for (const char c : token) {
      if (c == '~') {
        text += "~0";
      } else if (c == '/') {
        text += "~1";
      } else {
        text += c;
      }
    }
  }
  return text;
}

JsonKind json_kind(std::string_view value) {
  const auto first = value.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return JsonKind::none;
  switch (value[first]) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
    case 'n':
      return JsonKind::literal;
    default:
      break;
  }
  const bool digit = value[first] == '-' || (value[first] >= '0' && value[first] <= '9');
  return digit ? JsonKind::number : JsonKind::none;
}

std::optional<std::string_view> find_value(std::string_view document,
                                           std::span<const std::string> tokens) {
  if (tokens.empty()) return Cursor(document).value();
  auto found = std::optional(document);
  for (std::size_t i = 0; found && i < tokens.size(); ++i) found = find_child(*found, tokens[i]);
  return found;
}

std::optional<std::string_view> find_value(std::string_view document,
                                           std::initializer_list<std::string_view> tokens) {
  auto found = std::optional(document);
  for (const auto token : tokens) {
    if (!found) break;
    found = find_child(*found, token);
  }
  return found;
}

bool for_each_member(
    std::string_view object,
    const std::function<bool(std::string_view raw_name, std::string_view value)>& visit) {
  Cursor cursor(object);
  cursor.skip_blanks();
  if (!cursor.take('{')) return false;
  cursor.skip_blanks();
  if (cursor.take('}')) return true;
  while (true) {
    cursor.skip_blanks();
    const auto name = cursor.string();
    cursor.skip_blanks();
    if (!name || !cursor.take(':')) return false;
    const auto value = cursor.value();
    if (!value) return false;
    if (!visit(*name, *value)) return true;
    cursor.skip_blanks();
    if (cursor.take(',')) continue;
    return cursor.take('}');
  }
}

bool for_each_element(std::string_view array,
                      const std::function<bool(std::string_view value)>& visit) {
  Cursor cursor(array);
  cursor.skip_blanks();
  if (!cursor.take('[')) return false;
  cursor.skip_blanks();
  if (cursor.take(']')) return true;
  while (true) {
    const auto value = cursor.value();
    if (!value) return false;
    if (!visit(*value)) return true;
    cursor.skip_blanks();
    if (cursor.take(',')) continue;
    return cursor.take(']');
  }
}

std::optional<std::string> unquoted(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') return std::nullopt;
  const auto inside = raw.substr(1, raw.size() - 2);
  std::string text;
  text.reserve(inside.size());
  for (std::size_t at = 0; at < inside.size();) {
    if (inside[at] != '\\') {
      text.push_back(inside[at++]);
      continue;
    }
    at = append_escape(text, inside, at);
    if (at == 0) return std::nullopt;
  }
  return text;
}

std::string json_string(std::string_view text) {
  std::string json = "\"";
  json.reserve(text.size() + 2);
  // Where the next byte that is not UTF-8 stands.
  std::size_t bad = fixtures::find_invalid_utf8(text).value_or(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == bad) {
      json += "\xEF\xBF\xBD";
      const auto next = fixtures::find_invalid_utf8(text.substr(i + 1));
      bad = next ? i + 1 + *next : text.size();
    } else if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      json += code.data();
    } else {
      json += c;
    }
  }
  return json += '"';
}

bool same_number(std::string_view a, std::string_view b) {
  return a == b || decimal_of(a) == decimal_of(b);
}

}  // namespace emulator::harness
