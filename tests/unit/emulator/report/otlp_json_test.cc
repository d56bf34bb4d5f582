#include "emulator/report/otlp_json.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace emulator::report;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

Span span_of(const std::string& service, const std::string& id) {
  Span span;
  span.trace_id = "5f84c7a10123456789abcdef01234567";
  span.span_id = id;
  span.service = service;
  span.name = "work";
  span.start = 1'602'537'377s + 1ns;
  span.end = 1'602'537'378s;
  return span;
}

}  // namespace

TEST_CASE("a span is written as the protocol's JSON has it", "[otlp]") {
  auto span = span_of("f", "00000000000000b1");
  span.parent_id = "00000000000000a1";
  span.kind = SpanKind::client;
  span.failed = true;
  span.attributes = {{"text", std::string("t")},
                     {"number", std::int64_t{9'007'199'254'740'993}},
                     {"share", 0.5},
                     {"flag", true}};
  span.exceptions = {{"ValueError", "no"}};
  const auto document = json::parse(otlp_document(std::vector{span}));
  const auto& resource = document["resourceSpans"][0];
  CHECK(resource["resource"]["attributes"][0] ==
        json{{"key", "service.name"}, {"value", {{"stringValue", "f"}}}});
  CHECK(resource["scopeSpans"][0]["scope"]["name"] == "hearth");
  CHECK(resource["scopeSpans"][0]["spans"] == json::parse(R"([{
    "traceId": "5f84c7a10123456789abcdef01234567",
    "spanId": "00000000000000b1",
    "parentSpanId": "00000000000000a1",
    "name": "work",
    "kind": 3,
    "startTimeUnixNano": "1602537377000000001",
    "endTimeUnixNano": "1602537378000000000",
    "attributes": [{"key": "text", "value": {"stringValue": "t"}},
                   {"key": "number", "value": {"intValue": "9007199254740993"}},
                   {"key": "share", "value": {"doubleValue": 0.5}},
                   {"key": "flag", "value": {"boolValue": true}}],
    "events": [{"timeUnixNano": "1602537378000000000", "name": "exception",
                "attributes": [{"key": "exception.type", "value": {"stringValue": "ValueError"}},
                               {"key": "exception.message", "value": {"stringValue": "no"}}]}],
    "status": {"code": 2}}])"));
}

TEST_CASE("a document is one line, with each service's spans together", "[otlp]") {
  const auto text = otlp_document(std::vector{span_of("f", "00000000000000b1"),
                                              span_of("g", "00000000000000b2"),
                                              span_of("f", "00000000000000b3")});
  CHECK(text.find('\n') == std::string::npos);
  const auto document = json::parse(text);
  REQUIRE(document["resourceSpans"].size() == 2);
  CHECK(document["resourceSpans"][0]["scopeSpans"][0]["spans"].size() == 2);
  CHECK_FALSE(document["resourceSpans"][0]["scopeSpans"][0]["spans"][0].contains("parentSpanId"));
}
