#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const std::string kAccountArn = "arn:aws:lambda:us-east-1:123456789012:";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(tag_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

void check_tagging(ServiceParts& parts, const std::string& arn) {
  REQUIRE(run(parts, "TagResource", {{"Resource", arn}, {"Tags", {{"a", "1"}, {"b", ""}}}}));
  REQUIRE(run(parts, "TagResource", {{"Resource", arn}, {"Tags", {{"a", "2"}}}}));
  CHECK(run(parts, "ListTags", {{"Resource", arn}}).value() ==
        Document{{"Tags", {{"a", "2"}, {"b", ""}}}});
  REQUIRE(run(parts, "UntagResource", {{"Resource", arn}, {"TagKeys", {"a", "none"}}}));
  CHECK(run(parts, "ListTags", {{"Resource", arn}}).value()["Tags"] == Document{{"b", ""}});
}

}  // namespace

TEST_CASE("functions, mappings and code-signing configurations are tagged alike", "[tags]") {
  ServiceParts parts;
  parts.create("f");
  check_tagging(parts, kAccountArn + "function:f");
  const auto mapping = parts.run(
      mapping_operations(),
      "CreateEventSourceMapping",
      {{"FunctionName", "f"}, {"EventSourceArn", "arn:aws:sqs:us-east-1:123456789012:q"}});
  check_tagging(parts, mapping.value()["EventSourceMappingArn"]);
  const auto config = parts.run(signing_operations(),
                                "CreateCodeSigningConfig",
                                {{"AllowedPublishers", {{"SigningProfileVersionArns", {"arn"}}}}});
  check_tagging(parts, config.value()["CodeSigningConfig"]["CodeSigningConfigArn"]);
}

TEST_CASE("only a function itself has tags, fifty at most", "[tags]") {
  ServiceParts parts;
  parts.create("f");
  const auto arn = kAccountArn + "function:f";
  CHECK(refusal(parts, "ListTags", {{"Resource", arn + ":$LATEST"}}).message ==
        "Tags on function aliases and versions are not supported. Please specify a function ARN.");
  Document many = Document::object();
  for (int i = 0; i < 51; ++i) many[std::to_string(i)] = "";
  CHECK(refusal(parts, "TagResource", {{"Resource", arn}, {"Tags", many}}).message ==
        "Number of tags exceeds resource tag limit.");
  many.erase("0");
  CHECK(run(parts, "TagResource", {{"Resource", arn}, {"Tags", many}}));
}

TEST_CASE("what does not exist has no tags", "[tags]") {
  ServiceParts parts;
  const auto arn = kAccountArn + "function:f";
  CHECK(refusal(parts, "ListTags", {{"Resource", arn}}).message == "Function not found: " + arn);
  for (const auto* rest : {"event-source-mapping:00000000-0000-0000-0000-000000000000",
                           "code-signing-config:csc-00000000000000000",
                           "capacity-provider:c"}) {
    CHECK(refusal(parts, "ListTags", {{"Resource", kAccountArn + rest}}).status == 404);
  }
}
