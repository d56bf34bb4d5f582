#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

#include <regex>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const Document kPublishers = {
    {"SigningProfileVersionArns", {"arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/v"}}};
const std::string kNone =
    "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-00000000000000000";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(signing_operations(), name, input);
}

std::string created(ServiceParts& parts) {
  const auto answer =
      run(parts, "CreateCodeSigningConfig", {{"AllowedPublishers", kPublishers}}).value();
  return answer["CodeSigningConfig"]["CodeSigningConfigArn"];
}

Document of_function(const std::string& arn) {
  return {{"FunctionName", "f"}, {"CodeSigningConfigArn", arn}};
}

}  // namespace

TEST_CASE("a code-signing configuration is made, read, changed, listed and deleted",
          "[code signing]") {
  ServiceParts parts;
  const auto arn = created(parts);
  CHECK(std::regex_match(arn, std::regex(".*:code-signing-config:csc-[a-z0-9]{17}")));
  const Document named = {{"CodeSigningConfigArn", arn}};
  const auto config = run(parts, "GetCodeSigningConfig", named).value()["CodeSigningConfig"];
  CHECK(config["AllowedPublishers"] == kPublishers);
  CHECK(config["CodeSigningPolicies"] == Document{{"UntrustedArtifactOnDeployment", "Warn"}});
  CHECK(config["LastModified"] == "2026-01-13T00:00:00.000+0000");
  const auto changed =
      run(parts, "UpdateCodeSigningConfig", {{"CodeSigningConfigArn", arn}, {"Description", "d"}})
          .value()["CodeSigningConfig"];
  CHECK(changed["Description"] == "d");
  CHECK(changed["AllowedPublishers"] == kPublishers);
  created(parts);
  const auto page = run(parts, "ListCodeSigningConfigs", {{"MaxItems", 1}}).value();
  CHECK(page["CodeSigningConfigs"].size() == 1);
  const auto rest = run(parts, "ListCodeSigningConfigs", {{"Marker", page["NextMarker"]}}).value();
  CHECK(rest["CodeSigningConfigs"].size() == 1);
  CHECK_FALSE(rest.contains("NextMarker"));
  REQUIRE(run(parts, "DeleteCodeSigningConfig", named));
  CHECK(run(parts, "GetCodeSigningConfig", named).error().message ==
        "The Lambda code signing configuration " + arn + " can not be found.");
}

TEST_CASE("a function has at most one code-signing configuration, which stays while it is used",
          "[code signing]") {
  ServiceParts parts;
  parts.create("f");
  const auto arn = created(parts);
  const Document f = {{"FunctionName", "f"}};
  CHECK(run(parts, "GetFunctionCodeSigningConfig", f).value().empty());
  const auto missing = run(parts, "PutFunctionCodeSigningConfig", of_function(kNone)).error();
  CHECK(missing.exception == "CodeSigningConfigNotFoundException");
  CHECK(missing.status == 404);
  const Document both = {{"CodeSigningConfigArn", arn}, {"FunctionName", "f"}};
  CHECK(run(parts, "PutFunctionCodeSigningConfig", of_function(arn)).value() == both);
  CHECK(run(parts, "GetFunctionCodeSigningConfig", f).value() == both);
  const Document named = {{"CodeSigningConfigArn", arn}};
  CHECK(run(parts, "ListFunctionsByCodeSigningConfig", named).value()["FunctionArns"] ==
        Document::array({"arn:aws:lambda:us-east-1:123456789012:function:f"}));
  CHECK(run(parts, "DeleteCodeSigningConfig", named).error().status == 409);
  REQUIRE(run(parts, "DeleteFunctionCodeSigningConfig", f));
  CHECK(run(parts, "DeleteCodeSigningConfig", named));
}
