// What a runtime streams and reports behind it, any bytes, on its way to the caller: the trailers,
// and the messages that they become. Each message must be one that its reader accepts, and hold
// what was put in.
#include "emulator/control_plane/invoke_stream.h"
#include "runtime_api/error_trailers.h"
#include "tests/support/event_messages.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using emulator::control_plane::append_invoke_complete;
using emulator::control_plane::append_payload_chunk;

namespace {

void require(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto cut = size == 0 ? 0 : static_cast<std::size_t>(data[0]) % (size + 1);
  const auto type = input.substr(0, cut);
  const auto body = input.substr(cut);
  std::string out;
  append_payload_chunk(out, input);
  if (const auto error = runtime_api::read_error_trailers(type, body)) {
    append_invoke_complete(out,
                           {.error_code = error->error_type,
                            .error_details = error->body,
                            .log_tail = std::string(type)});
  }
  const auto messages = tests::read_event_messages(out);
  require(!messages.empty() && messages[0].payload == input);
  require((messages.size() == 2) == !type.empty());
  return 0;
}
