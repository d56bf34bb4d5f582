#include "runtime_api/error_cause.h"

#include <nlohmann/json.hpp>

namespace runtime_api {
namespace {

using Json = nlohmann::json;

// Never in the middle of a character.
std::string cut(std::string text) {
  if (text.size() <= kMaxCauseText) return text;
  auto end = kMaxCauseText;
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  while (end > 0 && continues(end)) --end;
  text.resize(end);
  return text;
}

std::string text_in(const Json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? cut(found->get<std::string>()) : "";
}

}  // namespace

std::vector<CausingException> read_error_cause(std::string_view json, std::string_view error_type) {
  std::vector<CausingException> found;
  if (json.empty()) return found;
  const auto cause = Json::parse(json, nullptr, false);
  if (!cause.is_object()) return found;
  const auto exceptions = cause.find("exceptions");
  if (exceptions != cause.end() && exceptions->is_array()) {
    for (const auto& exception : *exceptions) {
      if (found.size() == kMaxCausingExceptions) break;
      if (!exception.is_object()) continue;
      found.push_back({text_in(exception, "type"), text_in(exception, "message")});
    }
  }
  auto message = text_in(cause, "message");
  if (found.empty() && !message.empty()) {
    found.push_back({std::string(error_type), std::move(message)});
  }
  return found;
}

}  // namespace runtime_api
