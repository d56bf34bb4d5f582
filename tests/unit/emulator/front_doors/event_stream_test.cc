#include "emulator/front_doors/event_stream.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::front_doors;

namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.append({kDigits[byte >> 4U], kDigits[byte & 15U]});
  }
  return text;
}

}  // namespace

TEST_CASE("the checksum is CRC-32, and of parts what it is of the whole", "[event_stream]") {
  CHECK(crc32("") == 0);
  CHECK(crc32("123456789") == 0xCBF43926);
  CHECK(crc32("The quick brown fox jumps over the lazy dog") == 0x414FA339);
  const std::string whole(1000, 'z');
  for (std::size_t cut = 0; cut < 20; ++cut) {
    CHECK(crc32(whole.substr(cut), crc32(whole.substr(0, cut))) == crc32(whole));
  }
}

// The bytes are the service's own, recorded.
TEST_CASE("messages are byte for byte what the service sends", "[event_stream]") {
  std::string messages;
  append_event_message(messages,
                       {{":event-type", "PayloadChunk"},
                        {":content-type", "application/octet-stream"},
                        {":message-type", "event"}},
                       "from Lambda!");
  CHECK(hex(messages) ==
        "000000760000005a980e72ec0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e"
        "74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167"
        "652d747970650700056576656e7466726f6d204c616d62646121fe88eff4");
  messages.clear();
  append_event_message(messages,
                       {{":event-type", "InvokeComplete"},
                        {":content-type", "application/json"},
                        {":message-type", "event"}},
                       "{}");
  CHECK(hex(messages) ==
        "00000066000000541f56c8690b3a6576656e742d7479706507000e496e766f6b65436f6d706c6574650d3a63"
        "6f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065"
        "0700056576656e747b7d7006d467");
}

TEST_CASE("a message is appended to what is there, and its checksum is of itself alone",
          "[event_stream]") {
  std::string one;
  append_event_message(one, {{"a", "b"}}, "payload");
  auto two = one;
  append_event_message(two, {{"a", "b"}}, "payload");
  CHECK(two == one + one);
  std::string bare;
  append_event_message(bare, {}, "");
  CHECK(bare.size() == 16);
}
