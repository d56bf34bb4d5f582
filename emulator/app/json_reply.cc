#include "emulator/app/json_reply.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace emulator::app {

using front_doors::Reply;
using front_doors::Request;
using Json = nlohmann::ordered_json;

Reply json_reply(int status, const Json& body) {
  Reply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return reply;
}

Reply message_reply(int status, const std::string& sentence) {
  return json_reply(status, {{"message", sentence}});
}

std::string_view path_of(const Request& request) {
  return request.target.substr(0, request.target.find('?'));
}

std::optional<std::string> query_value(const Request& request, std::string_view name) {
  const auto mark = request.target.find('?');
  auto rest = mark == std::string_view::npos ? std::string_view{} : request.target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const auto pair = rest.substr(0, end);
    if (pair.substr(0, pair.find('=')) == name && pair.size() > name.size()) {
      return std::string(pair.substr(name.size() + 1));
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

tl::expected<std::size_t, Reply> limit_of(const Request& request, std::size_t otherwise) {
  const auto text = query_value(request, "limit");
  if (!text) return otherwise;
  std::size_t limit = 0;
  const auto* end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, limit);
  if (error == std::errc{} && at == end) return limit;
  return tl::unexpected(message_reply(400, "limit must be a number, not '" + *text + "'"));
}

}  // namespace emulator::app
