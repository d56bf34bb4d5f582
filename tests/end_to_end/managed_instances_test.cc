// Functions on Managed Instances through the whole service: made ahead, and never frozen.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using nlohmann::json;
using tests::LambdaApi;
using tests::Serving;

namespace {

json managed_echo(const std::string& name) {
  auto function = tests::testee_function(name, "echo");
  function["CapacityProviderConfig"] = {
      {"LambdaManagedInstancesCapacityProviderConfig",
       {{"CapacityProviderArn",
         "arn:aws:lambda:us-east-1:123456789012:capacity-provider:instances"},
        {"PerExecutionEnvironmentMaxConcurrency", 2}}}};
  return function;
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
  api.create(managed_echo("m"));
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
  api.create(managed_echo("m"));
  const auto before = ready_environment(api)["id"];
  api.configure("m", {{"Description", "changed"}, {"Timeout", 7}});
  tests::eventually("an environment of the changed function",
                    [&] { return ready_environment(api)["id"] != before; });
  CHECK(api.invoke("m", "2").json() == 2);
  api.call("DELETE", std::string(tests::kFunctions) + "/m");
  tests::eventually("nothing to be left", [&] { return api.shown("environments").empty(); });
  CHECK(serving.stop().status == 0);
}
