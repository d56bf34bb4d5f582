#include "handlers/firehose-cpp/transformation.h"

#include "handlers/firehose-cpp/access_log.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace firehose {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xffU);
    }
  }
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = at; i < at + 3; ++i) {
      bits = bits << 8U | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
    }
    for (unsigned shift = 24; shift > 0; shift -= 6) text += kAlphabet[bits >> (shift - 6) & 63U];
  }
  const auto padding = (3 - bytes.size() % 3) % 3;
  std::fill_n(text.end() - static_cast<std::ptrdiff_t>(padding), padding, '=');
  return text;
}

std::optional<AccessLogEntry> read_entry(std::string_view data) {
  auto line = decode_base64(data);
  if (!line) return std::nullopt;
  if (line->ends_with('\n')) {
    line->pop_back();
    if (line->ends_with('\r')) line->pop_back();
  }
  return parse_access_log(*line);
}

nlohmann::ordered_json transform_record(const nlohmann::json& record) {
  const auto& data = record.at("data").get_ref<const std::string&>();
  const auto answer = [&](std::string_view result, std::string_view bytes) {
    return nlohmann::ordered_json{
        {"recordId", record.at("recordId")}, {"result", result}, {"data", bytes}};
  };
  const auto entry = read_entry(data);
  if (!entry) return answer("ProcessingFailed", data);
  if (is_health_check(*entry)) return answer("Dropped", data);
  return answer("Ok", encode_base64(to_json_line(*entry)));
}

}  // namespace

std::optional<std::string> transform(std::string_view event) {
  try {
    const auto parsed = nlohmann::json::parse(event);
    auto answers = nlohmann::ordered_json::array();
    for (const auto& record : parsed.at("records")) answers.push_back(transform_record(record));
    return nlohmann::ordered_json{{"records", std::move(answers)}}.dump();
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace firehose
