#include "emulator/invoke/queued_event.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace emulator::invoke {
namespace {

constexpr WaitReason kWaitReasons[] = {
    WaitReason::retry, WaitReason::throttle, WaitReason::service_error};

using Json = nlohmann::json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void put(Json& json, const char* name, const std::optional<std::string>& value) {
  if (value) json[name] = *value;
}

std::optional<std::string> text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return std::nullopt;
  return found->get<std::string>();
}

// [started, outcome], and of one that is followed by another [.., delay, reason]: a document may
// hold a hundred of them, and is written as often.
Json as_json(const AttemptStatus& attempt) {
  Json json = {attempt.started.time_since_epoch().count(), attempt.outcome};
  if (attempt.wait) {
    json.push_back(attempt.wait->delay.count());
    json.push_back(wait_reason_name(attempt.wait->reason));
  }
  return json;
}

tl::expected<WaitFor, std::string> read_wait(const Json& delay, const Json& reason) {
  const WaitFor wait{.delay = std::chrono::seconds(delay.get<std::int64_t>())};
  if (wait.delay < std::chrono::seconds(0) || wait.delay > kDefaultMaximumAge) {
    return tl::unexpected("an attempt's delay of " + delay.dump() + " seconds is none");
  }
  const auto name = reason.get<std::string>();
  for (const auto known : kWaitReasons) {
    if (wait_reason_name(known) == name) return WaitFor{wait.delay, known};
  }
  return tl::unexpected("an attempt's wait has the unknown reason " + reason.dump());
}

tl::expected<AttemptStatus, std::string> read_attempt(const Json& json) {
  AttemptStatus attempt{.started = WallTime(WallTime::duration(json.at(0).get<std::int64_t>())),
                        .outcome = json.at(1).get<std::string>(),
                        .wait = std::nullopt};
  if (json.size() == 2) return attempt;
  const auto wait = read_wait(json.at(2), json.at(3));
  if (!wait) return tl::unexpected(wait.error());
  attempt.wait = *wait;
  return attempt;
}

}  // namespace

std::string stored_event(const QueuedEvent& event) {
  const auto& request = event.request;
  Json json = {{"function", request.function_name},
               {"request_id", request.request_id},
               {"accepted_ns", event.accepted.time_since_epoch().count()}};
  put(json, "qualifier", request.qualifier);
  put(json, "client_context", request.client_context);
  put(json, "cognito_identity", request.cognito_identity);
  put(json, "trace_id", request.trace_id);
  put(json, "tenant_id", request.tenant_id);
  if (!request.lineage.empty()) json["lineage"] = request.lineage;
  if (request.release_at == ReleaseAt::report) json["release_at"] = "report";
  return dump(json) + "\n" + request.payload;
}

tl::expected<QueuedEvent, std::string> read_event(std::string_view text) {
  QueuedEvent event;
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) {
    return tl::unexpected(std::string("it has no payload"));
  }
  try {
    const auto json = Json::parse(text.substr(0, line_end));
    auto& request = event.request;
    request.function_name = json.at("function").get<std::string>();
    request.request_id = json.at("request_id").get<std::string>();
    event.accepted = WallTime(WallTime::duration(json.at("accepted_ns").get<std::int64_t>()));
    request.qualifier = text_of(json, "qualifier");
    request.client_context = text_of(json, "client_context");
    request.cognito_identity = text_of(json, "cognito_identity");
    request.trace_id = text_of(json, "trace_id");
    request.tenant_id = text_of(json, "tenant_id");
    request.lineage = json.value("lineage", Lineage());
    request.kind = environment::InvocationKind::event;
    if (json.contains("release_at")) request.release_at = ReleaseAt::report;
    request.payload = text.substr(line_end + 1);
  } catch (const Json::exception& error) {
    return tl::unexpected(std::string(error.what()));
  }
  return event;
}

std::string stored_progress(const EventProgress& progress) {
  Json json = {{"attempts", progress.attempts_begun},
               {"refusals", progress.refusals_in_a_row},
               {"due_ns", progress.due.time_since_epoch().count()},
               {"shown", Json::array()}};
  for (const auto& attempt : progress.attempts) json["shown"].push_back(as_json(attempt));
  return dump(json);
}

tl::expected<EventProgress, std::string> read_progress(std::string_view text) {
  EventProgress progress;
  try {
    const auto json = Json::parse(text);
    progress.attempts_begun = json.at("attempts").get<int>();
    progress.refusals_in_a_row = json.at("refusals").get<int>();
    progress.due = WallTime(WallTime::duration(json.at("due_ns").get<std::int64_t>()));
    const auto shown = json.value("shown", Json::array());
    const auto unseen = shown.size() - std::min(shown.size(), kAttemptsShown);
    for (auto at = unseen; at < shown.size(); ++at) {
      auto attempt = read_attempt(shown.at(at));
      if (!attempt) return tl::unexpected(std::move(attempt.error()));
      progress.attempts.push_back(std::move(*attempt));
    }
  } catch (const Json::exception& error) {
    return tl::unexpected(std::string(error.what()));
  }
  return progress;
}

EventStatus status_of(const QueuedEvent& event) {
  EventStatus status;
  status.sequence = event.sequence;
  status.request_id = event.request.request_id;
  status.function_name = event.request.function_name;
  status.qualifier = event.request.qualifier;
  status.accepted = event.accepted;
  status.state = event.state;
  status.attempts_begun = event.attempts_begun;
  status.attempts = event.attempts;
  return status;
}

}  // namespace emulator::invoke
