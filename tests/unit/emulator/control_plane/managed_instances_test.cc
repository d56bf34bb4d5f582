// Functions on Managed Instances as the Lambda API has them.
#include "emulator/control_plane/function_configuration.h"
#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const Document kManaged = {
    {"CapacityProviderConfig",
     {{"LambdaManagedInstancesCapacityProviderConfig",
       {{"CapacityProviderArn",
         "arn:aws:lambda:us-east-1:123456789012:capacity-provider:instances"},
        {"PerExecutionEnvironmentMaxConcurrency", 8}}}}}};

Answer update(ServiceParts& parts, Document more) {
  more["FunctionName"] = "f";
  return parts.run(function_operations(), "UpdateFunctionConfiguration", more);
}

void refused(const Answer& answer, const std::string& why) {
  REQUIRE_FALSE(answer);
  INFO(answer.error().message);
  CHECK(answer.error().exception == "InvalidParameterValueException");
  CHECK(answer.error().message.find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("a function with a capacity provider tells it, and logs JSON unless told otherwise",
          "[managed]") {
  ServiceParts parts;
  const auto created = parts.create("f", kManaged);
  CHECK(created["CapacityProviderConfig"] == kManaged["CapacityProviderConfig"]);
  CHECK(created["LoggingConfig"]["LogFormat"] == "JSON");
  CHECK(created["LoggingConfig"]["SystemLogLevel"] == "INFO");
  const auto text = update(parts, {{"LoggingConfig", {{"LogFormat", "Text"}}}});
  REQUIRE(text);
  CHECK((*text)["LoggingConfig"]["LogFormat"] == "Text");
  // What is said again is no reason to change it back.
  const auto again = update(parts, kManaged);
  REQUIRE(again);
  CHECK((*again)["LoggingConfig"]["LogFormat"] == "Text");
}

TEST_CASE("a capacity provider is chosen when a function is made", "[managed]") {
  ServiceParts parts;
  parts.create("f");
  refused(update(parts, kManaged), "create the function again");
}

TEST_CASE("what Managed Instances have not is refused", "[managed]") {
  ServiceParts parts;
  parts.create("f", kManaged);
  refused(
      update(parts, {{"Runtime", "python3.13"}, {"SnapStart", {{"ApplyOn", "PublishedVersions"}}}}),
      "SnapStart is not supported");
  REQUIRE(parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}}));
  refused(parts.run(
              concurrency_operations(),
              "PutProvisionedConcurrencyConfig",
              {{"FunctionName", "f"}, {"Qualifier", "1"}, {"ProvisionedConcurrentExecutions", 1}}),
          "Provisioned concurrency is not supported");
}
