#include "emulator/invoke/destinations.h"

#include "emulator/invoke/error_body.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace emulator::invoke {
namespace {

// Bytes that are not UTF-8 become the replacement character, so this does not throw.
std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string as_json(std::string_view payload) {
  if (payload.empty()) return "null";
  if (nlohmann::json::accept(payload)) return std::string(payload);
  return json_string(payload);
}

std::tm utc(WallTime time) {
  const std::time_t whole =
      std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return parts;
}

// "2026-01-13" with "-" between the parts, "00:00:00" with ":".
std::string date(WallTime time, char between) {
  const auto parts = utc(time);
  std::array<char, 48> text{};
  const int length = std::snprintf(text.data(),
                                   text.size(),
                                   "%04d%c%02d%c%02d",
                                   parts.tm_year + 1900,
                                   between,
                                   parts.tm_mon + 1,
                                   between,
                                   parts.tm_mday);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string time_of_day(WallTime time, char between) {
  const auto parts = utc(time);
  std::array<char, 48> text{};
  const int length = std::snprintf(text.data(),
                                   text.size(),
                                   "%02d%c%02d%c%02d",
                                   parts.tm_hour,
                                   between,
                                   parts.tm_min,
                                   between,
                                   parts.tm_sec);
  return {text.data(), static_cast<std::size_t>(length)};
}

// In a record, an event whose function is gone is one whose attempts came to nothing. Unverified:
// told of the service by others, with the status code 404.
std::string_view recorded_condition(Condition condition) {
  return condition_name(condition == Condition::function_not_found ? Condition::retries_exhausted
                                                                   : condition);
}

std::string response_context(const LastAnswer& answer) {
  std::string json = R"({"statusCode":)" + std::to_string(answer.status_code);
  if (!answer.executed_version.empty()) {
    json.append(R"(,"executedVersion":)").append(json_string(answer.executed_version));
  }
  if (answer.function == LastAnswer::Function::failed) json += R"(,"functionError":"Unhandled")";
  return json + "}";
}

// Not more than `most` bytes, and no character cut in two.
std::string beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  auto end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

// What the function said, or why it was not run. The latter are our words.
std::string error_message(const EndedEvent& event) {
  if (event.answer && event.answer->function == LastAnswer::Function::failed) {
    return error_message_in(event.answer->payload);
  }
  switch (event.condition) {
    case Condition::zero_reserved_concurrency:
      return "The function was not invoked: its reserved concurrency is zero.";
    case Condition::recursive_invocation:
      return "The function was not invoked: it is part of a recursive loop.";
    case Condition::function_not_found:
      return "Function not found: " + event.function_arn;
    case Condition::retries_exhausted:
      return "The maximum number of retries was lowered while the event waited for the next one.";
    case Condition::event_age_exceeded:
      return event.answer && event.answer->status_code == 429
                 ? "Rate Exceeded."
                 : "The event was not invoked before its maximum age had passed.";
    case Condition::success:
      break;
  }
  return {};
}

std::map<std::string, MessageAttribute> dead_letter_attributes(const EndedEvent& event) {
  std::map<std::string, MessageAttribute> attributes;
  attributes["RequestID"] = {"String", event.request.request_id};
  // Without an answer there is no status to name.
  if (event.answer) {
    attributes["ErrorCode"] = {"Number", std::to_string(event.answer->status_code)};
  }
  auto message = beginning(error_message(event), kMostErrorMessageBytes);
  // A queue takes no attribute that is empty.
  if (!message.empty()) attributes["ErrorMessage"] = {"String", std::move(message)};
  return attributes;
}

Delivery delivery_to(std::string target_arn, DeliveryRole role, const EndedEvent& event) {
  Delivery delivery;
  delivery.target_arn = std::move(target_arn);
  delivery.role = role;
  delivery.function_name = event.request.function_name;
  delivery.function_arn = event.function_arn;
  delivery.request_id = event.request.request_id;
  delivery.condition = event.condition;
  delivery.made = event.at;
  if (role == DeliveryRole::dead_letter) {
    delivery.body = event.request.payload;
    delivery.attributes = dead_letter_attributes(event);
    return delivery;
  }
  delivery.body = invocation_record(event);
  const auto kind = parse_target(delivery.target_arn).kind;
  if (kind == TargetKind::sns && delivery.body.size() > kMostSnsMessageBytes) {
    delivery.body = invocation_record(event, Payloads::dropped);
  }
  if (kind == TargetKind::lambda) {
    delivery.lineage = event.request.lineage;
    ++delivery.lineage[event.request.function_name];
  }
  return delivery;
}

}  // namespace

std::string_view target_kind_name(TargetKind kind) {
  switch (kind) {
    case TargetKind::sqs:
      return "sqs";
    case TargetKind::sns:
      return "sns";
    case TargetKind::events:
      return "events";
    case TargetKind::s3:
      return "s3";
    case TargetKind::lambda:
      return "lambda";
    case TargetKind::other:
      break;
  }
  return "other";
}

std::string_view delivery_role_name(DeliveryRole role) {
  switch (role) {
    case DeliveryRole::on_success:
      return "on-success";
    case DeliveryRole::on_failure:
      return "on-failure";
    case DeliveryRole::dead_letter:
      break;
  }
  return "dead-letter";
}

TargetArn parse_target(std::string_view arn) {
  // arn:partition:service:region:account:resource
  std::array<std::string_view, 6> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = i + 1 == parts.size() ? std::string_view::npos : arn.find(':');
    parts[i] = arn.substr(0, end);
    arn = end == std::string_view::npos ? std::string_view() : arn.substr(end + 1);
  }
  if (parts[0] != "arn" || parts[5].empty()) return {};
  TargetArn target;
  for (const auto kind :
       {TargetKind::sqs, TargetKind::sns, TargetKind::events, TargetKind::s3, TargetKind::lambda}) {
    if (parts[2] == target_kind_name(kind)) target.kind = kind;
  }
  target.region = parts[3];
  target.account = parts[4];
  auto name = parts[5];
  if (target.kind == TargetKind::events && name.starts_with("event-bus/")) name.remove_prefix(10);
  if (target.kind == TargetKind::lambda && name.starts_with("function:")) {
    name.remove_prefix(9);
    if (const auto colon = name.find(':'); colon != std::string_view::npos) {
      target.qualifier = name.substr(colon + 1);
      name = name.substr(0, colon);
    }
  }
  target.name = name;
  return target;
}

std::string qualified_arn(std::string_view function_arn,
                          const std::optional<std::string>& qualifier) {
  return std::string(function_arn) + ":" + qualifier.value_or("$LATEST");
}

std::string invocation_record(const EndedEvent& event, Payloads payloads) {
  std::string json = R"({"version":"1.0","timestamp":")";
  json.append(iso_milliseconds(event.at))
      .append(R"(","requestContext":{"requestId":)")
      .append(json_string(event.request.request_id))
      .append(R"(,"functionArn":)")
      .append(json_string(event.function_arn))
      .append(R"(,"condition":")")
      .append(recorded_condition(event.condition))
      .append(R"(","approximateInvokeCount":)")
      .append(std::to_string(event.attempts))
      .append("}");
  if (payloads == Payloads::kept) {
    json.append(R"(,"requestPayload":)").append(as_json(event.request.payload));
  }
  if (event.answer) {
    json.append(R"(,"responseContext":)").append(response_context(*event.answer));
    if (payloads == Payloads::kept && event.answer->function != LastAnswer::Function::not_run) {
      json.append(R"(,"responsePayload":)").append(as_json(event.answer->payload));
    }
  }
  return json + "}";
}

std::vector<Delivery> deliveries_for(const EndedEvent& event, const Terms& terms) {
  std::vector<Delivery> deliveries;
  const auto add = [&](const std::string& arn, DeliveryRole role) {
    if (!arn.empty()) deliveries.push_back(delivery_to(arn, role, event));
  };
  if (event.condition == Condition::success) {
    add(terms.on_success, DeliveryRole::on_success);
  } else {
    add(terms.on_failure, DeliveryRole::on_failure);
    add(terms.dead_letter, DeliveryRole::dead_letter);
  }
  return deliveries;
}

std::string refused_target(const Delivery& delivery) {
  const auto target = parse_target(delivery.target_arn);
  const bool queue_or_topic = target.kind == TargetKind::sqs || target.kind == TargetKind::sns;
  if (target.kind == TargetKind::other) {
    return delivery.target_arn + " is no queue, topic, event bus, bucket or function";
  }
  if (queue_or_topic && target.name.ends_with(".fifo")) {
    return delivery.target_arn + " keeps the order of messages (FIFO); name a standard one";
  }
  if (delivery.role == DeliveryRole::dead_letter && !queue_or_topic) {
    return delivery.target_arn + " cannot be a dead-letter queue; name a queue or a topic";
  }
  if (delivery.role == DeliveryRole::on_success && target.kind == TargetKind::s3) {
    return delivery.target_arn + " takes failures only; name another destination for successes";
  }
  return {};
}

std::string object_key(const Delivery& delivery) {
  return "aws/lambda/async/" + delivery.function_name + "/" + date(delivery.made, '/') + "/" +
         date(delivery.made, '-') + "T" + time_of_day(delivery.made, '.') + "-" +
         delivery.request_id;
}

std::string_view detail_type(const Delivery& delivery) {
  return delivery.condition == Condition::success ? "Lambda Function Invocation Result - Success"
                                                  : "Lambda Function Invocation Result - Failure";
}

std::string event_entry(const Delivery& delivery) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(delivery.made.time_since_epoch());
  const nlohmann::ordered_json entry = {
      {"Source", "lambda"},
      {"DetailType", detail_type(delivery)},
      {"Detail", delivery.body},
      {"Resources", {delivery.target_arn, delivery.function_arn}},
      {"EventBusName", delivery.target_arn},
      {"Time", seconds.count()},
  };
  return entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string iso_milliseconds(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(time - whole).count();
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(rest));
  return date(time, '-') + "T" + time_of_day(time, ':') + fraction.data();
}

}  // namespace emulator::invoke
