#include "runtime_api/extension_routes.h"

#include "runtime_api/error_type.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <vector>

namespace runtime_api {
namespace {

constexpr std::string_view kExtension = "/2020-01-01/extension/";
constexpr const char* kIdentifierHeader = "Lambda-Extension-Identifier";

// Bodies of error reports are not looked into, only taken from the connection.
constexpr std::uint64_t kNothing = 0;

RuntimeReply forbidden(std::string_view type, const std::string& message) {
  return error_reply(403, type, message);
}

RuntimeReply bad_transition(ExtensionState from, ExtensionState to, const std::string& who) {
  std::string message = "State transition from ";
  message.append(printed_name(from)).append(" to ").append(printed_name(to));
  message.append(" failed for extension ").append(who);
  message += ". Error: State transition is not allowed";
  return forbidden("Extension.InvalidExtensionState", message);
}

// ---- Registration: parse, then a value.

struct RegistrationBody {
  std::vector<std::string> events;
  bool has_configuration_keys = false;
};

tl::expected<RegistrationBody, std::string> parse_registration(const std::string& text) {
  // The published emulator's text, which clients print.
  if (text.empty()) return tl::unexpected(std::string("unexpected end of JSON input"));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    return tl::unexpected(std::string("the body is not JSON; send {\"events\":[\"INVOKE\"]}"));
  }
  RegistrationBody body;
  if (json.is_null()) return body;
  if (!json.is_object()) {
    return tl::unexpected(
        std::string("the body is no JSON object; send {\"events\":[\"INVOKE\"]}"));
  }
  if (const auto events = json.find("events"); events != json.end() && !events->is_null()) {
    if (!events->is_array()) {
      return tl::unexpected(std::string("\"events\" is no list; send [\"INVOKE\",\"SHUTDOWN\"]"));
    }
    for (const auto& event : *events) {
      if (!event.is_string()) {
        return tl::unexpected(
            std::string("\"events\" holds something other than the name of an event"));
      }
      body.events.push_back(event.get<std::string>());
    }
  }
  if (const auto keys = json.find("configurationKeys"); keys != json.end()) {
    body.has_configuration_keys = !keys->is_null() && !keys->empty();
  }
  return body;
}

// The subscription, or the text of the first event that cannot be subscribed to. On Managed
// Instances nobody is told of invocations: developer guide; that they call INVOKE an event they do
// not know is INF.
tl::expected<EventSubscription, std::string> subscription_of(const std::vector<std::string>& events,
                                                             const ExtensionHub& hub,
                                                             ExtensionKind kind) {
  EventSubscription subscription;
  for (const auto& event : events) {
    if (event == "INVOKE" && hub.offers_invoke()) {
      subscription.invoke = true;
    } else if (event != "SHUTDOWN") {
      return tl::unexpected(event + ": ErrorInvalidEventType");
    } else if (kind == ExtensionKind::internal) {
      return tl::unexpected(event + ": ShutdownEventNotSupportedForInternalExtension");
    } else {
      subscription.shutdown = true;
    }
  }
  return subscription;
}

// Whether a comma-separated list of features holds one; unknown ones are ignored.
bool accepts(std::string_view list, std::string_view feature) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    auto item = list.substr(0, comma);
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!item.empty() && is_space(item.front())) item.remove_prefix(1);
    while (!item.empty() && is_space(item.back())) item.remove_suffix(1);
    if (item == feature) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

RuntimeReply refused(const RegistrationRefused& refusal, const std::string& name) {
  using Reason = RegistrationRefused::Reason;
  switch (refusal.reason) {
    case Reason::closed:
      return forbidden("Extension.RegistrationClosed", "Extension registration closed already");
    case Reason::name_taken:
      return forbidden("Extension.InvalidExtensionState",
                       "Extension with this name already registered");
    case Reason::too_many:
      return forbidden("Extension.TooManyExtensions",
                       "Extension limit (" + std::to_string(kMaxExtensions) + ") reached");
    case Reason::invalid_transition:
      break;
  }
  return bad_transition(refusal.from, ExtensionState::registered, name);
}

// ---- Who calls.

// 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

tl::expected<std::string, RuntimeReply> identifier_in(const std::optional<std::string>& header) {
  if (!header || header->empty()) {
    return tl::unexpected(forbidden("Extension.MissingExtensionIdentifier",
                                    std::string("Missing ") + kIdentifierHeader + " header"));
  }
  if (!is_uuid(*header)) {
    return tl::unexpected(forbidden("Extension.InvalidExtensionIdentifier",
                                    std::string("Invalid ") + kIdentifierHeader));
  }
  auto identifier = *header;
  std::transform(identifier.begin(), identifier.end(), identifier.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return identifier;
}

std::optional<ExtensionCall> parse_extension_call(std::string_view method, std::string_view path) {
  if (!path.starts_with(kExtension)) return std::nullopt;
  const auto only = [method](std::string_view allowed, ExtensionCall call) -> ExtensionCall {
    if (method == allowed) return call;
    return WrongMethod{std::string(allowed)};
  };
  const auto rest = path.substr(kExtension.size());
  if (rest == "register") return only("POST", RegisterCall{});
  if (rest == "event/next") return only("GET", NextEventCall{});
  if (rest == "init/error") return only("POST", ExtensionErrorCall{ExtensionErrorPhase::init});
  if (rest == "exit/error") return only("POST", ExtensionErrorCall{ExtensionErrorPhase::exit});
  return std::nullopt;
}

RuntimeReply answer_register(ExtensionHub& hub, const ExtensionRequest& request) {
  auto body = request.read_body(kMaxRegistrationBytes);
  if (body.end == PostedRequest::Body::End::broken) return session_over_reply();
  if (request.name.empty()) {
    return forbidden("Extension.InvalidExtensionName", "Empty extension name");
  }
  if (request.name.size() > kMaxExtensionNameBytes) {
    return forbidden(
        "Extension.InvalidExtensionName",
        "Extension name longer than " + std::to_string(kMaxExtensionNameBytes) + " bytes");
  }
  if (body.size_bytes > kMaxRegistrationBytes) {
    return forbidden("InvalidRequestFormat",
                     "the body is larger than " + std::to_string(kMaxRegistrationBytes) + " bytes");
  }
  const auto parsed = parse_registration(body.bytes);
  if (!parsed) return forbidden("InvalidRequestFormat", parsed.error());
  if (parsed->has_configuration_keys) {
    return forbidden("InvalidRequestFormat",
                     "configurationKeys are deprecated; use environment variables instead");
  }
  const auto events = subscription_of(parsed->events, hub, hub.kind_of(request.name));
  if (!events) return forbidden("Extension.InvalidEventType", events.error());
  const auto identifier = hub.register_extension(request.name, *events);
  if (!identifier) return refused(identifier.error(), request.name);

  const auto& function = hub.function();
  nlohmann::ordered_json identity = {{"functionName", function.name},
                                     {"functionVersion", function.version},
                                     {"handler", function.handler}};
  if (function.account_id && accepts(request.accepted_features, "accountId")) {
    identity["accountId"] = *function.account_id;
  }
  auto reply = json_reply(200, identity);
  reply.headers.emplace_back(kIdentifierHeader, *identifier);
  return reply;
}

RuntimeReply answer_next_event(ExtensionHub& hub,
                               const ExtensionRequest& request,
                               const std::function<bool()>& connected) {
  const auto identifier = identifier_in(request.identifier);
  if (!identifier) return identifier.error();
  auto taken = hub.take(*identifier, connected);
  if (const auto* refusal = std::get_if<ExtensionRefused>(&taken)) {
    if (refusal->reason == ExtensionRefused::Reason::unknown_identifier) {
      return forbidden("Extension.UnknownExtensionIdentifier", "Unknown extension " + *identifier);
    }
    return bad_transition(refusal->from, ExtensionState::ready, *identifier);
  }
  const auto* event = std::get_if<GivenEvent>(&taken);
  if (event == nullptr) return session_over_reply();
  RuntimeReply reply;
  reply.content_type = kJsonType;
  reply.headers.emplace_back("Lambda-Extension-Event-Identifier", event->identifier);
  reply.body = *event->text;
  return reply;
}

RuntimeReply answer_extension_error(ExtensionHub& hub,
                                    const ExtensionErrorCall& call,
                                    const ExtensionRequest& request) {
  if (request.read_body(kNothing).end == PostedRequest::Body::End::broken) {
    return session_over_reply();
  }
  const auto identifier = identifier_in(request.identifier);
  if (!identifier) return identifier.error();
  if (request.error_type.empty()) {
    return forbidden("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
  }
  const bool init = call.phase == ExtensionErrorPhase::init;
  const auto type = safe_extension_error_type(request.error_type,
                                              init ? "Extension.InitError" : "Extension.ExitError");
  const auto reported = hub.report_error(*identifier, call.phase, type);
  if (reported) return accepted_reply();
  if (reported.error().reason == ExtensionRefused::Reason::unknown_identifier) {
    return forbidden("Extension.UnknownExtensionIdentifier",
                     std::string("Unknown ") + kIdentifierHeader);
  }
  const auto wanted = init ? ExtensionState::init_error : ExtensionState::exit_error;
  return bad_transition(reported.error().from, wanted, *identifier);
}

}  // namespace runtime_api
