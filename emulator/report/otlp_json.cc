#include "emulator/report/otlp_json.h"

#include <nlohmann/json.hpp>

#include <map>

namespace emulator::report {
namespace {

using Json = nlohmann::ordered_json;

// 64-bit numbers are texts there, because JSON's are not exact.
Json as_json(const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return {{"stringValue", *text}};
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return {{"intValue", std::to_string(*number)}};
  }
  if (const auto* number = std::get_if<double>(&value)) return {{"doubleValue", *number}};
  return {{"boolValue", std::get<bool>(value)}};
}

Json as_json(const Attributes& attributes) {
  auto list = Json::array();
  for (const auto& [key, value] : attributes) {
    list.push_back({{"key", key}, {"value", as_json(value)}});
  }
  return list;
}

// SPAN_KIND_*
int number_of(SpanKind kind) {
  switch (kind) {
    case SpanKind::internal:
      return 1;
    case SpanKind::server:
      return 2;
    case SpanKind::client:
      break;
  }
  return 3;
}

Json events_of(const Span& span) {
  auto events = Json::array();
  for (const auto& exception : span.exceptions) {
    events.push_back({{"timeUnixNano", std::to_string(span.end.count())},
                      {"name", "exception"},
                      {"attributes",
                       as_json(Attributes{{"exception.type", exception.type},
                                          {"exception.message", exception.message}})}});
  }
  return events;
}

Json as_json(const Span& span) {
  Json json = {{"traceId", span.trace_id}, {"spanId", span.span_id}};
  if (!span.parent_id.empty()) json["parentSpanId"] = span.parent_id;
  json["name"] = span.name;
  json["kind"] = number_of(span.kind);
  json["startTimeUnixNano"] = std::to_string(span.start.count());
  json["endTimeUnixNano"] = std::to_string(span.end.count());
  json["attributes"] = as_json(span.attributes);
  if (!span.exceptions.empty()) json["events"] = events_of(span);
  json["status"] = Json::object();
  // STATUS_CODE_ERROR
  if (span.failed) json["status"]["code"] = 2;
  return json;
}

Json resource_of(const std::string& service) {
  return {{"attributes",
           as_json(Attributes{{"service.name", service},
                              {"cloud.provider", std::string("aws")},
                              {"cloud.platform", std::string("aws_lambda")}})}};
}

}  // namespace

std::string otlp_document(std::span<const Span> spans) {
  std::map<std::string, Json> by_service;
  for (const auto& span : spans) {
    auto& list = by_service.emplace(span.service, Json::array()).first->second;
    list.push_back(as_json(span));
  }
  Json document = {{"resourceSpans", Json::array()}};
  for (auto& [service, list] : by_service) {
    Json scope = {{"scope", {{"name", "hearth"}}}, {"spans", std::move(list)}};
    document["resourceSpans"].push_back(
        {{"resource", resource_of(service)}, {"scopeSpans", Json::array({std::move(scope)})}});
  }
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace emulator::report
