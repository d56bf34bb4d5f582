#include "handlers/runtime_client/runtime_client.h"

#include "handlers/runtime_client/http_connection.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace runtime_client;

TEST_CASE("the Runtime API's address is a numeric one with a port", "[handlers]") {
  CHECK(parse_address("127.0.0.1:9001") == Address{0x7f000001, 9001});
  CHECK(parse_address("169.254.100.1:80") == Address{0xa9fe6401, 80});
  CHECK(parse_address("localhost:9001") == parse_address("127.0.0.1:9001"));
  for (const auto* text : {"",
                           ":",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:0",
                           "127.0.0.1:65536",
                           "127.0.0.1:90x",
                           "example.com:80",
                           "1.2.3:80"}) {
    INFO(text);
    CHECK_FALSE(parse_address(text));
  }
}

TEST_CASE("an error object is JSON whatever the message holds", "[handlers]") {
  const std::string message = "a \"quoted\" \\ back\nslash\ttab \x01 caf\xc3\xa9";
  const auto parsed = nlohmann::json::parse(error_object("My.Type", message));
  CHECK(parsed == nlohmann::json{{"errorMessage", message}, {"errorType", "My.Type"}});
}

TEST_CASE("without a usable address the loop ends at once and unsuccessfully", "[handlers]") {
  bool called = false;
  CHECK(run("nowhere", [&](const Invocation&) {
          called = true;
          return Result::response("");
        }) != 0);
  CHECK_FALSE(called);
}
