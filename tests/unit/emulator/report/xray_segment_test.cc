#include "emulator/report/xray_segment.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <random>

using namespace emulator::report;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string kFirstLine = "{\"format\":\"json\",\"version\":1}\n";

json segment() {
  return {{"id", "00000000000000b1"},
          {"trace_id", "1-5f84c7a1-0123456789abcdef01234567"},
          {"parent_id", "00000000000000a1"},
          {"type", "subsegment"},
          {"name", "## work"},
          {"start_time", 1602537377.25},
          {"end_time", 1602537378.5}};
}

auto parsed(const json& document) { return parse_datagram(kFirstLine + document.dump(), "f"); }

std::string refusal(const std::string& datagram) {
  const auto spans = parse_datagram(datagram, "f");
  REQUIRE_FALSE(spans);
  CHECK_FALSE(spans.error().empty());
  return spans.error();
}

json nested(int depth) {
  auto inner = segment();
  for (int i = 0; i < depth; ++i) {
    auto outer = segment();
    outer["subsegments"] = json::array({std::move(inner)});
    inner = std::move(outer);
  }
  return inner;
}

}  // namespace

TEST_CASE("a subsegment of the SDK becomes a span of its trace", "[xray]") {
  const auto spans = parsed(segment());
  REQUIRE(spans);
  REQUIRE(spans->size() == 1);
  const auto& span = spans->front();
  CHECK(span.trace_id == "5f84c7a10123456789abcdef01234567");
  CHECK(span.span_id == "00000000000000b1");
  CHECK(span.parent_id == "00000000000000a1");
  CHECK(span.service == "f");
  CHECK(span.name == "## work");
  CHECK(span.start == 1602537377250ms);
  CHECK(span.end == 1602537378500ms);
  CHECK(span.kind == SpanKind::internal);
  CHECK_FALSE(span.failed);
}

TEST_CASE("subsegments hang on the segment that holds them", "[xray]") {
  auto outer = segment();
  auto call = segment();
  call["id"] = "00000000000000c1";
  call["name"] = "DynamoDB";
  call["namespace"] = "aws";
  call.erase("parent_id");
  call["aws"] = {{"operation", "PutItem"}, {"retries", 2}, {"resource_names", json::array()}};
  call["http"] = {{"request", {{"method", "POST"}, {"url", "http://there/"}}},
                  {"response", {{"status", 200}}}};
  outer["subsegments"] = json::array({call});
  const auto spans = parsed(outer);
  REQUIRE(spans);
  REQUIRE(spans->size() == 2);
  const auto& span = spans->at(1);
  CHECK(span.parent_id == "00000000000000b1");
  CHECK(span.trace_id == spans->front().trace_id);
  CHECK(span.kind == SpanKind::client);
  CHECK(span.attributes == Attributes{{"http.request.method", std::string("POST")},
                                      {"url.full", std::string("http://there/")},
                                      {"http.response.status_code", std::int64_t{200}},
                                      {"aws.operation", std::string("PutItem")},
                                      {"aws.retries", std::int64_t{2}}});
}

TEST_CASE("annotations, metadata and a fault with its exceptions are taken over", "[xray]") {
  auto document = segment();
  document["annotations"] = {{"ok", true}, {"share", 0.5}, {"who", "me"}};
  document["metadata"] = {{"default", {{"list", {1, 2}}}}};
  document["fault"] = true;
  document["cause"] = {{"exceptions", {{{"type", "ValueError"}, {"message", "no"}}, 7}}};
  const auto spans = parsed(document);
  REQUIRE(spans);
  const auto& span = spans->front();
  CHECK(span.failed);
  CHECK(span.exceptions == std::vector<SpanException>{{"ValueError", "no"}});
  CHECK(span.attributes ==
        Attributes{{"ok", true},
                   {"share", 0.5},
                   {"who", std::string("me")},
                   {"aws.xray.metadata.default", std::string("{\"list\":[1,2]}")},
                   {"aws.xray.fault", true}});
}

TEST_CASE("what is still in progress is told at its end, and its finished parts now", "[xray]") {
  auto outer = segment();
  outer.erase("end_time");
  outer["in_progress"] = true;
  auto inner = segment();
  inner["id"] = "00000000000000c1";
  outer["subsegments"] = json::array({inner});
  const auto spans = parsed(outer);
  REQUIRE(spans);
  REQUIRE(spans->size() == 1);
  CHECK(spans->front().span_id == "00000000000000c1");
  CHECK(spans->front().parent_id == "00000000000000b1");
}

TEST_CASE("a span does not end before it starts", "[xray]") {
  auto document = segment();
  document["end_time"] = 1;
  CHECK(parsed(document)->front().end == parsed(document)->front().start);
}

TEST_CASE("datagrams that are none of X-Ray's are refused, and the reason told", "[xray]") {
  const auto whole = kFirstLine + segment().dump();
  for (const auto& datagram : {std::string(),
                               std::string("\n"),
                               std::string("hello"),
                               segment().dump(),
                               "{\"format\":\"json\",\"version\":2}\n" + segment().dump(),
                               "{\"format\":\"xml\",\"version\":1}\n" + segment().dump(),
                               "[]\n" + segment().dump(),
                               kFirstLine,
                               kFirstLine + "[]",
                               kFirstLine + "null",
                               whole.substr(0, whole.size() - 1),
                               kFirstLine + std::string("\xff\xfe", 2),
                               kFirstLine + std::string(kMaxDatagramBytes, ' ')}) {
    refusal(datagram);
  }
}

TEST_CASE("segments with members that are wrong are refused", "[xray]") {
  const auto wrong = [](const char* member, const json& value) {
    auto document = segment();
    document[member] = value;
    refusal(kFirstLine + document.dump());
  };
  for (const json& value : {json(), json(1), json("xyz"), json(std::string(17, 'a'))}) {
    wrong("id", value);
    wrong("trace_id", value);
  }
  wrong("parent_id", "a");
  for (const json& value : {json(), json("now"), json(-1), json(1e300)}) {
    wrong("start_time", value);
    wrong("end_time", value);
  }
  wrong("subsegments", 1);
  wrong("subsegments", {1});
}

TEST_CASE("a segment that nests too deep or has too many parts is refused", "[xray]") {
  CHECK(parsed(nested(kMaxSegmentDepth)));
  refusal(kFirstLine + nested(kMaxSegmentDepth + 1).dump());
  refusal(kFirstLine + std::string(60'000, '['));
  auto many = segment();
  auto part = segment();
  part = {{"id", "00000000000000c1"}, {"start_time", 1}, {"end_time", 2}};
  for (std::size_t i = 0; i < kMaxSegmentsInDatagram; ++i) many["subsegments"].push_back(part);
  refusal(kFirstLine + many.dump());
}

TEST_CASE("long texts are cut between characters, and attributes counted", "[xray]") {
  auto document = segment();
  std::string umlauts;
  for (std::size_t i = 0; i < kMaxAttributeBytes; ++i) umlauts += "ü";
  document["annotations"]["text"] = "x" + umlauts;
  for (int i = 0; i < 100; ++i) document["annotations"]["key" + std::to_string(i)] = i;
  const auto spans = parsed(document);
  REQUIRE(spans);
  const auto& attributes = spans->front().attributes;
  CHECK(attributes.size() == kMaxSpanAttributes);
  for (const auto& [_, value] : attributes) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr) CHECK(json(*text).dump().size() > 0);
  }
}

TEST_CASE("whatever bytes come, a datagram is read or refused", "[xray]") {
  std::mt19937 random(7);
  const auto whole = kFirstLine + nested(3).dump();
  for (int round = 0; round < 2'000; ++round) {
    auto datagram = whole;
    for (int change = 0; change < 4; ++change) {
      datagram[random() % datagram.size()] = static_cast<char>(random() % 256);
    }
    static_cast<void>(parse_datagram(datagram, "f"));
  }
  SUCCEED();
}
