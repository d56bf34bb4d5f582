#include "runtime_api/telemetry_routes.h"

#include "runtime_api/extension_routes.h"

#include <utility>

namespace runtime_api {
namespace {

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
  const auto caller = identifier_in(identifier);
  if (!caller) return caller.error();
  const auto name = desk.extension_name(*caller);
  if (!name) {
    return error_reply(403, "Extension.UnknownExtensionIdentifier", "Unknown extension " + *caller);
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
