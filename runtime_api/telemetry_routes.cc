#include "runtime_api/telemetry_routes.h"

#include <cctype>
#include <utility>

namespace runtime_api {
namespace {

bool is_uuid(std::string_view text) {
  constexpr std::size_t kLength = 36;
  if (text.size() != kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) {
      return false;
    }
  }
  return true;
}

std::string_view validation_error(TelemetryApi api) {
  return api == TelemetryApi::logs ? "Logs.ValidationError" : "ValidationError";
}

RuntimeReply closed(TelemetryApi api) {
  if (api == TelemetryApi::logs) {
    return error_reply(403, "Logs.SubscriptionClosed", "Logs API subscription is closed already");
  }
  return error_reply(403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed");
}

RuntimeReply refused(TelemetryApi api, const SubscriptionRefused& refusal) {
  using Reason = SubscriptionRefused::Reason;
  switch (refusal.reason) {
    case Reason::closed:
      return closed(api);
    case Reason::conflict:
      return error_reply(400, validation_error(api), refusal.message);
    case Reason::unreachable:
      return error_reply(400, validation_error(api), "Invalid destination: " + refusal.message);
    case Reason::failed:
      break;
  }
  return error_reply(500, "InternalServerError", refusal.message);
}

}  // namespace

RuntimeReply answer_subscribe(TelemetryApi api,
                              const std::optional<std::string>& identifier,
                              const PostedRequest& posted,
                              const SubscriptionDesk& desk) {
  if (!identifier || identifier->empty()) {
    return error_reply(
        403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
  }
  if (!is_uuid(*identifier)) {
    return error_reply(
        403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
  }
  const auto name = desk.extension_name(*identifier);
  if (!name) {
    return error_reply(
        403, "Extension.UnknownExtensionIdentifier", "Unknown extension " + *identifier);
  }
  const auto body = posted.read_body(kMaxSubscriptionBytes);
  if (!desk.open()) return closed(api);
  if (body.end == PostedRequest::Body::End::broken) {
    return error_reply(400, validation_error(api), "failed to parse JSON: the body broke off");
  }
  if (body.size_bytes > kMaxSubscriptionBytes) {
    return error_reply(413,
                       "RequestEntityTooLarge",
                       "Exceeded maximum allowed payload size (" +
                           std::to_string(kMaxSubscriptionBytes) + " bytes).");
  }
  const auto subscription = parse_subscription(api, body.bytes);
  if (!subscription) {
    return error_reply(400, validation_error(api), subscription.error().message);
  }
  if (const auto taken = desk.subscribe(*name, *subscription); !taken) {
    return refused(api, taken.error());
  }
  RuntimeReply reply;
  reply.content_type = kJsonType;
  reply.body = "\"OK\"";
  return reply;
}

}  // namespace runtime_api
