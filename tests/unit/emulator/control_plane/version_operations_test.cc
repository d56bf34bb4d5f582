#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(version_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

std::string publish(ServiceParts& parts, Document more = Document::object()) {
  Document input = {{"FunctionName", "f"}};
  input.update(more);
  return run(parts, "PublishVersion", input).value()["Version"];
}

void change(ServiceParts& parts) {
  static int memory = 128;
  REQUIRE(parts.run(function_operations(),
                    "UpdateFunctionConfiguration",
                    {{"FunctionName", "f"}, {"MemorySize", ++memory}}));
}

Document alias(const std::string& name, const std::string& version) {
  return {{"FunctionName", "f"}, {"Name", name}, {"FunctionVersion", version}};
}

}  // namespace

TEST_CASE("versions count up, and what has not changed is not published again", "[versions]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(publish(parts) == "1");
  CHECK(publish(parts) == "1");
  change(parts);
  CHECK(publish(parts, {{"Description", "second"}}) == "2");
  CHECK(parts.world.registry.find("f")->published.size() == 2);
}

TEST_CASE("another description of $LATEST is published as another version", "[versions]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(publish(parts, {{"Description", "the version's own"}}) == "1");
  CHECK(publish(parts) == "1");
  REQUIRE(parts.run(function_operations(),
                    "UpdateFunctionConfiguration",
                    {{"FunctionName", "f"}, {"Description", "another"}}));
  CHECK(publish(parts) == "2");
  CHECK(publish(parts) == "2");
}

TEST_CASE("a published version stays what it was", "[versions]") {
  ServiceParts parts;
  parts.create("f");
  publish(parts);
  const auto before = parts.world.registry.find("f")->version("1");
  change(parts);
  CHECK(parts.run(function_operations(),
                  "UpdateFunctionCode",
                  {{"FunctionName", "f"}, {"ZipFile", tests::zip_base64({{"other", "x"}})}}));
  CHECK(parts.world.registry.find("f")->version("1") == before);
}

TEST_CASE("a version of a folder is a copy of what the folder held", "[versions]") {
  ServiceParts parts;
  tests::ScratchFolder code;
  code.write("bootstrap", "first");
  parts.create("f", {{"Code", {{"S3Bucket", "hot-reload"}, {"S3Key", code.path().string()}}}});
  publish(parts);
  code.write("bootstrap", "second");
  const auto version = parts.world.registry.find("f")->version("1");
  CHECK(version->code.folder.empty());
  const auto copy = parts.world.code.folder_of(version->code.sha256_hex);
  REQUIRE(copy);
  std::ifstream file(*copy / "bootstrap");
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == "first");
}

TEST_CASE("a number is not given twice, even after its version is gone", "[versions]") {
  ServiceParts parts;
  parts.create("f");
  publish(parts);
  CHECK(parts.run(
      function_operations(), "DeleteFunction", {{"FunctionName", "f"}, {"Qualifier", "1"}}));
  CHECK(publish(parts) == "2");
}

TEST_CASE("publishing what is no longer $LATEST is refused", "[versions]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(refusal(parts, "PublishVersion", {{"FunctionName", "f"}, {"CodeSha256", "other"}})
            .message.starts_with("CodeSHA256 (other) is different from current CodeSHA256"));
  CHECK(refusal(parts, "PublishVersion", {{"FunctionName", "f"}, {"RevisionId", "other"}}).status ==
        412);
}

TEST_CASE("versions are listed from $LATEST on, page after page", "[versions]") {
  ServiceParts parts;
  parts.create("f");
  for (int i = 0; i < 3; ++i) {
    publish(parts);
    change(parts);
  }
  std::vector<std::string> seen;
  Document input = {{"FunctionName", "f"}, {"MaxItems", 2}};
  for (;;) {
    const auto page = run(parts, "ListVersionsByFunction", input).value();
    for (const auto& version : page["Versions"]) seen.push_back(version["Version"]);
    if (!page.contains("NextMarker")) break;
    input["Marker"] = page["NextMarker"];
  }
  CHECK(seen == std::vector<std::string>{"$LATEST", "1", "2", "3"});
}

TEST_CASE("an alias is made, moved, read, listed and deleted", "[aliases]") {
  ServiceParts parts;
  parts.create("f");
  publish(parts);
  change(parts);
  publish(parts);
  const auto created = run(parts, "CreateAlias", alias("live", "1")).value();
  CHECK(created["AliasArn"] == "arn:aws:lambda:us-east-1:123456789012:function:f:live");
  CHECK(refusal(parts, "CreateAlias", alias("live", "2")).status == 409);
  const auto moved = run(parts, "UpdateAlias", alias("live", "2")).value();
  CHECK(moved["FunctionVersion"] == "2");
  CHECK(moved["RevisionId"] != created["RevisionId"]);
  const Document named = {{"FunctionName", "f"}, {"Name", "live"}};
  CHECK(run(parts, "GetAlias", named).value() == moved);
  CHECK(run(parts, "ListAliases", {{"FunctionName", "f"}}).value()["Aliases"].size() == 1);
  CHECK(run(parts, "ListAliases", {{"FunctionName", "f"}, {"FunctionVersion", "1"}})
            .value()["Aliases"]
            .empty());
  CHECK(run(parts, "DeleteAlias", named));
  CHECK(run(parts, "DeleteAlias", named));
  CHECK(refusal(parts, "GetAlias", named).message ==
        "Cannot find alias arn: arn:aws:lambda:us-east-1:123456789012:function:f:live");
}

TEST_CASE("an alias splits between two published versions only", "[aliases]") {
  ServiceParts parts;
  parts.create("f");
  publish(parts);
  change(parts);
  publish(parts);
  const auto split = [](const std::string& version, const Document& weights) {
    auto input = alias("live", version);
    input["RoutingConfig"] = {{"AdditionalVersionWeights", weights}};
    return input;
  };
  CHECK(refusal(parts, "CreateAlias", split("1", {{"2", 0.1}, {"3", 0.1}})).status == 400);
  CHECK(refusal(parts, "CreateAlias", split("$LATEST", {{"1", 0.1}})).message ==
        "$LATEST is not supported for an alias pointing to more than 1 version");
  CHECK(refusal(parts, "CreateAlias", split("1", {{"1", 0.1}})).status == 400);
  CHECK(refusal(parts, "CreateAlias", split("1", {{"9", 0.1}})).status == 404);
  const auto created = run(parts, "CreateAlias", split("1", {{"2", 0.05}})).value();
  CHECK(created["RoutingConfig"]["AdditionalVersionWeights"]["2"] == 0.05);
  const auto cleared = run(parts, "UpdateAlias", split("1", Document::object())).value();
  CHECK_FALSE(cleared.contains("RoutingConfig"));
}

TEST_CASE("an alias of a version that is not there is refused", "[aliases]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(refusal(parts, "CreateAlias", alias("live", "7")).message ==
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:7");
}
