// Feeds strangers' bytes to the calls that only environments of SnapStart have. The first lines of
// the input are how far the runtime is, the method, the path, the error's type, the token and
// whether the body breaks off; the rest is the body. A restore fails only by a report that is whole
// and comes from a runtime that was told of it; the credentials are for who has the token.

#include "runtime_api/restore_routes.h"
#include "runtime_api/runtime_routes.h"
#include "runtime_api/session.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace runtime_api;

constexpr auto kNever = Session::TimePoint::max();
constexpr auto kPassed = Session::TimePoint::min();
constexpr const char* kToken = "token";

std::string take_line(std::string_view& input) {
  const auto end = input.find('\n');
  std::string line(input.substr(0, end));
  input = end == std::string_view::npos ? std::string_view{} : input.substr(end + 1);
  return line;
}

void require(bool condition) {
  if (!condition) std::abort();
}

// The call for a restore parks until there is one, so it takes a thread.
void bring_to_restore(Session& session) {
  std::thread runtime(
      [&] { require(answer_restore_next(session, [] { return true; }).status == 200); });
  require(std::holds_alternative<RuntimeReady>(session.await_init(kNever)));
  require(std::holds_alternative<DeadlinePassed>(session.restore(kPassed)));
  runtime.join();
  require(session.state() == RuntimeState::restoring);
}

void report(Session& session, const PostedRequest& posted, bool by_init_error) {
  const auto before = session.state();
  const auto body = posted.read_body(kMaxErrorBytes);
  const auto reply =
      by_init_error ? answer_init_error(session, posted) : answer_restore_error(session, posted);
  if (body.end == PostedRequest::Body::End::broken) {
    require(session.state() == before);
    return;
  }
  require(nlohmann::json::accept(reply.body));
  if (before != RuntimeState::restoring) {
    require(by_init_error || (reply.status == 403 && session.state() == before));
    return;
  }
  require(reply.status == 202 && session.state() == RuntimeState::restore_error);
  const auto result = session.restore(kPassed);
  const auto* error = std::get_if<RestoreError>(&result);
  require(error != nullptr && error->error_type.find('.') != std::string::npos);
  require(by_init_error || error->body == body.bytes);
  require(answer_restore_error(session, posted).status == 403);
}

void check_call(Session& session,
                const RestoreCall& call,
                const PostedRequest& posted,
                const std::string& authorization) {
  if (std::holds_alternative<RestoreNextCall>(call)) {
    const auto restoring = session.state() == RuntimeState::restoring;
    // It would wait for a restore, and nobody makes one.
    if (!restoring) session.end();
    const auto reply = answer_restore_next(session, [] { return true; });
    require(reply.status != 200 && nlohmann::json::accept(reply.body));
  } else if (std::holds_alternative<RestoreErrorCall>(call)) {
    report(session, posted, false);
  } else if (std::holds_alternative<CredentialsCall>(call)) {
    const RestoreDesk desk{.authorization_token = kToken,
                           .credentials = {posted.error_type, authorization, posted.content_type},
                           .expiration = [&] { return authorization; }};
    const auto reply = answer_credentials(desk, authorization);
    require((reply.status == 200) == (authorization == kToken));
    require(reply.status != 200 || nlohmann::json::accept(reply.body));
  } else {
    require(answer_simple(std::get<WrongMethod>(call)).status == 405);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto progress = take_line(input);
  const auto method = take_line(input);
  const auto path = take_line(input);
  PostedRequest posted;
  posted.error_type = take_line(input);
  const auto authorization = take_line(input);
  const bool broken = take_line(input) == "broken";
  posted.content_type = broken ? "application/vnd.aws.lambda.error.cause+json" : authorization;
  posted.read_body = [input, broken](std::uint64_t max_bytes) {
    PostedRequest::Body body;
    body.bytes = input.substr(0, max_bytes);
    body.size_bytes = input.size();
    if (broken) body.end = PostedRequest::Body::End::broken;
    return body;
  };
  const auto call = parse_restore_call(method, path);
  const auto other = parse_call(method, path);
  const bool by_init_error = std::holds_alternative<InitErrorCall>(other);
  // What is for a restore means nothing to the runtime's other calls.
  require(!call || std::holds_alternative<UnknownPath>(other));
  if (!call && !by_init_error) return 0;
  Session session([](std::string_view) {});
  if (progress == "restoring") bring_to_restore(session);
  if (call) {
    check_call(session, *call, posted, authorization);
  } else {
    report(session, posted, true);
  }
  return 0;
}
