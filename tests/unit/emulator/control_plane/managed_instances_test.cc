// Functions on Managed Instances as the Lambda API has them.
#include "emulator/control_plane/managed_instances.h"

#include "emulator/control_plane/described_functions.h"
#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const std::string kFunction = "arn:aws:lambda:us-east-1:123456789012:function:f";
const std::string kProvider = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:instances";

Document config_of(const std::string& provider) {
  return {{"CapacityProviderConfig",
           {{"LambdaManagedInstancesCapacityProviderConfig",
             {{"CapacityProviderArn", provider}, {"PerExecutionEnvironmentMaxConcurrency", 8}}}}}};
}

emulator::functions::FunctionConfiguration described_on_managed_instances() {
  emulator::functions::FunctionConfiguration function;
  function.name = "f";
  function.code = "/somewhere";
  function.memory = emulator::functions::kMinManagedMemory;
  function.managed.emplace();
  return function;
}

// An account with a capacity provider.
struct Scene : ServiceParts {
  Scene() {
    REQUIRE(run(capacity_operations(),
                "CreateCapacityProvider",
                {{"CapacityProviderName", "instances"},
                 {"VpcConfig", {{"SubnetIds", {"s"}}, {"SecurityGroupIds", Document::array()}}},
                 {"PermissionsConfig", {{"CapacityProviderOperatorRoleArn", "r"}}}}));
  }
  Document create_managed(Document more = Document::object()) {
    auto input = config_of(kProvider);
    input.update(more);
    return create("f", input);
  }
  Answer update(Document more) {
    return ask(function_operations(), "UpdateFunctionConfiguration", more);
  }
  Answer publish(Document more = {{"PublishTo", "LATEST_PUBLISHED"}}) {
    return ask(version_operations(), "PublishVersion", more);
  }
  Answer scale(Document config, const std::string& qualifier = "$LATEST.PUBLISHED") {
    return ask(scaling_operations(),
               "PutFunctionScalingConfig",
               {{"Qualifier", qualifier}, {"FunctionScalingConfig", std::move(config)}});
  }
  Document scaling() {
    return ask(scaling_operations(),
               "GetFunctionScalingConfig",
               {{"Qualifier", "$LATEST.PUBLISHED"}})
        .value();
  }
  Answer ask(std::span<const Operation> all, std::string_view name, Document more) {
    more["FunctionName"] = "f";
    return run(all, name, more);
  }
};

void refused(const Answer& answer, const std::string& why) {
  REQUIRE_FALSE(answer);
  INFO(answer.error().message);
  CHECK(answer.error().exception == "InvalidParameterValueException");
  CHECK(answer.error().message.find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("a function with a capacity provider tells it, and logs JSON unless told otherwise",
          "[managed]") {
  Scene scene;
  const auto created = scene.create_managed();
  auto expected = config_of(kProvider)["CapacityProviderConfig"];
  expected["LambdaManagedInstancesCapacityProviderConfig"]["ExecutionEnvironmentMemoryGiBPerVCpu"] =
      2.0;
  CHECK(created["CapacityProviderConfig"] == expected);
  CHECK(created["LoggingConfig"]["LogFormat"] == "JSON");
  CHECK(created["LoggingConfig"]["SystemLogLevel"] == "INFO");
  const auto text = scene.update({{"LoggingConfig", {{"LogFormat", "Text"}}}});
  REQUIRE(text);
  CHECK((*text)["LoggingConfig"]["LogFormat"] == "Text");
  // What is said again is no reason to change it back.
  const auto again = scene.update(config_of(kProvider));
  REQUIRE(again);
  CHECK((*again)["LoggingConfig"]["LogFormat"] == "Text");
}

TEST_CASE("a capacity provider is chosen when a function is made", "[managed]") {
  Scene scene;
  scene.create("f");
  refused(scene.update(config_of(kProvider)), "isn't supported for Lambda Default functions");
}

TEST_CASE("a capacity provider that a function names is there", "[managed]") {
  Scene scene;
  scene.create_managed();
  refused(scene.update(config_of(kProvider + "x")), "does not exist");
}

TEST_CASE("what Managed Instances have not is refused", "[managed]") {
  Scene scene;
  scene.create_managed();
  refused(
      scene.update({{"Runtime", "python3.13"}, {"SnapStart", {{"ApplyOn", "PublishedVersions"}}}}),
      "SnapStart is not supported");
  refused(scene.update({{"Runtime", "python3.12"}}), "Runtime python3.12 is not supported");
  REQUIRE(scene.publish(Document::object()));
  refused(scene.ask(concurrency_operations(),
                    "PutProvisionedConcurrencyConfig",
                    {{"Qualifier", "1"}, {"ProvisionedConcurrentExecutions", 1}}),
          "Provisioned concurrency is not supported");
}

TEST_CASE("a function on Managed Instances has 2 to 32 GB of memory and at least one vCPU",
          "[managed]") {
  Scene scene;
  CHECK(scene.create_managed()["MemorySize"] == 2048);
  REQUIRE(scene.update({{"MemorySize", 32768}}));
  const auto less = scene.update({{"MemorySize", 2047}});
  REQUIRE_FALSE(less);
  CHECK(less.error().exception == "ValidationException");
  CHECK(less.error().message.find("greater than or equal to 2048") != std::string::npos);
  auto ratio = config_of(kProvider);
  ratio["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
       ["ExecutionEnvironmentMemoryGiBPerVCpu"] = 8;
  ratio["MemorySize"] = 4096;
  refused(scene.update(ratio), "at least one vCPU");
}

TEST_CASE("how many invocations a runtime serves at a time is told where nobody said it",
          "[managed]") {
  Scene scene;
  auto input = config_of(kProvider);
  auto& inner = input["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"];
  inner.erase("PerExecutionEnvironmentMaxConcurrency");
  input["Runtime"] = "nodejs24.x";
  input["MemorySize"] = 4096;
  const auto created = scene.create("f", input);
  CHECK(created["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
               ["PerExecutionEnvironmentMaxConcurrency"] == 128);
}

TEST_CASE("$LATEST of a function on Managed Instances is active and cannot be invoked",
          "[managed]") {
  Scene scene;
  scene.create_managed();
  const auto state = [&](const Document& qualifier) {
    return scene.ask(function_operations(), "GetFunctionConfiguration", qualifier).value()["State"];
  };
  CHECK(state(Document::object()) == "ActiveNonInvocable");
  REQUIRE(scene.publish());
  CHECK(state({{"Qualifier", "$LATEST.PUBLISHED"}}) == "Active");
}

TEST_CASE("a version on Managed Instances is in the state of its environments", "[managed]") {
  using emulator::environment::VersionStatus;
  Scene scene;
  std::optional<VersionStatus> status{{.state = VersionStatus::State::pending}};
  scene.world.version_status = [&](const std::string& function, const std::string& number) {
    CHECK(function == "f");
    CHECK(number == "$LATEST.PUBLISHED");
    return status;
  };
  scene.create_managed();
  const auto published = scene.publish();
  REQUIRE(published);
  CHECK((*published)["State"] == "Pending");
  const auto shown = [&] {
    return scene
        .ask(
            function_operations(), "GetFunctionConfiguration", {{"Qualifier", "$LATEST.PUBLISHED"}})
        .value();
  };
  CHECK(shown()["State"] == "Pending");
  CHECK(shown()["StateReasonCode"] == "Creating");
  status = VersionStatus{.state = VersionStatus::State::active};
  CHECK(shown()["State"] == "Active");
  status = VersionStatus{.state = VersionStatus::State::failed,
                         .failure = emulator::environment::TimedOut{}};
  CHECK(shown()["State"] == "Failed");
  CHECK(shown()["StateReasonCode"] == "FunctionError.InitTimeout");
  // Nobody waits for environments that it may not have.
  REQUIRE(scene.scale({{"MinExecutionEnvironments", 0}, {"MaxExecutionEnvironments", 0}}));
  CHECK(shown()["State"] == "Deactivated");
  CHECK_FALSE(shown().contains("StateReasonCode"));
}

TEST_CASE("$LATEST.PUBLISHED is made and made anew, beside the numbers", "[managed]") {
  Scene scene;
  const auto created = scene.create_managed({{"Publish", true}, {"PublishTo", "LATEST_PUBLISHED"}});
  CHECK(created["Version"] == "$LATEST.PUBLISHED");
  const auto same = scene.publish();
  REQUIRE(same);
  CHECK((*same)["FunctionArn"] == kFunction + ":$LATEST.PUBLISHED");
  CHECK(scene.publish(Document::object()).value()["Version"] == "1");
  const auto before = scene.publish().value()["RevisionId"];
  CHECK(before == (*same)["RevisionId"]);
  REQUIRE(scene.update({{"Timeout", 9}}));
  const auto after = scene.publish().value();
  CHECK(after["RevisionId"] != before);
  CHECK(after["Timeout"] == 9);
  CHECK(after["Version"] == "$LATEST.PUBLISHED");
  CHECK(scene.world.registry.find("f")->published.size() == 1);
  const Document named = {{"Qualifier", "$LATEST.PUBLISHED"}};
  REQUIRE(scene.ask(function_operations(), "DeleteFunction", named));
  CHECK_FALSE(scene.ask(function_operations(), "GetFunction", named));
  CHECK(scene.publish().value()["Version"] == "$LATEST.PUBLISHED");
}

TEST_CASE("lists of versions have $LATEST.PUBLISHED behind $LATEST, page after page", "[managed]") {
  Scene scene;
  scene.create_managed();
  REQUIRE(scene.publish());
  REQUIRE(scene.publish(Document::object()));
  for (const auto& [operations, name, member] :
       {std::tuple{version_operations(), "ListVersionsByFunction", "Versions"},
        std::tuple{function_operations(), "ListFunctions", "Functions"}}) {
    std::string seen;
    Document marker = Document::object();
    do {
      Document input = {{"MaxItems", 1}, {"FunctionVersion", "ALL"}};
      input.update(marker);
      const auto page = scene.ask(operations, name, input).value();
      for (const auto& one : page.at(member)) seen += one["Version"].get<std::string>() + " ";
      marker = Document::object();
      if (page.contains("NextMarker")) marker["Marker"] = page["NextMarker"];
    } while (!marker.empty());
    CHECK(seen == "$LATEST $LATEST.PUBLISHED 1 ");
  }
}

TEST_CASE("PublishTo is for functions on Managed Instances", "[managed]") {
  Scene scene;
  scene.create("f");
  refused(scene.publish(), "PublishTo is for functions on Managed Instances");
}

TEST_CASE("a version has as many environments as its scaling configuration says", "[managed]") {
  Scene scene;
  scene.create_managed();
  REQUIRE(scene.publish());
  CHECK(scene.scaling()["AppliedFunctionScalingConfig"] ==
        Document{{"MinExecutionEnvironments", 1}, {"MaxExecutionEnvironments", 3}});
  CHECK_FALSE(scene.scaling().contains("RequestedFunctionScalingConfig"));
  const Document five = {{"MinExecutionEnvironments", 5}, {"MaxExecutionEnvironments", 20}};
  CHECK(scene.scale(five).value()["FunctionState"] == "Active");
  CHECK(scene.scaling()["RequestedFunctionScalingConfig"] == five);
  CHECK(scene.scaling()["FunctionArn"] == kFunction + ":$LATEST.PUBLISHED");
  // It holds for what is published there later, and not for numbers.
  REQUIRE(scene.update({{"Timeout", 9}}));
  REQUIRE(scene.publish());
  CHECK(scene.scaling()["AppliedFunctionScalingConfig"] == five);
  // What is left out is what it always was.
  REQUIRE(scene.scale({{"MaxExecutionEnvironments", 20}}));
  CHECK(scene.scaling()["AppliedFunctionScalingConfig"]["MinExecutionEnvironments"] == 1);
  const auto none = scene.scale({{"MinExecutionEnvironments", 0}, {"MaxExecutionEnvironments", 0}});
  CHECK(none.value()["FunctionState"] == "Deactivated");
  const auto read = scene.ask(
      function_operations(), "GetFunctionConfiguration", {{"Qualifier", "$LATEST.PUBLISHED"}});
  CHECK(read.value()["State"] == "Deactivated");
  REQUIRE(scene.scale(Document::object()));
  CHECK_FALSE(scene.scaling().contains("RequestedFunctionScalingConfig"));
}

TEST_CASE("a scaling configuration that makes no sense is refused", "[managed]") {
  Scene scene;
  scene.create_managed();
  CHECK(scene.scale(Document::object()).error().status == 404);
  REQUIRE(scene.publish());
  refused(scene.scale({{"MinExecutionEnvironments", 3}, {"MaxExecutionEnvironments", 2}}),
          "is more than");
  refused(scene.scale({{"MinExecutionEnvironments", 0}, {"MaxExecutionEnvironments", 2}}),
          "deactivates");
  scene.create("g");
  REQUIRE(scene.run(version_operations(), "PublishVersion", {{"FunctionName", "g"}}));
  refused(scene.run(scaling_operations(),
                    "GetFunctionScalingConfig",
                    {{"FunctionName", "g"}, {"Qualifier", "1"}}),
          "not on Managed Instances");
}

TEST_CASE("a described function on Managed Instances is published where its code lies",
          "[managed]") {
  Scene scene;
  auto function = described_on_managed_instances();
  REQUIRE(put_described(function, scene.world));
  const auto record = scene.world.registry.find("f");
  REQUIRE(record->latest_published);
  CHECK(record->latest_published->code.folder == "/somewhere");
  // Hearth's own provider, which it did not name.
  const auto provider =
      scene.run(capacity_operations(), "GetCapacityProvider", {{"CapacityProviderName", "hearth"}});
  REQUIRE(provider);
  CHECK((*provider)["CapacityProvider"]["State"] == "Active");
  // What it has already is no provider that has to be there.
  CHECK(scene.update(config_of(capacity_provider_of(
      scene.ask(function_operations(), "GetFunctionConfiguration", Document::object()).value()))));
  function.managed.reset();
  REQUIRE(put_described(function, scene.world));
  CHECK_FALSE(scene.world.registry.find("f")->latest_published);
}

TEST_CASE("a described function has as many environments as its description says", "[managed]") {
  Scene scene;
  auto function = described_on_managed_instances();
  function.managed->min_environments = 2;
  function.managed->max_environments = 4;
  const std::string published(emulator::functions::kLatestPublished);
  const auto config = [&] { return scene.world.registry.find("f")->scaling; };
  REQUIRE(put_described(function, scene.world));
  CHECK(config().at(published) == emulator::registry::ScalingConfig{2, 4});
  // What the API makes of it stays until it is described otherwise.
  REQUIRE(scene.scale({{"MinExecutionEnvironments", 1}, {"MaxExecutionEnvironments", 1}}));
  REQUIRE(put_described(function, scene.world));
  CHECK(config().at(published) == emulator::registry::ScalingConfig{1, 1});
  function.managed->max_environments = 5;
  REQUIRE(put_described(function, scene.world));
  CHECK(config().at(published) == emulator::registry::ScalingConfig{2, 5});
  function.managed->min_environments = 6;
  CHECK_FALSE(put_described(function, scene.world));
  function.managed->min_environments.reset();
  function.managed->max_environments.reset();
  REQUIRE(put_described(function, scene.world));
  CHECK(config().empty());
}
