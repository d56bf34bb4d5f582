// Functions on Managed Instances through the whole service: made ahead, and never frozen.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using nlohmann::json;
using tests::LambdaApi;
using tests::Serving;

namespace {

const std::string kLambda = "/2025-11-30";
const std::string kScaling =
    kLambda + "/functions/m/function-scaling-config?Qualifier=%24LATEST.PUBLISHED";

// The ARN of a capacity provider.
std::string make_provider(const LambdaApi& api) {
  const auto made =
      api.call("POST",
               kLambda + "/capacity-providers",
               {{"CapacityProviderName", "instances"},
                {"VpcConfig", {{"SubnetIds", {"subnet-1"}}, {"SecurityGroupIds", {"sg-1"}}}},
                {"PermissionsConfig", {{"CapacityProviderOperatorRoleArn", tests::kSomeRole}}}});
  return made.at("CapacityProvider").at("CapacityProviderArn");
}

json create_managed(const LambdaApi& api, bool publish = true) {
  auto function = tests::testee_function("m", "echo");
  function["MemorySize"] = 2048;
  function["CapacityProviderConfig"] = {{"LambdaManagedInstancesCapacityProviderConfig",
                                         {{"CapacityProviderArn", make_provider(api)},
                                          {"PerExecutionEnvironmentMaxConcurrency", 2}}}};
  function["Publish"] = publish;
  function["PublishTo"] = "LATEST_PUBLISHED";
  return api.create(function);
}

json publish(const LambdaApi& api) {
  return api.call(
      "POST", std::string(tests::kFunctions) + "/m/versions", {{"PublishTo", "LATEST_PUBLISHED"}});
}

// The only environment of all, once it is ready.
json ready_environment(const LambdaApi& api) {
  json found;
  tests::eventually("an environment that is ready and was not asked for", [&] {
    const auto all = api.shown("environments");
    if (all.size() != 1 || all[0].at("phase") != "idle") return false;
    found = all[0];
    return true;
  });
  return found;
}

}  // namespace

TEST_CASE("a function with a capacity provider is initialised before anybody invokes it",
          "[managed]") {
  Serving serving(tests::Words{});
  const LambdaApi api(serving.port());
  create_managed(api);
  const auto ahead = ready_environment(api);
  CHECK(ahead["initialization"] == "lambda-managed-instances");
  CHECK(ahead["invocations"] == 0);
  CHECK(api.invoke("m", "1").json() == 1);
  CHECK(ready_environment(api)["id"] == ahead["id"]);
  CHECK(serving.stop().status == 0);
}

TEST_CASE("a change of a function on Managed Instances replaces its environment", "[managed]") {
  Serving serving(tests::Words{});
  const LambdaApi api(serving.port());
  create_managed(api);
  const auto before = ready_environment(api)["id"];
  api.configure("m", {{"Description", "changed"}, {"Timeout", 7}});
  publish(api);
  tests::eventually("an environment of the changed function",
                    [&] { return ready_environment(api)["id"] != before; });
  CHECK(api.invoke("m", "2").json() == 2);
  api.call("DELETE", std::string(tests::kFunctions) + "/m");
  tests::eventually("nothing to be left", [&] { return api.shown("environments").empty(); });
  CHECK(serving.stop().status == 0);
}

TEST_CASE("a function with a capacity provider is invoked as it was published", "[managed]") {
  Serving serving(tests::Words{});
  const LambdaApi api(serving.port());
  create_managed(api, false);
  for (const auto* name : {"m", "m:$LATEST"}) {
    const auto refused = api.invoke(name, "1");
    CHECK(refused.status == 400);
    CHECK(refused.json()["message"].get<std::string>().find("LATEST_PUBLISHED") !=
          std::string::npos);
  }
  CHECK(api.shown("environments").empty());
  publish(api);
  for (const auto* name : {"m", "m:$LATEST.PUBLISHED"}) {
    const auto answer = api.invoke(name, "1");
    CHECK(answer.json() == 1);
    CHECK(answer.header("X-Amz-Executed-Version") == "$LATEST.PUBLISHED");
  }
  CHECK(api.invoke("m:$LATEST", "1").status == 400);
  CHECK(serving.stop().status == 0);
}

TEST_CASE("a version on Managed Instances is Pending, and Active or Failed as its Init ends",
          "[managed]") {
  Serving serving(tests::Words{});
  const LambdaApi api(serving.port());
  const auto created = create_managed(api);
  CHECK(created["State"] == "Pending");
  const auto published = [&] { return api.function("m:$LATEST.PUBLISHED")["Configuration"]; };
  tests::eventually("the version to be active", [&] { return published()["State"] == "Active"; });
  api.configure("m", {{"Handler", "exits_in_init"}});
  CHECK(publish(api)["State"] == "Pending");
  tests::eventually("the version to fail", [&] { return published()["State"] == "Failed"; });
  CHECK(published()["StateReasonCode"] == "FunctionError.RuntimeInitError");
  CHECK(serving.stop().status == 0);
}

TEST_CASE("a scaling configuration is heeded at once", "[managed]") {
  Serving serving(tests::Words{});
  const LambdaApi api(serving.port());
  create_managed(api);
  const auto scale = [&](int least, int most) {
    api.call("PUT",
             kScaling,
             {{"FunctionScalingConfig",
               {{"MinExecutionEnvironments", least}, {"MaxExecutionEnvironments", most}}}});
  };
  const auto await = [&](std::size_t environments) {
    tests::eventually(std::to_string(environments) + " environments",
                      [&] { return api.shown("environments").size() == environments; });
  };
  scale(2, 2);
  await(2);
  scale(0, 0);
  await(0);
  CHECK(api.invoke("m", "1").status == 400);
  CHECK(api.function("m:$LATEST.PUBLISHED")["Configuration"]["State"] == "Deactivated");
  scale(1, 1);
  await(1);
  CHECK(api.invoke("m", "1").json() == 1);
  CHECK(serving.stop().status == 0);
}
