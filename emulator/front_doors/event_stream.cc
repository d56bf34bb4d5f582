#include "emulator/front_doors/event_stream.h"

#include <array>
#include <cassert>

namespace emulator::front_doors {
namespace {

constexpr char kStringValue = 7;
constexpr std::size_t kPreludeBytes = 8;
constexpr std::size_t kCrcBytes = 4;

// Eight tables, so that eight bytes are taken at a time: table n holds the CRC of a byte that n
// zero bytes follow.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  constexpr std::uint32_t kPolynomial = 0xEDB88320;  // of CRC-32, reflected
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    auto crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t n = 1; n < tables.size(); ++n) {
      const auto shorter = tables[n - 1][byte];
      tables[n][byte] = (shorter >> 8U) ^ tables[0][shorter & 0xFFU];
    }
  }
  return tables;
}

constexpr auto kCrcTables = make_crc_tables();

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint32_t little_endian_at(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8U | byte_at(bytes, at + 2) << 16U |
         byte_at(bytes, at + 3) << 24U;
}

void append_big_endian(std::string& out, std::uint32_t value) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(value >> shift & 0xFFU);
}

std::size_t size_of(std::initializer_list<EventStreamHeader> headers) {
  std::size_t size = 0;
  for (const auto& [name, value] : headers) size += 1 + name.size() + 1 + 2 + value.size();
  return size;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t before) {
  auto crc = ~before;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    const auto low = crc ^ little_endian_at(bytes, 0);
    const auto high = little_endian_at(bytes, 4);
    crc = kCrcTables[7][low & 0xFFU] ^ kCrcTables[6][low >> 8U & 0xFFU] ^
          kCrcTables[5][low >> 16U & 0xFFU] ^ kCrcTables[4][low >> 24U] ^
          kCrcTables[3][high & 0xFFU] ^ kCrcTables[2][high >> 8U & 0xFFU] ^
          kCrcTables[1][high >> 16U & 0xFFU] ^ kCrcTables[0][high >> 24U];
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    crc = (crc >> 8U) ^ kCrcTables[0][(crc ^ byte_at(bytes, at)) & 0xFFU];
  }
  return ~crc;
}

void append_event_message(std::string& out,
                          std::initializer_list<EventStreamHeader> headers,
                          std::string_view payload) {
  assert(payload.size() <= kMaxEventPayloadBytes);
  const auto header_bytes = size_of(headers);
  const auto whole = kPreludeBytes + kCrcBytes + header_bytes + payload.size() + kCrcBytes;
  const auto begin = out.size();
  const auto written = [&] { return std::string_view(out).substr(begin); };
  out.reserve(begin + whole);
  append_big_endian(out, static_cast<std::uint32_t>(whole));
  append_big_endian(out, static_cast<std::uint32_t>(header_bytes));
  append_big_endian(out, crc32(written()));
  for (const auto& [name, value] : headers) {
    assert(!name.empty() && name.size() <= 0xFF && value.size() <= 0xFFFF);
    out += static_cast<char>(name.size());
    out.append(name);
    out += kStringValue;
    out += static_cast<char>(value.size() >> 8U);
    out += static_cast<char>(value.size() & 0xFFU);
    out.append(value);
  }
  out.append(payload);
  append_big_endian(out, crc32(written()));
}

}  // namespace emulator::front_doors
