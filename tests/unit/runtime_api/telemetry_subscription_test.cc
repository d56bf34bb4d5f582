#include "runtime_api/telemetry_subscription.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace runtime_api;

namespace {

// A subscription with everything after the schema as told.
std::string telemetry(const std::string& rest) {
  return R"({"schemaVersion":"2022-12-13",)" + rest + "}";
}

const std::string kTypes = R"("types":["platform","function","extension"])";
const std::string kHttp =
    R"("destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/events"})";

std::string with_destination(const std::string& destination) {
  return telemetry(kTypes + R"(,"destination":)" + destination);
}

std::string with_buffering(const std::string& buffering) {
  return telemetry(kTypes + "," + kHttp + R"(,"buffering":)" + buffering);
}

std::string refusal(const std::string& body, TelemetryApi api = TelemetryApi::telemetry) {
  const auto subscription = parse_subscription(api, body);
  return subscription ? "taken" : subscription.error().message;
}

}  // namespace

TEST_CASE("a subscription without buffering gets the documented one", "[telemetry]") {
  const auto subscription =
      parse_subscription(TelemetryApi::telemetry, telemetry(kTypes + "," + kHttp));
  REQUIRE(subscription);
  CHECK(subscription->schema == TelemetrySchema::v2022_12_13);
  CHECK(subscription->categories.contains(EventCategory::platform));
  CHECK(subscription->categories.contains(EventCategory::function));
  CHECK(subscription->categories.contains(EventCategory::extension));
  CHECK(subscription->destination.protocol == Destination::Protocol::http);
  CHECK(subscription->destination.port == 8080);
  CHECK(subscription->destination.path == "/events");
  CHECK(subscription->destination.method == Destination::Method::post);
  CHECK(subscription->buffering.max_items == 10'000);
  CHECK(subscription->buffering.max_bytes == 262'144);
  CHECK(subscription->buffering.timeout == std::chrono::seconds{1});
}

TEST_CASE("both schemas of the Telemetry API are known, and no others", "[telemetry]") {
  const auto rest = kTypes + "," + kHttp + "}";
  CHECK(parse_subscription(TelemetryApi::telemetry, R"({"schemaVersion":"2022-07-01",)" + rest)
            ->schema == TelemetrySchema::v2022_07_01);
  for (const auto* version :
       {R"("2025-01-29")", R"("2020-08-15")", R"("")", "20221213", "null", "{}"}) {
    INFO(version);
    CHECK(refusal(R"({"schemaVersion":)" + std::string(version) + "," + rest)
              .starts_with("schema validation error: schemaVersion is 2022-07-01 or 2022-12-13"));
  }
  CHECK(refusal("{" + rest) ==
        "schema validation error: schemaVersion is missing; write 2022-12-13");
}

TEST_CASE("the Logs API has a schema of its own by default", "[telemetry]") {
  const auto rest = kTypes + "," + kHttp + "}";
  CHECK(parse_subscription(TelemetryApi::logs, "{" + rest)->schema == TelemetrySchema::v2020_08_15);
  CHECK(
      parse_subscription(TelemetryApi::logs, R"({"schemaVersion":"2021-03-18",)" + rest)->schema ==
      TelemetrySchema::v2021_03_18);
  CHECK(refusal(R"({"schemaVersion":"2022-07-01",)" + rest, TelemetryApi::logs)
            .starts_with("schema validation error: schemaVersion is 2020-08-15"));
}

TEST_CASE("types are a list of at least one known category", "[telemetry]") {
  for (const auto* types : {"[]", "{}", "null", R"("platform")", R"(["platform","logs"])", "[1]"}) {
    INFO(types);
    CHECK(refusal(telemetry(R"("types":)" + std::string(types) + "," + kHttp))
              .starts_with("schema validation error: types"));
  }
  CHECK(refusal(telemetry(kHttp)).starts_with("schema validation error: types"));
  CHECK(refusal(telemetry(R"("types":["function","function"],)" + kHttp)) == "taken");
}

TEST_CASE("an HTTP destination is a listener inside the environment", "[telemetry]") {
  const auto at = [](const std::string& uri) {
    return with_destination(R"({"protocol":"HTTP","URI":")" + uri + R"("})");
  };
  const auto bare = parse_subscription(TelemetryApi::telemetry, at("http://sandbox:1234"));
  REQUIRE(bare);
  CHECK(bare->destination.path == "/");
  CHECK(bare->destination.host == "sandbox");
  const auto query =
      parse_subscription(TelemetryApi::telemetry, at("http://sandbox.localdomain?a=b"));
  REQUIRE(query);
  CHECK(query->destination.port == 80);
  CHECK(query->destination.path == "/?a=b");
  for (const auto* uri : {"",
                          "https://sandbox.localdomain:80/",
                          "http://localhost:80/",
                          "http://sandbox.localdomain.example.com/",
                          "http://user@sandbox.localdomain/",
                          "http://sandbox.localdomain:0/",
                          "http://sandbox.localdomain:65536/",
                          "http://sandbox.localdomain:9001/",
                          "http://sandbox.localdomain:80a/",
                          "http://sandbox.localdomain:/",
                          "http://sandbox.localdomain:99999999999999999999/",
                          "http://sandbox.localdomain/a b",
                          "http://sandbox.localdomain/a\\r\\nX: y",
                          "http://sandbox.localdomain/#part"}) {
    INFO(uri);
    CHECK(refusal(at(uri)).starts_with("Invalid destination: "));
  }
  CHECK(refusal(with_destination(R"({"protocol":"HTTP"})")).starts_with("Invalid destination"));
  CHECK(refusal(with_destination(R"({"protocol":"HTTP","URI":1})"))
            .starts_with("Invalid destination"));
}

TEST_CASE("a TCP destination is a port", "[telemetry]") {
  const auto subscription = parse_subscription(TelemetryApi::telemetry,
                                               with_destination(R"({"protocol":"TCP","port":1})"));
  REQUIRE(subscription);
  CHECK(subscription->destination.protocol == Destination::Protocol::tcp);
  CHECK(subscription->destination.port == 1);
  for (const auto* port :
       {"0", "-1", "65536", "9001", "1.5", R"("1")", "null", "18446744073709551615", "1e3"}) {
    INFO(port);
    CHECK(refusal(with_destination(R"({"protocol":"TCP","port":)" + std::string(port) + "}"))
              .starts_with("Invalid destination: "));
  }
}

TEST_CASE("a destination needs a known protocol", "[telemetry]") {
  CHECK(refusal(telemetry(kTypes)).starts_with("schema validation error: destination"));
  CHECK(refusal(with_destination("[]")).starts_with("schema validation error: destination"));
  for (const auto* protocol : {R"({})", R"({"protocol":"UDP"})", R"({"protocol":"http"})"}) {
    CHECK(refusal(with_destination(protocol)) == "Invalid destination: protocol is HTTP or TCP");
  }
}

TEST_CASE("only the Logs API lets an extension choose the method", "[telemetry]") {
  const auto with = [](const std::string& more) {
    return with_destination(R"({"protocol":"HTTP","URI":"http://sandbox:1/",)" + more + "}");
  };
  const auto logs = [&](const std::string& more) {
    auto body = with(more);
    return body.replace(body.find("2022-12-13"), 10, "2021-03-18");
  };
  CHECK(parse_subscription(TelemetryApi::logs, logs(R"("method":"PUT")"))->destination.method ==
        Destination::Method::put);
  CHECK(
      parse_subscription(TelemetryApi::telemetry, with(R"("method":"PUT")"))->destination.method ==
      Destination::Method::post);
  CHECK(refusal(logs(R"("method":"GET")"), TelemetryApi::logs)
            .starts_with("Invalid destination: method"));
  CHECK(refusal(logs(R"("encoding":"XML")"), TelemetryApi::logs)
            .starts_with("Invalid destination: encoding"));
  CHECK(refusal(logs(R"("encoding":"JSON")"), TelemetryApi::logs) == "taken");
}

TEST_CASE("each limit of a batch has a least and a most", "[telemetry]") {
  const auto subscription =
      parse_subscription(TelemetryApi::telemetry,
                         with_buffering(R"({"maxItems":1000,"maxBytes":1048576,"timeoutMs":25})"));
  REQUIRE(subscription);
  CHECK(subscription->buffering == Buffering{.max_items = 1000,
                                             .max_bytes = 1'048'576,
                                             .timeout = std::chrono::milliseconds{25}});
  for (const auto* buffering : {R"({"maxItems":999})",
                                R"({"maxItems":10001})",
                                R"({"maxItems":"1000"})",
                                R"({"maxItems":null})",
                                R"({"maxBytes":262143})",
                                R"({"maxBytes":1048577})",
                                R"({"maxBytes":18446744073709551615})",
                                R"({"timeoutMs":24})",
                                R"({"timeoutMs":30001})",
                                R"({"timeoutMs":-1})",
                                R"({"timeoutMs":25.5})",
                                "[]",
                                "1"}) {
    INFO(buffering);
    CHECK(refusal(with_buffering(buffering)).starts_with("schema validation error: buffering"));
  }
}

TEST_CASE("what is no JSON object is no subscription", "[telemetry]") {
  for (const auto* body : {"", "{", "nonsense", "{\"a\":\"\xff\"}"}) {
    INFO(body);
    CHECK(refusal(body).starts_with("failed to parse JSON: "));
  }
  for (const auto* body : {"[]", "1", "null", "\"text\""}) {
    CHECK(refusal(body) == "schema validation error: a subscription is a JSON object");
  }
  CHECK(refusal(std::string(1000, '[') + std::string(1000, ']')) ==
        "schema validation error: a subscription does not nest that deep");
}
