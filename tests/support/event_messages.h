// A reader of the format application/vnd.amazon.eventstream, written from its specification alone
// so that it is no mirror of what writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

struct EventMessage {
  std::map<std::string, std::string> headers;
  std::string payload;
};

inline std::uint32_t bitwise_crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

// Takes one message off the front of `bytes`. False: there is no whole one yet. Throws on what is
// no message.
inline bool take_event_message(std::string_view& bytes, EventMessage& message) {
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + size; ++i) {
      value = value << 8U | static_cast<unsigned char>(bytes[i]);
    }
    return value;
  };
  if (bytes.size() < 12) return false;
  const std::size_t whole = number(0, 4);
  const std::size_t headers = number(4, 4);
  if (number(8, 4) != bitwise_crc32(bytes.substr(0, 8))) throw std::runtime_error("prelude CRC");
  if (whole < 16 || headers > whole - 16) throw std::runtime_error("lengths");
  if (bytes.size() < whole) return false;
  if (number(whole - 4, 4) != bitwise_crc32(bytes.substr(0, whole - 4))) {
    throw std::runtime_error("message CRC");
  }
  message = {};
  std::size_t at = 12;
  while (at < 12 + headers) {
    const std::size_t name = number(at, 1);
    const auto key = std::string(bytes.substr(at + 1, name));
    at += 1 + name;
    if (number(at, 1) != 7) throw std::runtime_error("a header that is no string");
    const std::size_t value = number(at + 1, 2);
    message.headers[key] = std::string(bytes.substr(at + 3, value));
    at += 3 + value;
  }
  if (at != 12 + headers) throw std::runtime_error("headers");
  message.payload = std::string(bytes.substr(at, whole - 4 - at));
  bytes.remove_prefix(whole);
  return true;
}

// Throws unless the bytes are whole messages.
inline std::vector<EventMessage> read_event_messages(std::string_view bytes) {
  std::vector<EventMessage> messages;
  EventMessage message;
  while (take_event_message(bytes, message)) messages.push_back(message);
  if (!bytes.empty()) throw std::runtime_error("half a message");
  return messages;
}

}  // namespace tests
