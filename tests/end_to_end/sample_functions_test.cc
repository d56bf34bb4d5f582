#include "tests/end_to_end/sample_functions.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

using nlohmann::json;
using samples::Language;

namespace {

// Runs the rest of the test once for each language that a sample is written in.
Language each_language() {
  const auto language = GENERATE(Language::python, Language::node);
  samples::require(language);
  return language;
}

json answer_of(Language language, const std::string& sample, const json& event) {
  const auto* suffix = language == Language::python ? "-python" : "-node";
  return json::parse(samples::call(language, sample + suffix, event));
}

json parse_body(const json& reply) {
  return json::parse(reply.at("body").get_ref<const std::string&>());
}

json uploaded(const std::string& key, int size) {
  return {{"s3", {{"bucket", {{"name", "photos"}}}, {"object", {{"key", key}, {"size", size}}}}}};
}

json message(const std::string& id, const std::string& body, const std::string& queue) {
  return {{"messageId", id},
          {"body", body},
          {"eventSourceARN", "arn:aws:sqs:us-east-1:123456789012:" + queue}};
}

json failures(std::initializer_list<const char*> ids) {
  json list = json::array();
  for (const auto* id : ids) list.push_back({{"itemIdentifier", id}});
  return {{"batchItemFailures", list}};
}

// A request as a REST API hands it over (payload 1.0) …
json rest(const std::string& method, const std::string& path, const json& more) {
  json event = {{"httpMethod", method},
                {"path", path},
                {"headers", {{"Host", "h"}}},
                {"body", nullptr},
                {"isBase64Encoded", false},
                {"queryStringParameters", nullptr}};
  event.update(more);
  return event;
}

// … and as an HTTP API does (payload 2.0).
json http(const std::string& method, const std::string& path, const json& more) {
  json event = {
      {"version", "2.0"},
      {"rawPath", "/prod" + path},
      {"headers", {{"host", "h"}}},
      {"isBase64Encoded", false},
      {"requestContext", {{"stage", "prod"}, {"http", {{"method", method}, {"path", path}}}}}};
  event.update(more);
  return event;
}

}  // namespace

TEST_CASE("the echo samples answer with the event", "[samples]") {
  const json event = {{"text", "caf\u00e9"}, {"list", {1, nullptr, true}}};
  CHECK(answer_of(each_language(), "echo", event) == event);
}

TEST_CASE("the S3 samples describe each object under its decoded key", "[samples]") {
  const auto language = each_language();
  const json event = {
      {"Records", {uploaded("my+folder/a+b%2Bc%40%C3%A9.TXT", 12), uploaded("archive", 0)}}};
  const auto objects = answer_of(language, "s3-upload", event)["objects"];
  REQUIRE(objects.size() == 2);
  CHECK(objects[0]["key"] == "my folder/a b+c@\u00e9.TXT");
  CHECK(objects[0]["bucket"] == "photos");
  CHECK(objects[0]["size"] == 12);
  CHECK(objects[0]["content_type"] == "text/plain");
  CHECK(objects[1]["content_type"] == "application/octet-stream");
  // The first half of SHA-256 of "photos/archive".
  CHECK(objects[1]["id"] == "46e881b5dff08a9eac5538e42526662c");
  CHECK(objects[0]["id"] != objects[1]["id"]);
}

TEST_CASE("the S3 samples survive the test message that a queue passes on", "[samples]") {
  CHECK(answer_of(each_language(), "s3-upload", {{"Event", "s3:TestEvent"}}) ==
        json{{"objects", json::array()}});
}

TEST_CASE("the SQS samples report exactly the messages that failed", "[samples]") {
  const auto language = each_language();
  const std::string good = R"({"order_id":"a","quantity":2})";
  const json event = {{"Records",
                       {message("1", good, "orders"),
                        message("2", "not JSON", "orders"),
                        message("3", good, "orders"),
                        message("4", R"({"order_id":"b","quantity":0})", "orders"),
                        message("5", R"({"quantity":1})", "orders"),
                        message("6", "[]", "orders")}}};
  CHECK(answer_of(language, "sqs-batch", event) == failures({"2", "4", "5", "6"}));
}

TEST_CASE("from a FIFO queue the SQS samples return the first failure and all that follow",
          "[samples]") {
  const auto language = each_language();
  const std::string good = R"({"order_id":"a","quantity":2})";
  const json event = {{"Records",
                       {message("1", good, "orders.fifo"),
                        message("2", "{}", "orders.fifo"),
                        message("3", good, "orders.fifo")}}};
  CHECK(answer_of(language, "sqs-batch", event) == failures({"2", "3"}));
}

TEST_CASE("the HTTP samples answer a REST API and an HTTP API alike", "[samples]") {
  const auto language = each_language();
  const auto request = GENERATE(rest, http);
  const auto ask = [&](const char* method, const char* path, const json& more) {
    const auto reply = answer_of(language, "http", request(method, path, more));
    CHECK(reply["headers"]["Content-Type"] == "application/json");
    return json::array({reply["statusCode"], parse_body(reply)});
  };
  CHECK(ask("GET", "/hello", json::object()) == json{200, {{"message", "Hello, world!"}}});
  CHECK(ask("GET", "/hello", {{"queryStringParameters", {{"name", "\u00c5sa"}}}}) ==
        json{200, {{"message", "Hello, \u00c5sa!"}}});
  CHECK(ask("GET", "/items/7", json::object()) == json{200, {{"item", "7"}}});
  CHECK(ask("POST", "/sum", {{"body", R"({"numbers":[1,2,3]})"}}) == json{200, {{"sum", 6}}});
  CHECK(ask("POST", "/sum", {{"body", "eyJudW1iZXJzIjpbNF19"}, {"isBase64Encoded", true}}) ==
        json{200, {{"sum", 4}}});
  CHECK(ask("PUT", "/size", {{"body", "AP8="}, {"isBase64Encoded", true}}) ==
        json{200, {{"bytes", 2}}});
  CHECK(ask("POST", "/sum", {{"body", "no JSON"}})[0] == 400);
  CHECK(ask("DELETE", "/hello", json::object())[0] == 404);
}

TEST_CASE("the HTTP samples read cookies from where each payload format has them", "[samples]") {
  const auto language = each_language();
  const auto greeting = [&](const json& event) {
    return parse_body(answer_of(language, "http", event))["message"];
  };
  CHECK(greeting(rest("GET", "/hello", {{"headers", {{"Cookie", "a=1; name=Ada=x"}}}})) ==
        "Hello, Ada=x!");
  CHECK(greeting(http("GET", "/hello", {{"cookies", {"a=1", "name=Ada=x"}}})) == "Hello, Ada=x!");
}
