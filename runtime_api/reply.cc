#include "runtime_api/reply.h"

#include <nlohmann/json.hpp>

namespace runtime_api {
namespace {

// Go's encoder, whose output clients have seen so far, escapes these three in every string.
std::string escape_html(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

RuntimeReply json_reply(int status, const nlohmann::ordered_json& body) {
  RuntimeReply reply;
  reply.status = status;
  reply.content_type = kJsonType;
  reply.body =
      escape_html(body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
      "\n";
  return reply;
}

RuntimeReply error_reply(int status, std::string_view type, const std::string& message) {
  return json_reply(status, {{"errorMessage", message}, {"errorType", type}});
}

RuntimeReply accepted_reply() {
  RuntimeReply reply;
  reply.status = 202;
  reply.content_type = kJsonType;
  reply.body = "{\"status\":\"OK\"}\n";
  return reply;
}

RuntimeReply session_over_reply() {
  return error_reply(500, "InternalServerError", "Internal Server Error");
}

}  // namespace runtime_api
