// Streams {"pieces":N,"bytes":B}: N pieces of B bytes each, every one sent when it is made, as
// {"statusCode":200,…} and its body where {"http":true} asks for that. {"error":"text"} fails
// behind the pieces, or before any if there are none. {"stamp":true} puts a piece "sent=T" before
// them, T being the nanoseconds of the monotonic clock when it was sent.
#include "handlers/runtime_client/runtime_client.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargestPiece = std::size_t{16} * 1024 * 1024;

std::size_t number(const Json& event, const char* member, std::size_t otherwise) {
  const auto found = event.find(member);
  return found != event.end() && found->is_number_unsigned() ? found->get<std::size_t>()
                                                             : otherwise;
}

void stream(const runtime_client::Invocation& invocation, runtime_client::ResponseStream& out) {
  const auto event = Json::parse(invocation.payload, nullptr, false);
  if (!event.is_object()) throw std::invalid_argument("the event must be a JSON object");
  const auto pieces = number(event, "pieces", 3);
  const auto bytes = number(event, "bytes", 8);
  if (bytes > kLargestPiece) throw std::invalid_argument("a piece has 16777216 bytes at most");
  out.set_content_type("text/plain");
  if (event.value("http", false)) {
    out.set_http_metadata(R"({"statusCode":200,"headers":{"Content-Type":"text/plain"}})");
  }
  if (event.value("stamp", false)) {
    const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
    out.write("sent=" + std::to_string(now.count()) + "\n");
  }
  std::string piece(bytes, '\n');
  for (std::size_t at = 0; at < pieces; ++at) {
    const auto label = std::to_string(at);
    piece.replace(0, std::min(label.size(), bytes), label, 0, std::min(label.size(), bytes));
    if (out.write(piece) == runtime_client::ResponseStream::Wanted::no_more) return;
  }
  if (event.contains("error")) throw std::runtime_error(event["error"].dump());
}

}  // namespace

int main() { return runtime_client::run_streaming(stream); }
