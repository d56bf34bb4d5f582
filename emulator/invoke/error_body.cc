#include "emulator/invoke/error_body.h"

#include <nlohmann/json.hpp>

#include <variant>

namespace emulator::invoke {
namespace {

// Bytes that are not UTF-8 become the replacement character, so this does not throw.
std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string typed(std::string_view type, std::string_view message) {
  std::string body = R"({"errorType":)";
  return body.append(json_string(type))
      .append(R"(,"errorMessage":)")
      .append(json_string(message))
      .append("}");
}

std::string typed_with_id(std::string_view type, std::string_view id, std::string_view what) {
  std::string message = "RequestId: ";
  message.append(id).append(" Error: ").append(what);
  return typed(type, message);
}

struct Rendering {
  std::string_view request_id;
  Profile profile;
  std::string_view type;

  bool rie() const { return profile == Profile::rie; }

  std::string operator()(const environment::Responded&) const { return {}; }

  std::string operator()(const environment::FunctionError& error) const { return error.body; }

  std::string operator()(const environment::TimedOut& timed_out) const {
    if (rie()) return describe(timed_out);
    return typed_with_id(type, request_id, describe(timed_out));
  }

  std::string operator()(const environment::RuntimeExited& exited) const {
    if (rie() && exited.phase == environment::FailurePhase::init) return {};
    return typed_with_id(type, request_id, describe(exited));
  }

  std::string operator()(const environment::OutOfMemory& out) const {
    if (rie() && out.phase == environment::FailurePhase::init) return {};
    return typed_with_id(type, request_id, describe(out));
  }

  std::string operator()(const environment::ResponseTooLarge& response) const {
    std::string message = "Response payload size ";
    if (rie()) message.append("(" + std::to_string(response.size_bytes) + " bytes) ");
    message.append("exceeded maximum allowed payload size (");
    message.append(std::to_string(response.limit_bytes)).append(" bytes).");
    if (rie()) return typed(type, message);
    return R"({"errorMessage":)" + json_string(message) + R"(,"errorType":)" + json_string(type) +
           "}";
  }

  std::string operator()(const environment::ResponseTruncated&) const {
    return typed_with_id(
        type, request_id, "The runtime's response was cut off before its announced end");
  }

  std::string operator()(const environment::NeverStarted& never) const {
    if (rie()) return {};
    return typed_with_id(type, request_id, never.reason);
  }

  std::string operator()(const environment::ExtensionFailed& failed) const {
    if (rie() && failed.phase == environment::FailurePhase::init) return {};
    return typed_with_id(type, request_id, describe(failed));
  }

  std::string operator()(const environment::RestoreFailed& failed) const {
    return typed_with_id(type, request_id, failed.reason);
  }
};

}  // namespace

std::string error_body(const environment::Outcome& outcome,
                       std::string_view request_id,
                       Profile profile) {
  return std::visit(Rendering{request_id, profile, environment::error_type(outcome)}, outcome);
}

std::string error_message_in(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (!document.is_object()) return body;
  const auto message = document.find("errorMessage");
  return message != document.end() && message->is_string() ? message->get<std::string>() : body;
}

}  // namespace emulator::invoke
