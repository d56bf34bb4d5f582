#include "handlers/firehose-cpp/access_log.h"

#include <catch2/catch_test_macros.hpp>

using namespace firehose;

namespace {

std::string line_at(const std::string& time) {
  return "192.0.2.1 - - [" + time + "] \"GET / HTTP/1.1\" 200 1";
}

}  // namespace

TEST_CASE("an access log's time keeps the server's offset", "[handlers]") {
  CHECK(parse_access_log(line_at("10/Oct/2000:13:55:36 -0700"))->time ==
        "2000-10-10T13:55:36-07:00");
  CHECK(parse_access_log(line_at("29/Feb/2024:23:59:60 +0530"))->time ==
        "2024-02-29T23:59:60+05:30");
}

TEST_CASE("a time that does not exist makes a line unreadable", "[handlers]") {
  for (const auto* time : {"29/Feb/2023:00:00:00 +0000",
                           "31/Apr/2024:00:00:00 +0000",
                           "00/Jan/2024:00:00:00 +0000",
                           "01/anJ/2024:00:00:00 +0000",
                           "01/Jan/2024:24:00:00 +0000",
                           "01/Jan/2024:00:60:00 +0000",
                           "01/Jan/2024:00:00:61 +0000",
                           "01/Jan/2024:00:00:00 +1500",
                           "01/Jan/0000:00:00:00 +0000",
                           "1/Jan/2024:00:00:00 +0000"}) {
    INFO(time);
    CHECK_FALSE(parse_access_log(line_at(time)));
  }
}

TEST_CASE("a health check is told by its path or by its agent", "[handlers]") {
  AccessLogEntry entry;
  entry.path = "/orders";
  CHECK_FALSE(is_health_check(entry));
  entry.path = "/healthz?verbose=1";
  CHECK(is_health_check(entry));
  entry.path = "/healthy";
  CHECK_FALSE(is_health_check(entry));
  entry.user_agent = "ELB-HealthChecker/2.0";
  CHECK(is_health_check(entry));
}
