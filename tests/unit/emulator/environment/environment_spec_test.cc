#include "emulator/environment/environment_spec.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::environment;

namespace {

VariableSources sources() {
  VariableSources s;
  s.function_name = "orders";
  s.handler = "app.handler";
  s.region = "eu-west-1";
  s.memory_size_mb = 1024;
  s.access_key_id = "AKIA";
  s.secret_access_key = "secret";
  s.session_token = "token";
  return s;
}

}  // namespace

TEST_CASE("a function has the variables that were recorded from provided.al2023", "[environment]") {
  // AWS_LAMBDA_RUNTIME_API and AWS_LAMBDA_LOG_STREAM_NAME come with each environment,
  // _X_AMZN_TRACE_ID with each invocation.
  const std::map<std::string, std::string> recorded = {
      {"AWS_ACCESS_KEY_ID", "AKIA"},
      {"AWS_DEFAULT_REGION", "eu-west-1"},
      {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"},
      {"AWS_LAMBDA_FUNCTION_NAME", "orders"},
      {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
      {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"},
      {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/orders"},
      {"AWS_REGION", "eu-west-1"},
      {"AWS_SECRET_ACCESS_KEY", "secret"},
      {"AWS_SESSION_TOKEN", "token"},
      {"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"},
      {"AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"},
      {"LAMBDA_RUNTIME_DIR", "/var/runtime"},
      {"LAMBDA_TASK_ROOT", "/var/task"},
      {"LANG", "en_US.UTF-8"},
      {"LD_LIBRARY_PATH",
       "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:"
       "/opt/lib"},
      {"PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"},
      {"TZ", ":UTC"},
      {"_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1"},
      {"_AWS_XRAY_DAEMON_PORT", "2000"},
      {"_HANDLER", "app.handler"},
  };
  CHECK(function_variables(sources()) == recorded);
}

TEST_CASE("the folders of a host stand in for the service's", "[environment]") {
  auto s = sources();
  s.task_root = "/home/dev/orders";
  s.layers_root = "/tmp/layers";
  const auto variables = function_variables(s);
  CHECK(variables.at("LAMBDA_TASK_ROOT") == "/home/dev/orders");
  CHECK(variables.at("PATH").ends_with(":/tmp/layers/bin"));
  CHECK(variables.at("LD_LIBRARY_PATH")
            .ends_with(":/home/dev/orders:/home/dev/orders/lib:/tmp/layers/lib"));
}

TEST_CASE("only a function with a JSON log is told of its format and level", "[environment]") {
  auto s = sources();
  CHECK_FALSE(function_variables(s).contains("AWS_LAMBDA_LOG_FORMAT"));
  s.log_level = "DEBUG";
  s.customer = {{"AWS_LAMBDA_LOG_LEVEL", "other"}};
  CHECK(function_variables(s).at("AWS_LAMBDA_LOG_FORMAT") == "JSON");
  CHECK(function_variables(s).at("AWS_LAMBDA_LOG_LEVEL") == "DEBUG");
}

TEST_CASE("a customer's variable beats the runtime's and the defaults, never a reserved one",
          "[environment]") {
  auto s = sources();
  s.runtime = {{"AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"}, {"LANG", "C"}, {"TZ", "a"}};
  s.customer = {{"TZ", "Europe/Berlin"},
                {"TABLE", "a=b"},
                {"AWS_REGION", "mars"},
                {"_HANDLER", "other"},
                {"AWS_SESSION_TOKEN", "stolen"}};
  const auto variables = function_variables(s);
  CHECK(variables.at("TZ") == "Europe/Berlin");
  CHECK(variables.at("LANG") == "C");
  CHECK(variables.at("TABLE") == "a=b");
  CHECK(variables.at("AWS_EXECUTION_ENV") == "AWS_Lambda_python3.12");
  CHECK(variables.at("AWS_REGION") == "eu-west-1");
  CHECK(variables.at("_HANDLER") == "app.handler");
  CHECK(variables.at("AWS_SESSION_TOKEN") == "token");
}

TEST_CASE("a version's provisioned environments are told so and have longer for their init") {
  EnvironmentSpec on_demand;
  on_demand.variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
  on_demand.variables["COLOUR"] = "blue";
  on_demand.timeout = std::chrono::seconds{3};
  const auto provisioned = provisioned_variant(on_demand);
  CHECK(provisioned.initialization == Initialization::provisioned_concurrency);
  CHECK(provisioned.variables.at("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency");
  CHECK(provisioned.variables.at("COLOUR") == "blue");
  CHECK(provisioned.timeout == on_demand.timeout);
  CHECK(provisioned.init_limit == std::chrono::seconds{130});
  CHECK(on_demand.init_limit == std::chrono::seconds{10});
}

TEST_CASE("an init ahead may take as long as the function may run, up to fifteen minutes") {
  EnvironmentSpec spec;
  spec.timeout = std::chrono::seconds{131};
  CHECK(provisioned_variant(spec).init_limit == std::chrono::seconds{131});
  spec.timeout = std::chrono::hours{1};
  CHECK(provisioned_variant(spec).init_limit == std::chrono::seconds{900});
}

TEST_CASE("what is wrong in a copy is no variable of a function with SnapStart", "[environment]") {
  EnvironmentSpec on_demand;
  on_demand.timeout = std::chrono::seconds{200};
  on_demand.variables = function_variables(sources());
  const auto spec = snap_start_variant(on_demand);
  CHECK(spec.initialization == Initialization::snap_start);
  CHECK(spec.init_limit == std::chrono::seconds{200});
  CHECK(spec.variables.at("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start");
  for (const auto* gone : {"AWS_ACCESS_KEY_ID",
                           "AWS_SECRET_ACCESS_KEY",
                           "AWS_SESSION_TOKEN",
                           "AWS_LAMBDA_LOG_GROUP_NAME"}) {
    CHECK_FALSE(spec.variables.contains(gone));
  }
  CHECK(spec.credentials.access_key_id == "AKIA");
  CHECK(spec.credentials.secret_access_key == "secret");
  CHECK(spec.credentials.session_token == "token");
  on_demand.profile = Profile::rie;
  CHECK(snap_start_variant(on_demand).variables.contains("AWS_LAMBDA_LOG_GROUP_NAME"));
}

TEST_CASE("a version's environments are as many as is said, and as is usual for the rest",
          "[managed]") {
  const auto usual = managed_scale({}, {});
  REQUIRE(usual);
  CHECK(usual->min_environments == kDefaultManagedEnvironments);
  CHECK(usual->max_environments == kMostManagedEnvironments);
  const auto many = managed_scale(5, {});
  REQUIRE(many);
  CHECK(many->min_environments == 5);
  CHECK(many->max_environments == 5);
  REQUIRE(managed_scale(0, 0));
  CHECK(managed_scale(0, 0)->max_environments == 0);
  CHECK(managed_scale(3, 2).error().find("is more than") != std::string::npos);
  CHECK(managed_scale(-1, 2).error().find("less than 0") != std::string::npos);
  CHECK(managed_scale(0, 2).error().find("deactivates") != std::string::npos);
  CHECK(managed_scale(1, 15'001).error().find("at most 15000") != std::string::npos);
}
