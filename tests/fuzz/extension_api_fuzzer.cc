// Feeds strangers' bytes to the Extensions API: the first lines of the input are the method, the
// path, the name, the features and the identifier; the rest is the body. Whatever they are, the
// answer is one that the API has, its body is JSON, and only who registered is known afterwards.

#include "runtime_api/extension_routes.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace runtime_api;

std::string take_line(std::string_view& input) {
  const auto end = input.find('\n');
  const std::string line(input.substr(0, end));
  input = end == std::string_view::npos ? std::string_view{} : input.substr(end + 1);
  return line;
}

void require(bool condition) {
  if (!condition) std::abort();
}

ExtensionHub::Terms terms(int& identifiers) {
  return {
      .function = {.name = "f", .version = "$LATEST", .handler = "h", .account_id = "123456789012"},
      .launched = {"ext"},
      .new_identifier = [&identifiers] {
        const auto digits = std::to_string(++identifiers);
        return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
      }};
}

RuntimeReply answer(ExtensionHub& hub, const ExtensionCall& call, const ExtensionRequest& request) {
  if (std::holds_alternative<RegisterCall>(call)) return answer_register(hub, request);
  if (std::holds_alternative<NextEventCall>(call)) {
    // It would wait for an event, and nobody gives one.
    hub.end();
    return answer_next_event(hub, request, [] { return true; });
  }
  if (const auto* error = std::get_if<ExtensionErrorCall>(&call)) {
    return answer_extension_error(hub, *error, request);
  }
  return answer_simple(std::get<WrongMethod>(call));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  int identifiers = 0;
  ExtensionHub hub(terms(identifiers),
                   {.settled = [](std::string_view) {},
                    .reported = [](const std::string&, ExtensionErrorPhase) {}});
  const auto method = take_line(input);
  const auto path = take_line(input);
  ExtensionRequest request;
  request.name = take_line(input);
  request.accepted_features = take_line(input);
  request.identifier = take_line(input);
  request.error_type = request.accepted_features;
  request.read_body = [input](std::uint64_t max_bytes) {
    PostedRequest::Body body;
    body.bytes = input.substr(0, max_bytes);
    body.size_bytes = input.size();
    return body;
  };
  const auto call = parse_extension_call(method, path);
  if (!call) return 0;
  const auto reply = answer(hub, *call, request);
  const auto status = reply.status;
  require(status == 200 || status == 202 || status == 403 || status == 405 || status == 500);
  require(status == 405 || nlohmann::json::accept(reply.body));
  const auto census = hub.census();
  const bool registered = status == 200 && std::holds_alternative<RegisterCall>(*call);
  require(census.external + census.internal == (registered ? 1U : 0U));
  return 0;
}
