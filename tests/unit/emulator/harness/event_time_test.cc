#include "emulator/harness/event_time.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::harness;

namespace {

std::string told(const std::string& event) {
  const auto time = event_time(event);
  return time ? iso_time(*time) : "none";
}

}  // namespace

TEST_CASE("times of ISO 8601 are read with fractions and offsets", "[harness]") {
  CHECK(iso_time(*parse_iso_time("2026-01-13T10:20:30Z")) == "2026-01-13T10:20:30.000Z");
  CHECK(iso_time(*parse_iso_time("2026-01-13T10:20:30.1Z")) == "2026-01-13T10:20:30.100Z");
  CHECK(iso_time(*parse_iso_time("2026-01-13T10:20:30.123456789+02:00")) ==
        "2026-01-13T08:20:30.123Z");
  CHECK(iso_time(*parse_iso_time("2024-02-29T23:59:59-0130")) == "2024-03-01T01:29:59.000Z");
  for (const auto* text : {"",
                           "2026-01-13",
                           "2026-02-30T00:00:00Z",
                           "2026-01-13T24:00:00Z",
                           "2026-01-13T10:20:30",
                           "2026-01-13T10:20:30.Z",
                           "2026-01-13T10:20:30Zx",
                           "x026-01-13T10:20:30Z",
                           "2026-01-13 10:20:30Z"}) {
    INFO(text);
    CHECK_FALSE(parse_iso_time(text));
  }
}

TEST_CASE("the time of an event is found where its service writes it", "[harness]") {
  const std::string time = "2026-01-13T00:00:00.250Z";
  CHECK(told(R"({"Records":[{"attributes":{"SentTimestamp":"1768262400250"}}]})") == time);
  CHECK(told(R"({"Records":[{"kinesis":{"approximateArrivalTimestamp":1768262400.25}}]})") == time);
  CHECK(told(R"({"Records":[{"dynamodb":{"ApproximateCreationDateTime":1768262400}}]})") ==
        "2026-01-13T00:00:00.000Z");
  CHECK(told(R"({"Records":[{"Sns":{"Timestamp":"2026-01-13T00:00:00.250Z"}}]})") == time);
  CHECK(told(R"({"Records":[{"eventTime":"2026-01-13T00:00:00.250Z"}]})") == time);
  CHECK(told(R"({"records":[{"approximateArrivalTimestamp":1768262400250}]})") == time);
  CHECK(told(R"({"requestContext":{"requestTimeEpoch":1768262400250}})") == time);
  CHECK(told(R"({"requestContext":{"timeEpoch":1768262400250},"time":"x"})") == time);
  CHECK(told(R"({"detail-type":"t","time":"2026-01-13T00:00:00.250Z"})") == time);
}

TEST_CASE("an event without a time, or with a senseless one, has none", "[harness]") {
  for (const auto* event : {"{}",
                            "[]",
                            "1",
                            "",
                            R"({"Records":[]})",
                            R"({"time":1})",
                            R"({"time":"yesterday"})",
                            R"({"requestContext":{"timeEpoch":1e300}})",
                            R"({"requestContext":{"timeEpoch":-5}})",
                            R"({"requestContext":{"timeEpoch":"nan"}})"}) {
    INFO(event);
    CHECK(told(event) == "none");
  }
}
