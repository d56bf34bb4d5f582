#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

#include <regex>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:f";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(url_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

Document url(const Document& more = Document::object()) {
  Document input = {{"FunctionName", "f"}, {"AuthType", "NONE"}};
  input.update(more);
  return input;
}

}  // namespace

TEST_CASE("a function URL is made, kept as it was, changed and deleted", "[function url]") {
  ServiceParts parts;
  parts.create("f");
  const auto created = run(parts, "CreateFunctionUrlConfig", url()).value();
  CHECK(std::regex_match(created["FunctionUrl"].get<std::string>(),
                         std::regex("https://[a-z0-9]{32}\\.lambda-url\\.us-east-1\\.on\\.aws/")));
  CHECK(created["FunctionArn"] == kArn);
  CHECK(created["InvokeMode"] == "BUFFERED");
  CHECK(created["CreationTime"] == "2026-01-13T00:00:00.000Z");
  CHECK_FALSE(created.contains("Cors"));
  const Document f = {{"FunctionName", "f"}};
  auto read = run(parts, "GetFunctionUrlConfig", f).value();
  CHECK(read["FunctionUrl"] == created["FunctionUrl"]);
  parts.clock.advance(std::chrono::seconds(1));
  const auto updated = run(parts,
                           "UpdateFunctionUrlConfig",
                           {{"FunctionName", "f"},
                            {"InvokeMode", "RESPONSE_STREAM"},
                            {"Cors", {{"AllowOrigins", {"*"}}}}})
                           .value();
  CHECK(updated["FunctionUrl"] == created["FunctionUrl"]);
  CHECK(updated["AuthType"] == "NONE");
  CHECK(updated["Cors"] == Document{{"AllowOrigins", {"*"}}});
  CHECK(updated["LastModifiedTime"] == "2026-01-13T00:00:01.000Z");
  const auto bare =
      run(parts, "UpdateFunctionUrlConfig", {{"FunctionName", "f"}, {"Cors", Document::object()}});
  CHECK_FALSE(bare.value().contains("Cors"));
  REQUIRE(run(parts, "DeleteFunctionUrlConfig", f));
  CHECK(refusal(parts, "GetFunctionUrlConfig", f).message ==
        "The resource you requested does not exist.");
}

TEST_CASE("a second URL and one of nothing are refused as recorded", "[function url]") {
  ServiceParts parts;
  CHECK(refusal(parts, "CreateFunctionUrlConfig", url()).message == "Function does not exist");
  parts.create("f");
  REQUIRE(run(parts, "CreateFunctionUrlConfig", url()));
  const auto second = refusal(parts, "CreateFunctionUrlConfig", url());
  CHECK(second.status == 409);
  CHECK(second.message ==
        std::string("Failed to create function url config for [functionArn = ") + kArn +
            "]. Error message:  FunctionUrlConfig exists for this Lambda function");
  CHECK(refusal(parts, "CreateFunctionUrlConfig", url({{"Qualifier", "live"}})).message ==
        "Function does not exist");
}

TEST_CASE("aliases have URLs of their own, and all of a function's are listed", "[function url]") {
  ServiceParts parts;
  parts.create("f", {{"Publish", true}});
  REQUIRE(parts.run(version_operations(),
                    "CreateAlias",
                    {{"FunctionName", "f"}, {"Name", "live"}, {"FunctionVersion", "1"}}));
  REQUIRE(run(parts, "CreateFunctionUrlConfig", url()));
  REQUIRE(run(parts, "CreateFunctionUrlConfig", url({{"Qualifier", "live"}})));
  const auto page =
      run(parts, "ListFunctionUrlConfigs", {{"FunctionName", "f"}, {"MaxItems", 1}}).value();
  CHECK(page["FunctionUrlConfigs"].size() == 1);
  CHECK(page["FunctionUrlConfigs"][0]["FunctionArn"] == kArn);
  const auto rest =
      run(parts, "ListFunctionUrlConfigs", {{"FunctionName", "f"}, {"Marker", page["NextMarker"]}})
          .value();
  CHECK(rest["FunctionUrlConfigs"][0]["FunctionArn"] == std::string(kArn) + ":live");
  CHECK_FALSE(rest.contains("NextMarker"));
  CHECK(refusal(parts, "ListFunctionUrlConfigs", {{"FunctionName", "f"}, {"Marker", "?"}})
            .exception == "InvalidParameterValueException");
}
