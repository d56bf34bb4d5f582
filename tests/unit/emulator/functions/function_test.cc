#include "emulator/functions/function.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::functions;

namespace {

FunctionConfiguration valid() {
  FunctionConfiguration configuration;
  configuration.name = "orders";
  configuration.handler = "app.handler";
  return configuration;
}

}  // namespace

TEST_CASE("a function is named by name, partial ARN or ARN, each with an optional qualifier") {
  const FunctionReference bare{.name = "f", .qualifier = {}, .account = {}, .region = {}};
  CHECK(parse_function_reference("f") == bare);
  CHECK(parse_function_reference("f:$LATEST")->qualifier == "$LATEST");
  CHECK(parse_function_reference("function:f")->name == "f");
  CHECK(parse_function_reference("123456789012:function:f")->account == "123456789012");
  const auto full = parse_function_reference("arn:aws:lambda:eu-west-1:123456789012:function:f:7");
  REQUIRE(full);
  CHECK(full->region == "eu-west-1");
  CHECK(full->name == "f");
  CHECK(full->qualifier == "7");
}

TEST_CASE("text that is no function name is refused") {
  for (const auto* text : {"",
                           ":",
                           "a b",
                           "f:",
                           "f:a:b",
                           "arn:aws:s3:::bucket",
                           "a/b",
                           "arn:aws:lambda:us-east-1:1:function:f",
                           "123456789012:layer:f",
                           "arn:aws:lambda:us-east-1:123456789012:function:"}) {
    INFO(text);
    CHECK_FALSE(parse_function_reference(text));
  }
}

TEST_CASE("a configuration within every quota is accepted") { CHECK(validate(valid())); }

TEST_CASE("each quota is refused with a sentence that names the limit") {
  auto memory = valid();
  memory.memory = {127};
  CHECK(validate(memory).error().message.find("between 128 and 10240") != std::string::npos);
  auto timeout = valid();
  timeout.timeout = std::chrono::seconds{901};
  CHECK(validate(timeout).error().message.find("between 1 and 900") != std::string::npos);
  auto storage = valid();
  storage.ephemeral_storage = {511};
  CHECK_FALSE(validate(storage));
  auto handler = valid();
  handler.handler = "a b";
  CHECK_FALSE(validate(handler));
  auto layers = valid();
  layers.layers.resize(6);
  CHECK_FALSE(validate(layers));
}

TEST_CASE("reserved environment variables are refused by name") {
  auto configuration = valid();
  configuration.variables["AWS_REGION"] = "eu-west-1";
  const auto result = validate(configuration);
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("AWS_REGION is reserved") != std::string::npos);
}

TEST_CASE("environment variables beyond 4 KB are refused") {
  auto configuration = valid();
  configuration.variables["BIG"] = std::string(4094, 'x');
  CHECK_FALSE(validate(configuration));
  configuration.variables["BIG"] = std::string(4093, 'x');
  CHECK(validate(configuration));
}

TEST_CASE("an ARN carries the partition of its region and the qualifier only when given") {
  CHECK(function_arn("us-east-1", "123456789012", "f") ==
        "arn:aws:lambda:us-east-1:123456789012:function:f");
  CHECK(function_arn("cn-north-1", "123456789012", "f", "$LATEST") ==
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST");
}

TEST_CASE("a caller may write dots in a name, a configuration may not", "[functions]") {
  CHECK(parse_function_reference("my.function") ==
        FunctionReference{.name = "my.function", .qualifier = {}, .account = {}, .region = {}});
  const auto full =
      parse_function_reference("arn:aws:lambda:eu-west-1:123456789012:function:a.b-c_d:live");
  REQUIRE(full);
  CHECK(full->name == "a.b-c_d");
  CHECK(full->qualifier == "live");
  CHECK_FALSE(parse_function_reference("my/function"));
  FunctionConfiguration dotted;
  dotted.name = "my.function";
  CHECK_FALSE(validate(dotted));
}

TEST_CASE("Managed Instances run some runtimes, with memory for whole vCPUs", "[functions]") {
  for (const auto* runtime : {"java21",
                              "java25",
                              "python3.13",
                              "nodejs22.x",
                              "nodejs24.x",
                              "dotnet8",
                              "provided.al2023"}) {
    INFO(runtime);
    CHECK(supports_managed_instances(runtime));
  }
  for (const auto* runtime :
       {"java17", "python3.12", "nodejs20.x", "dotnet6", "provided.al2", "ruby3.4", "nodejs", ""}) {
    INFO(runtime);
    CHECK_FALSE(supports_managed_instances(runtime));
  }
  CHECK(usual_managed_concurrency("nodejs22.x", {2'048}, 2) == 64);
  CHECK(usual_managed_concurrency("java21", {8'192}, 4) == 64);
  CHECK(usual_managed_concurrency("python3.13", {4'096}, 2) == 32);
  CHECK(usual_managed_concurrency("provided.al2023", {2'048}, 2) == 8);
  auto managed = valid();
  managed.runtime = "python3.13";
  managed.managed.emplace();
  managed.memory = {2'047};
  CHECK(validate(managed).error().message.find("between 2048 and 32768") != std::string::npos);
  managed.memory = {32'768};
  CHECK(validate(managed));
  managed.memory = {2'048};
  managed.managed->memory_per_cpu = 4;
  CHECK(validate(managed).error().message.find("no whole vCPU") != std::string::npos);
}

TEST_CASE("SnapStart goes with its runtimes, and with little storage", "[functions]") {
  for (const auto* runtime : {"java11", "java17", "java21", "python3.12", "dotnet8"}) {
    CHECK(supports_snap_start(runtime));
  }
  for (const auto* runtime : {"java8",
                              "java8.al2",
                              "python3.11",
                              "python3.9",
                              "dotnetcore3.1",
                              "dotnet6",
                              "nodejs22.x",
                              "provided.al2023",
                              "java",
                              "python3.",
                              ""}) {
    INFO(runtime);
    CHECK_FALSE(supports_snap_start(runtime));
  }
  FunctionConfiguration function;
  function.name = "f";
  function.snap_start = SnapStart::published_versions;
  function.runtime = "python3.12";
  CHECK(validate(function));
  function.ephemeral_storage = {513};
  CHECK_FALSE(validate(function));
  function.ephemeral_storage = kMinEphemeralStorage;
  function.runtime = "ruby3.3";
  REQUIRE_FALSE(validate(function));
  CHECK(validate(function).error().message.find("no SnapStart") != std::string::npos);
  // What is started in place of a bootstrap is no runtime of AWS's.
  function.command = {"./server"};
  CHECK(validate(function));
  function.tenant_isolation = TenantIsolation::per_tenant;
  CHECK_FALSE(validate(function));
}
