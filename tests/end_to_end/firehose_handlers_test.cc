// One set of records for the Firehose transformation in all its languages: what one of them makes
// of a record, the others make too, byte for byte.
#include "handlers/firehose-cpp/transformation.h"
#include "tests/end_to_end/official_runtimes.h"
#include "tests/end_to_end/sample_functions.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <fstream>

namespace {

using nlohmann::json;

std::string base64(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

json vectors() {
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/end_to_end/data/firehose_vectors.json");
  return json::parse(file);
}

std::string data_of(const json& vector) {
  return vector.contains("data") ? vector["data"].get<std::string>()
                                 : base64(vector["line"].get<std::string>());
}

json event() {
  json records = json::array();
  for (const auto& vector : vectors()) {
    // The names stand for Firehose's ids: whatever is there must come back.
    records.push_back({{"recordId", vector["name"]},
                       {"approximateArrivalTimestamp", 1'700'000'000'000},
                       {"data", data_of(vector)}});
  }
  return {{"invocationId", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"},
          {"deliveryStreamArn", "arn:aws:firehose:us-east-1:123456789012:deliverystream/logs"},
          {"region", "us-east-1"},
          {"records", records}};
}

// As the handler's language writes it, compactly, so that members are compared in their order.
std::string expected() {
  auto records = nlohmann::ordered_json::array();
  for (const auto& vector : vectors()) {
    const bool ok = vector["result"] == "Ok";
    records.push_back({{"recordId", vector["name"]},
                       {"result", vector["result"]},
                       {"data", ok ? base64(vector["json"]) : data_of(vector)}});
  }
  return nlohmann::ordered_json{{"records", records}}.dump();
}

void check_each(const std::string& answer) {
  const auto wanted = json::parse(expected())["records"];
  const auto got = json::parse(answer)["records"];
  REQUIRE(got.size() == wanted.size());
  for (std::size_t at = 0; at < wanted.size(); ++at) {
    INFO(wanted[at]["recordId"]);
    CHECK(got[at] == wanted[at]);
  }
  CHECK(answer == expected());
}

}  // namespace

TEST_CASE("the Firehose sample in C++ makes of every record what all languages must", "[samples]") {
  check_each(firehose::transform(event().dump()).value());
}

TEST_CASE("the Firehose sample in Python makes of every record what all languages must",
          "[samples]") {
  samples::require(samples::Language::python);
  check_each(samples::call(samples::Language::python, "firehose-python", event()));
}

TEST_CASE("the Firehose sample in Node.js makes of every record what all languages must",
          "[samples]") {
  samples::require(samples::Language::node);
  check_each(samples::call(samples::Language::node, "firehose-node", event()));
}

TEST_CASE("the Firehose samples in Go, Rust and Java make of every record what all languages must",
          "[official-runtimes]") {
  const auto* name = GENERATE("firehose-go", "firehose-rust", "firehose-java");
  auto arguments = tests::built_project(name);
  arguments.insert(arguments.end(), {"--event", "-"});
  const auto ended = tests::invoke(arguments, {.input = event().dump()});
  INFO(name << ": " << ended.errors);
  REQUIRE(ended.status == 0);
  // What is a matter of taste in JSON, such as escapes, is the client's; the order of members is
  // not.
  check_each(nlohmann::ordered_json::parse(ended.output).dump());
}

TEST_CASE("what is no Firehose event is refused by the C++ sample", "[samples]") {
  for (const auto* text : {"", "{}", "[]", "{\"records\":[{}]}", "{\"records\":[{\"data\":1}]}"}) {
    INFO(text);
    CHECK_FALSE(firehose::transform(text));
  }
}
