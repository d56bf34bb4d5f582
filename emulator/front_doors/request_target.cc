#include "emulator/front_doors/request_target.h"

#include <vector>

namespace emulator::front_doors {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus { literal, blank };

std::optional<std::string> decoded(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::blank) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

}  // namespace

RequestTarget split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      const auto path = target.find_first_of("/?", scheme + 3);
      target = path == std::string_view::npos ? "/" : target.substr(path);
    }
  }
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  return decoded(text, Plus::literal);
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    const auto equals = pair.find('=');
    if (decoded(pair.substr(0, equals), Plus::blank) != name) continue;
    if (equals == std::string_view::npos) return std::string{};
    return decoded(pair.substr(equals + 1), Plus::blank);
  }
  return std::nullopt;
}

std::string cleaned_path(std::string_view decoded_path) {
  std::vector<std::string_view> kept;
  const bool trailing_slash = decoded_path.ends_with('/');
  while (!decoded_path.empty()) {
    const auto end = decoded_path.find('/');
    const auto segment = decoded_path.substr(0, end);
    decoded_path =
        end == std::string_view::npos ? std::string_view{} : decoded_path.substr(end + 1);
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string clean;
  for (const auto segment : kept) clean.append("/").append(segment);
  if (clean.empty() || trailing_slash) clean.push_back('/');
  return clean;
}

}  // namespace emulator::front_doors
