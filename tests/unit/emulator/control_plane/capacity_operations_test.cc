#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const std::string kArns = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:";
const Document kNetwork = {{"SubnetIds", {"subnet-1"}}, {"SecurityGroupIds", {"sg-1"}}};
const Document kPermissions = {
    {"CapacityProviderOperatorRoleArn", "arn:aws:iam::123456789012:role/operator"}};

Answer ask(ServiceParts& parts,
           std::string_view name,
           const std::string& provider,
           Document more = Document::object()) {
  if (!provider.empty()) more["CapacityProviderName"] = provider;
  return parts.run(capacity_operations(), name, more);
}

Answer make(ServiceParts& parts, const std::string& name, Document more = Document::object()) {
  more["VpcConfig"] = kNetwork;
  more["PermissionsConfig"] = kPermissions;
  return ask(parts, "CreateCapacityProvider", name, more);
}

Document managed(const std::string& provider) {
  return {{"CapacityProviderConfig",
           {{"LambdaManagedInstancesCapacityProviderConfig",
             {{"CapacityProviderArn", kArns + provider}}}}}};
}

}  // namespace

TEST_CASE("a capacity provider is made, read, changed and deleted", "[managed]") {
  ServiceParts parts;
  const auto made = make(parts, "p", {{"InstanceRequirements", {{"Architectures", {"arm64"}}}}});
  REQUIRE(made);
  CHECK((*made)["CapacityProvider"]["State"] == "Pending");
  auto provider = ask(parts, "GetCapacityProvider", "p").value()["CapacityProvider"];
  CHECK(provider == Document{{"CapacityProviderArn", kArns + "p"},
                             {"State", "Active"},
                             {"VpcConfig", kNetwork},
                             {"PermissionsConfig", kPermissions},
                             {"InstanceRequirements", {{"Architectures", {"arm64"}}}},
                             {"LastModified", "2026-01-13T00:00:00.000+0000"}});
  const Document scaling = {{"CapacityProviderScalingConfig", {{"MaxVCpuCount", 8}}}};
  provider.update(scaling);
  // It is named by its ARN too.
  CHECK(ask(parts, "UpdateCapacityProvider", kArns + "p", scaling).value()["CapacityProvider"] ==
        provider);
  CHECK(ask(parts, "GetCapacityProvider", "p").value()["CapacityProvider"] == provider);
  const auto gone = ask(parts, "DeleteCapacityProvider", "p");
  CHECK(gone.value()["CapacityProvider"]["State"] == "Deleting");
  const auto missing = ask(parts, "GetCapacityProvider", "p").error();
  CHECK(missing.exception == "ResourceNotFoundException");
  CHECK(missing.message == "Capacity provider not found: " + kArns + "p");
}

TEST_CASE("what a capacity provider cannot be is refused", "[managed]") {
  ServiceParts parts;
  REQUIRE(make(parts, "p"));
  CHECK(make(parts, "p").error().exception == "ResourceConflictException");
  const auto elsewhere = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p";
  CHECK(make(parts, elsewhere).error().exception == "InvalidParameterValueException");
  const Document policies = {
      {"CapacityProviderScalingConfig",
       {{"ScalingMode", "Auto"},
        {"ScalingPolicies",
         {{{"PredefinedMetricType", "LambdaCapacityProviderAverageCPUUtilization"},
           {"TargetValue", 50}}}}}}};
  CHECK(make(parts, "q", policies).error().message.find("scalingMode is set to Auto") !=
        std::string::npos);
}

TEST_CASE("capacity providers are listed by name and state, page after page", "[managed]") {
  ServiceParts parts;
  REQUIRE(make(parts, "a"));
  REQUIRE(make(parts, "b"));
  const auto first = ask(parts, "ListCapacityProviders", "", {{"MaxItems", 1}}).value();
  REQUIRE(first["CapacityProviders"].size() == 1);
  CHECK(first["CapacityProviders"][0]["CapacityProviderArn"] == kArns + "a");
  const auto rest =
      ask(parts, "ListCapacityProviders", "", {{"Marker", first["NextMarker"]}}).value();
  REQUIRE(rest["CapacityProviders"].size() == 1);
  CHECK(rest["CapacityProviders"][0]["CapacityProviderArn"] == kArns + "b");
  CHECK_FALSE(rest.contains("NextMarker"));
  const auto pending = ask(parts, "ListCapacityProviders", "", {{"State", "Pending"}}).value();
  CHECK(pending["CapacityProviders"].empty());
}

TEST_CASE("a capacity provider stays while a version uses it, and tells which do", "[managed]") {
  ServiceParts parts;
  REQUIRE(make(parts, "p"));
  REQUIRE(make(parts, "other"));
  parts.create("f", managed("p"));
  parts.create("g", managed("other"));
  REQUIRE(parts.run(version_operations(),
                    "PublishVersion",
                    {{"FunctionName", "f"}, {"PublishTo", "LATEST_PUBLISHED"}}));
  const auto first =
      ask(parts, "ListFunctionVersionsByCapacityProvider", "p", {{"MaxItems", 1}}).value();
  const std::string f = "arn:aws:lambda:us-east-1:123456789012:function:f:";
  CHECK(first["CapacityProviderArn"] == kArns + "p");
  CHECK(first["FunctionVersions"] ==
        Document{{{"FunctionArn", f + "$LATEST"}, {"State", "ActiveNonInvocable"}}});
  const auto rest =
      ask(parts, "ListFunctionVersionsByCapacityProvider", "p", {{"Marker", first["NextMarker"]}})
          .value();
  CHECK(rest["FunctionVersions"] ==
        Document{{{"FunctionArn", f + "$LATEST.PUBLISHED"}, {"State", "Active"}}});
  CHECK_FALSE(rest.contains("NextMarker"));
  const auto used = ask(parts, "DeleteCapacityProvider", "p").error();
  CHECK(used.exception == "ResourceConflictException");
  CHECK(used.message.find("f:$LATEST") != std::string::npos);
  REQUIRE(parts.run(function_operations(), "DeleteFunction", {{"FunctionName", "f"}}));
  CHECK(ask(parts, "DeleteCapacityProvider", "p"));
}

TEST_CASE("a capacity provider has tags", "[managed]") {
  ServiceParts parts;
  REQUIRE(make(parts, "p", {{"Tags", {{"team", "a"}}}}));
  const Document named = {{"Resource", kArns + "p"}};
  CHECK(parts.run(tag_operations(), "ListTags", named).value()["Tags"] == Document{{"team", "a"}});
  REQUIRE(parts.run(
      tag_operations(), "UntagResource", {{"Resource", kArns + "p"}, {"TagKeys", {"team"}}}));
  CHECK(parts.run(tag_operations(), "ListTags", named).value()["Tags"].empty());
}
