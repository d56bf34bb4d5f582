// Paths, methods, headers and bodies as a hostile runtime may send them.
#include "runtime_api/error_type.h"
#include "runtime_api/runtime_routes.h"
#include "runtime_api/session.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace {

// Cuts the next piece off, up to a newline.
std::string piece(std::string_view& input) {
  const auto end = input.find('\n');
  std::string result(input.substr(0, end));
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runtime_api;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto method = piece(input);
  const auto path = piece(input);
  PostedRequest posted;
  posted.content_type = piece(input);
  posted.error_type = piece(input);
  posted.response_mode = piece(input);
  posted.read_body = [input](std::uint64_t max_bytes) {
    return PostedRequest::Body{.bytes = std::string(input.substr(0, max_bytes)),
                               .size_bytes = input.size()};
  };

  const auto safe = safe_error_type(posted.error_type);
  if (safe.find('.') == std::string::npos) std::abort();

  Session session([](std::string_view) {});
  const auto call = parse_call(method, path);
  RuntimeReply reply;
  if (const auto* response = std::get_if<ResponseCall>(&call)) {
    reply = answer_response(session, *response, posted);
  } else if (const auto* error = std::get_if<ErrorCall>(&call)) {
    reply = answer_error(session, *error, posted);
  } else if (std::holds_alternative<InitErrorCall>(call)) {
    reply = answer_init_error(session, posted);
  } else if (!std::holds_alternative<NextCall>(call)) {
    reply = answer_simple(call);
  }
  // Without an invocation no answer to one may be accepted.
  const bool answers =
      std::holds_alternative<ResponseCall>(call) || std::holds_alternative<ErrorCall>(call);
  if (answers && reply.status != 400) std::abort();
  return 0;
}
