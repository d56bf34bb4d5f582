// Messages of the format application/vnd.amazon.eventstream, in which AWS sends streams of events.
//
//   4 bytes  length of the whole message      | the prelude, big-endian
//   4 bytes  length of the headers            |
//   4 bytes  CRC-32 of the eight bytes before
//            headers: 1 byte length of the name, name, 1 byte 7 (a string), 2 bytes length, value
//            payload
//   4 bytes  CRC-32 of all before
//
// Source: Smithy's specification of the format; a stream recorded from the service, 2023.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace emulator::front_doors {

inline constexpr const char* kEventStreamType = "application/vnd.amazon.eventstream";

// The longest payload of a message. Source: the limit that AWS's own decoders keep, 16 MiB.
inline constexpr std::size_t kMaxEventPayloadBytes = std::size_t{16} * 1024 * 1024;

// Names have 1 to 255 bytes, values 65,535 at most; both are known when the program is written.
struct EventStreamHeader {
  std::string_view name;
  std::string_view value;
};

// Appends one message to `out`. `payload` has kMaxEventPayloadBytes at most.
void append_event_message(std::string& out,
                          std::initializer_list<EventStreamHeader> headers,
                          std::string_view payload);

// CRC-32 as in zlib, of what `before` is the CRC of and then `bytes`.
std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0);

}  // namespace emulator::front_doors
