#include "runtime_api/restore_routes.h"

#include "runtime_api/error_type.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace runtime_api {

std::optional<RestoreCall> parse_restore_call(std::string_view method, std::string_view path) {
  const auto only = [method](std::string_view allowed, RestoreCall call) -> RestoreCall {
    if (method == allowed) return call;
    return WrongMethod{std::string(allowed)};
  };
  if (path == "/2018-06-01/runtime/restore/next") return only("GET", RestoreNextCall{});
  if (path == "/2018-06-01/runtime/restore/error") return only("POST", RestoreErrorCall{});
  if (path == kCredentialsPath) return only("GET", CredentialsCall{});
  return std::nullopt;
}

RuntimeReply answer_restore_next(Session& session, const std::function<bool()>& connected) {
  const auto taken = session.take_restore(connected);
  if (const auto* refusal = std::get_if<CallRefused>(&taken)) {
    return refused_reply(*refusal, RuntimeState::restore_ready);
  }
  if (!std::holds_alternative<Restored>(taken)) return session_over_reply();
  RuntimeReply reply;
  reply.content_type = kJsonType;
  return reply;
}

RuntimeReply answer_restore_error(Session& session, const PostedRequest& posted) {
  auto body = posted.read_body(kMaxErrorBytes);
  // Half a report is none: how the process ends says more.
  if (body.end == PostedRequest::Body::End::broken) return session_over_reply();
  RestoreError error{safe_error_type(posted.error_type), std::move(body.bytes)};
  if (const auto reported = session.report_restore_error(std::move(error)); !reported) {
    return refused_reply(reported.error(), RuntimeState::restore_error);
  }
  return accepted_reply();
}

RuntimeReply answer_credentials(const RestoreDesk& desk, std::string_view authorization) {
  RuntimeReply reply;
  if (desk.authorization_token.empty() || authorization != desk.authorization_token) {
    reply.status = 404;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = "cannot get credentials for the provided token\n";
    return reply;
  }
  // Not as json_reply() writes it: there is no newline, and a token may well have a '&'.
  const nlohmann::ordered_json document = {{"AccessKeyId", desk.credentials.access_key_id},
                                           {"SecretAccessKey", desk.credentials.secret_access_key},
                                           {"Token", desk.credentials.session_token},
                                           {"Expiration", desk.expiration()}};
  reply.content_type = kJsonType;
  reply.body = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return reply;
}

}  // namespace runtime_api
