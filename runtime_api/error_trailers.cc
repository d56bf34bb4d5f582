#include "runtime_api/error_trailers.h"

#include "runtime_api/error_type.h"
#include "runtime_api/wire.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <utility>

namespace runtime_api {
namespace {

std::optional<std::uint32_t> sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return std::nullopt;
}

// Clients differ in whether they pad, so padding may be absent; all else is the standard alphabet.
std::optional<std::string> decoded(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto value = sextet(c);
    if (!value) return std::nullopt;
    bits = (bits << 6U) | *value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>((bits >> held) & 0xFFU);
  }
  return bytes;
}

}  // namespace

std::optional<TrailedError> read_error_trailers(std::string_view type, std::string_view body) {
  if (type.empty()) return std::nullopt;
  TrailedError error{.error_type = safe_error_type(type), .body = {}};
  auto bytes = body.empty() ? std::nullopt : decoded(body);
  if (bytes && bytes->size() <= kMaxErrorBytes) {
    error.body = std::move(*bytes);
  } else {
    error.body = nlohmann::json{{"errorType", error.error_type}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return error;
}

}  // namespace runtime_api
