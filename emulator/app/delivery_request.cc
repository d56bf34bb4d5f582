#include "emulator/app/delivery_request.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace emulator::app {
namespace {

using invoke::Delivery;
using invoke::TargetArn;
using invoke::TargetKind;
using Json = nlohmann::ordered_json;

// Names of files have a limit of 255 bytes.
constexpr std::size_t kLongestName = 200;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_unreserved(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
         c == '~';
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 0xF];
    }
  }
  return encoded;
}

// Emulators take the account from the access key, where it has an account's twelve digits.
std::vector<std::pair<std::string, std::string>> placeholder_credentials(const Delivery& delivery,
                                                                         const TargetArn& target) {
  const auto own = invoke::parse_target(delivery.function_arn);
  const auto& account = target.account.empty() ? own.account : target.account;
  const auto& region = target.region.empty() ? own.region : target.region;
  // "2026-01-13T00:00:00.000Z" → "20260113T000000Z"
  std::string time = invoke::iso_milliseconds(delivery.made).substr(0, 19) + "Z";
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return {{"Authorization",
           "AWS4-HMAC-SHA256 Credential=" + account + "/" + time.substr(0, 8) + "/" + region + "/" +
               std::string(target_kind_name(target.kind)) +
               "/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + std::string(64, '0')},
          {"X-Amz-Date", time}};
}

std::string send_message(const Delivery& delivery,
                         const TargetArn& target,
                         std::string_view base_url) {
  Json json = {
      {"QueueUrl", std::string(base_url) + "/" + target.account + "/" + target.name},
      {"MessageBody", delivery.body},
  };
  for (const auto& [name, attribute] : delivery.attributes) {
    json["MessageAttributes"][name] = {{"DataType", attribute.type},
                                       {"StringValue", attribute.value}};
  }
  return dump(json);
}

std::string publish(const Delivery& delivery) {
  std::string form =
      "Action=Publish&Version=2010-03-31&TopicArn=" + percent_encoded(delivery.target_arn) +
      "&Message=" + percent_encoded(delivery.body);
  int number = 0;
  for (const auto& [name, attribute] : delivery.attributes) {
    const auto entry = "&MessageAttributes.entry." + std::to_string(++number);
    form.append(entry).append(".Name=").append(percent_encoded(name));
    form.append(entry).append(".Value.DataType=").append(percent_encoded(attribute.type));
    form.append(entry).append(".Value.StringValue=").append(percent_encoded(attribute.value));
  }
  return form;
}

}  // namespace

EndpointRequest endpoint_request(const Delivery& delivery,
                                 std::string_view base_url,
                                 std::string_view base_path) {
  const auto target = invoke::parse_target(delivery.target_arn);
  EndpointRequest request;
  request.method = "POST";
  request.path = std::string(base_path) + "/";
  request.headers = placeholder_credentials(delivery, target);
  switch (target.kind) {
    case TargetKind::sqs:
      request.headers.emplace_back("X-Amz-Target", "AmazonSQS.SendMessage");
      request.content_type = "application/x-amz-json-1.0";
      request.body = send_message(delivery, target, base_url);
      break;
    case TargetKind::sns:
      request.content_type = "application/x-www-form-urlencoded; charset=utf-8";
      request.body = publish(delivery);
      break;
    case TargetKind::events:
      request.headers.emplace_back("X-Amz-Target", "AWSEvents.PutEvents");
      request.content_type = "application/x-amz-json-1.1";
      request.body = R"({"Entries":[)" + event_entry(delivery) + "]}";
      break;
    case TargetKind::s3:
      request.method = "PUT";
      request.path += percent_encoded(target.name) + "/" + object_key(delivery);
      request.content_type = "application/json";
      request.body = delivery.body;
      break;
    case TargetKind::lambda:
      request.headers.emplace_back("X-Amz-Invocation-Type", "Event");
      request.path += "2015-03-31/functions/" + percent_encoded(target.name) + "/invocations";
      if (!target.qualifier.empty()) {
        request.path += "?Qualifier=" + percent_encoded(target.qualifier);
      }
      request.content_type = "application/json";
      request.body = delivery.body;
      break;
    case TargetKind::other:
      break;
  }
  return request;
}

std::string refused_in_answer(TargetKind service, std::string_view answer) {
  if (service != TargetKind::events) return {};
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  if (!json.is_object()) return {};
  const auto count = json.find("FailedEntryCount");
  if (count == json.end() || !count->is_number() || *count == 0) return {};
  return "the entry failed: " + std::string(answer.substr(0, 300));
}

std::string delivery_line(const Delivery& delivery) {
  Json json = {{"time", invoke::iso_milliseconds(delivery.made)},
               {"target", delivery.target_arn},
               {"role", delivery_role_name(delivery.role)},
               {"function", delivery.function_arn},
               {"requestId", delivery.request_id},
               {"condition", condition_name(delivery.condition)}};
  const auto kind = invoke::parse_target(delivery.target_arn).kind;
  if (kind == TargetKind::s3) json["key"] = object_key(delivery);
  if (kind == TargetKind::events) json["detailType"] = detail_type(delivery);
  for (const auto& [name, attribute] : delivery.attributes) {
    json["attributes"][name] = {{"DataType", attribute.type}, {"StringValue", attribute.value}};
  }
  json["body"] = delivery.body;
  return dump(json);
}

std::string delivery_file_name(std::string_view target_arn) {
  const auto target = invoke::parse_target(target_arn);
  std::string name = target.name.substr(0, kLongestName);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_unreserved(c) || c == '~'; }, '_');
  return std::string(target_kind_name(target.kind)) + "-" + name + ".jsonl";
}

}  // namespace emulator::app
