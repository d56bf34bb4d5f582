#include "emulator/invoke/json_syntax.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace emulator::invoke {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The characters of a string that need no second look: printable ASCII but '"' and '\'.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

// Scans forward; every scan_ function leaves at_ at the first byte it could not use and says
// whether it found what it is named for.
class Scanner {
 public:
  Scanner(std::string_view bytes, std::size_t max_depth) : bytes_(bytes), max_depth_(max_depth) {
    if (bytes_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  std::optional<JsonFault> run() {
    if (!scan_document()) return fault();
    skip_blanks();
    if (at_ < bytes_.size()) return fault();
    return std::nullopt;
  }

 private:
  enum class Inside { array, object };

  // One value of any depth. A loop with its own stack: the depth of a stranger's document must not
  // be the depth of ours.
  bool scan_document() {
    std::vector<Inside> open;
    while (true) {
      if (!scan_value_start(open)) return false;
      if (opened_) continue;
      while (!open.empty()) {
        skip_blanks();
        if (take(',')) {
          if (open.back() == Inside::object && !scan_key()) return false;
          break;
        }
        if (!take(open.back() == Inside::object ? '}' : ']')) return false;
        open.pop_back();
      }
      if (open.empty()) return true;
    }
  }

  // A scalar, an empty array or object, or the beginning of one that is not empty (`opened_`).
  bool scan_value_start(std::vector<Inside>& open) {
    opened_ = false;
    skip_blanks();
    if (at_ >= bytes_.size()) return false;
    switch (bytes_[at_]) {
      case '"':
        return scan_string();
      case '{':
        return open_container(open, Inside::object, '}') && (!opened_ || scan_key());
      case '[':
        return open_container(open, Inside::array, ']');
      case 't':
        return scan_word("true");
      case 'f':
        return scan_word("false");
      case 'n':
        return scan_word("null");
      default:
        return scan_number();
    }
  }

  bool open_container(std::vector<Inside>& open, Inside kind, char end) {
    if (open.size() >= max_depth_) {
      too_deep_ = true;
      return false;
    }
    ++at_;
    skip_blanks();
    if (take(end)) return true;
    open.push_back(kind);
    opened_ = true;
    return true;
  }

  bool scan_key() {
    skip_blanks();
    if (at_ >= bytes_.size() || bytes_[at_] != '"' || !scan_string()) return false;
    skip_blanks();
    return take(':');
  }

  bool scan_word(std::string_view word) {
    for (const char c : word) {
      if (!take(c)) return false;
    }
    return true;
  }

  bool scan_digits() {
    const auto start = at_;
    while (at_ < bytes_.size() && is_digit(bytes_[at_])) ++at_;
    return at_ > start;
  }

  bool scan_number() {
    take('-');
    if (!take('0') && !scan_digits()) return false;
    if (take('.') && !scan_digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return scan_digits();
    }
    return true;
  }

  bool scan_string() {
    ++at_;
    while (at_ < bytes_.size()) {
      const auto c = static_cast<unsigned char>(bytes_[at_]);
      if (kPlain[c]) {
        ++at_;
      } else if (c == '"') {
        ++at_;
        return true;
      } else if (c == '\\') {
        if (!scan_escape()) return false;
      } else if (c < 0x20 || !scan_multibyte(c)) {
        return false;
      }
    }
    return false;
  }

  bool scan_escape() {
    ++at_;
    if (at_ >= bytes_.size()) return false;
    if (bytes_[at_] != 'u') {
      if (std::string_view("\"\\/bfnrt").find(bytes_[at_]) == std::string_view::npos) return false;
      ++at_;
      return true;
    }
    ++at_;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ >= bytes_.size() || !is_hex_digit(bytes_[at_])) return false;
    }
    return true;
  }

  // The well-formed sequences of RFC 3629: no overlong forms, no surrogates, nothing above
  // U+10FFFF.
  bool scan_multibyte(unsigned char first) {
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    int more = 0;
    if (first >= 0xC2 && first <= 0xDF) {
      more = 1;
    } else if (first >= 0xE0 && first <= 0xEF) {
      more = 2;
      if (first == 0xE0) low = 0xA0;
      if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
      more = 3;
      if (first == 0xF0) low = 0x90;
      if (first == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    ++at_;
    for (; more > 0; --more, ++at_) {
      if (at_ >= bytes_.size()) return false;
      const auto byte = static_cast<unsigned char>(bytes_[at_]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    return true;
  }

  void skip_blanks() {
    while (at_ < bytes_.size() && (bytes_[at_] == ' ' || bytes_[at_] == '\n' ||
                                   bytes_[at_] == '\r' || bytes_[at_] == '\t')) {
      ++at_;
    }
  }

  bool take(char c) {
    if (at_ >= bytes_.size() || bytes_[at_] != c) return false;
    ++at_;
    return true;
  }

  JsonFault fault() const {
    if (too_deep_) {
      return {at_, "the document is nested deeper than " + std::to_string(max_depth_) + " levels"};
    }
    if (at_ >= bytes_.size()) return {at_, "unexpected end of input"};
    const char c = bytes_[at_];
    const auto code = std::to_string(static_cast<unsigned char>(c));
    if (c > 0x20 && c < 0x7F) {
      return {at_, std::string("unexpected character '") + c + "' (code " + code + ")"};
    }
    return {at_, "unexpected byte (code " + code + ")"};
  }

  std::string_view bytes_;
  const std::size_t max_depth_;
  std::size_t at_ = 0;
  bool opened_ = false;
  bool too_deep_ = false;
};

}  // namespace

std::optional<JsonFault> find_json_fault(std::string_view bytes, std::size_t max_depth) {
  return Scanner(bytes, max_depth).run();
}

std::string describe(const JsonFault& fault, std::string_view bytes) {
  const auto before = bytes.substr(0, fault.offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto line_start = before.rfind('\n');
  const auto column =
      fault.offset - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
  return fault.what + " at line: " + std::to_string(line) + ", column: " + std::to_string(column);
}

}  // namespace emulator::invoke
