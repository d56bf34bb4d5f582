// The routes that only environments of SnapStart have: where a runtime waits to be restored from
// its snapshot, where it reports that its hooks failed, and where SDKs fetch the credentials that
// such an environment does not have among its variables, because they would outlive their validity
// in a snapshot. Elsewhere these paths are unknown.
//
// Sources: the runtime clients for Java and Python for the contract; the emulator that AWS
// publishes for the credentials' path, members and refusal.
//
// Parsing is pure; the calls act on a Session and know no HTTP library. Any thread.
#pragma once

#include "runtime_api/reply.h"
#include "runtime_api/runtime_routes.h"
#include "runtime_api/session.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace runtime_api {

inline constexpr std::string_view kCredentialsPath = "/2021-04-23/credentials";

// What a provider of container credentials is given, by the names of AWS's SDKs.
struct ContainerCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
};

// What an environment of SnapStart answers these calls with.
struct RestoreDesk {
  // Whose runtime is restored; must outlive the listener. A server that is made for a session fills
  // it in.
  Session* session = nullptr;
  std::string authorization_token;  // which whoever asks for credentials sends, as it is
  ContainerCredentials credentials;
  std::function<std::string()> expiration;  // asked at each call: 2025-07-17T17:36:24.304Z
};

struct RestoreNextCall {};
struct RestoreErrorCall {};
struct CredentialsCall {};
using RestoreCall = std::variant<RestoreNextCall, RestoreErrorCall, CredentialsCall, WrongMethod>;

// Nothing for every other path.
std::optional<RestoreCall> parse_restore_call(std::string_view method, std::string_view path);

// Blocks until the runtime is restored: 200 and no body.
RuntimeReply answer_restore_next(Session& session, const std::function<bool()>& connected);
RuntimeReply answer_restore_error(Session& session, const PostedRequest& posted);

// `authorization` is the header of that name, empty when absent.
RuntimeReply answer_credentials(const RestoreDesk& desk, std::string_view authorization);

}  // namespace runtime_api
