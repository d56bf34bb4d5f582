// Which version runs, and what it is told, where a caller names a version or an alias.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <string>

using nlohmann::json;
using tests::LambdaApi;
using tests::Serving;

namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:f";
constexpr int kInvocations = 1000;

json create_alias(const LambdaApi& api, const json& arguments) {
  return api.call("POST", "/2015-03-31/functions/f/aliases", arguments);
}

// Version 1 echoes, version 2 fails; the alias sends 5 of 100 to it. What came of the invocations,
// in order: "." or "x".
std::string split_with_seed(const std::string& seed) {
  Serving serving({"--alias-seed", seed});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  api.publish("f");
  api.configure("f", {{"Handler", "function_error"}});
  api.publish("f");
  create_alias(api,
               {{"Name", "live"},
                {"FunctionVersion", "1"},
                {"RoutingConfig", {{"AdditionalVersionWeights", {{"2", 0.05}}}}}});
  std::string outcomes;
  for (int at = 0; at < kInvocations; ++at) {
    const auto answer = api.invoke("f:live");
    const bool failed = !answer.header("X-Amz-Function-Error").empty();
    if (answer.status != 200) throw std::runtime_error(answer.body);
    CHECK(answer.header("X-Amz-Executed-Version") == (failed ? "2" : "1"));
    outcomes += failed ? 'x' : '.';
  }
  serving.stop();
  return outcomes;
}

}  // namespace

TEST_CASE("a function is told the ARN it was invoked by, and the caller the version that ran",
          "[versions]") {
  Serving serving({});
  const LambdaApi api(serving.port());
  api.create(tests::python_function(
      "f",
      "def handler(event, context):\n"
      "    return [context.invoked_function_arn, context.function_version]\n"));
  REQUIRE(api.publish("f") == "1");
  create_alias(api, {{"Name", "live"}, {"FunctionVersion", "1"}});
  create_alias(api, {{"Name", "head"}, {"FunctionVersion", "$LATEST"}});
  const struct {
    const char* qualifier;
    const char* version;
  } kRows[] = {
      {"", "$LATEST"}, {":$LATEST", "$LATEST"}, {":1", "1"}, {":live", "1"}, {":head", "$LATEST"}};
  for (const auto& row : kRows) {
    const auto answer = api.invoke(std::string("f") + row.qualifier);
    INFO(answer.body);
    CHECK(answer.json() == json{std::string(kArn) + row.qualifier, row.version});
    CHECK(answer.header("X-Amz-Executed-Version") == row.version);
  }
  CHECK(api.invoke("f:2").status == 404);
  serving.stop();
}

TEST_CASE("an alias that moves is followed at the next invocation", "[versions]") {
  Serving serving({});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  api.publish("f");
  api.configure("f", {{"Handler", "function_error"}});
  api.publish("f");
  create_alias(api, {{"Name", "live"}, {"FunctionVersion", "1"}});
  CHECK(api.invoke("f:live", "1").body == "1");
  api.call("PUT", "/2015-03-31/functions/f/aliases/live", {{"FunctionVersion", "2"}});
  const auto moved = api.invoke("f:live", "1");
  CHECK(moved.header("X-Amz-Function-Error") == "Unhandled");
  CHECK(moved.header("X-Amz-Executed-Version") == "2");
  serving.stop();
}

TEST_CASE("an alias splits invocations by weight, and a seed repeats its choices", "[versions]") {
  const auto first = split_with_seed("7");
  // 50 are expected, with a standard deviation of 6.9.
  const auto failures = std::count(first.begin(), first.end(), 'x');
  CHECK(failures >= 22);
  CHECK(failures <= 78);
  CHECK(split_with_seed("7") == first);
}
