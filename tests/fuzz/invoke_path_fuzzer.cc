// Feeds strangers' bytes to everything that reads a request of the two front doors: targets,
// headers, queries, base64, JSON. The first line of the input is the target, the second the client
// context, the third the tenant id, the fourth the request id; the rest is the body.

#include "emulator/control_plane/invoke_api.h"
#include "emulator/front_doors/content_sniffing.h"
#include "emulator/front_doors/request_target.h"
#include "emulator/front_doors/rie_front_door.h"
#include "emulator/functions/base64.h"
#include "emulator/invoke/json_syntax.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

std::string_view take_line(std::string_view& input) {
  const auto end = input.find('\n');
  const auto line = input.substr(0, end);
  input = end == std::string_view::npos ? std::string_view{} : input.substr(end + 1);
  return line;
}

void require(bool condition) {
  if (!condition) std::abort();
}

// What the JSON library calls a document is one here too, and the other way round, but for three
// differences on purpose: depth, numbers too large for a double, and a NUL as the end.
void compare_json(std::string_view body) {
  if (body.find('\0') != std::string_view::npos) return;
  const bool ours = !emulator::invoke::find_json_fault(body);
  const auto theirs = nlohmann::json::accept(body);
  if (ours == theirs) return;
  const bool number_too_large = ours && body.find_first_of("0123456789") != std::string_view::npos;
  const bool too_deep = theirs && body.size() > emulator::invoke::kMaxJsonDepth;
  require(number_too_large || too_deep);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace emulator;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  front_doors::Request request;
  request.method = "POST";
  request.target = take_line(input);
  request.headers = {{"X-Amz-Client-Context", take_line(input)},
                     {"X-Amz-Tenant-Id", take_line(input)},
                     {"x-amzn-RequestId", take_line(input)}};
  request.body = input;

  compare_json(request.body);
  require(!front_doors::sniffed_content_type(request.body).empty());
  if (const auto bytes = functions::base64_decoded(request.headers[0].second)) {
    require(functions::base64_decoded(functions::base64_encoded(*bytes)) == bytes);
  }
  const auto clean = front_doors::cleaned_path(request.target);
  require(front_doors::cleaned_path(clean) == clean);
  if (!front_doors::is_rie_invocation(request)) front_doors::rie_path_reply(request);
  (void)front_doors::parse_rie_request(request, "id", "f");

  if (const auto route = control_plane::match_invoke_route(request)) {
    const auto call = control_plane::parse_invoke(request, *route, "id");
    if (!call) control_plane::error_reply(call.error(), "id");
  }
  // The same request on a path that is certain to be an Invoke.
  const std::string target = "/2015-03-31/functions/f/invocations?" + std::string(request.target);
  request.target = target;
  const auto route = control_plane::match_invoke_route(request);
  require(route.has_value());
  (void)control_plane::parse_invoke(request, *route, "id");
  return 0;
}
