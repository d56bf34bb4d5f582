#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

const std::string kArn = "arn:aws:lambda:us-east-1:123456789012:function:f";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(account_operations(), name, input);
}

}  // namespace

TEST_CASE("the account's settings count what there is", "[account]") {
  ServiceParts parts;
  const auto size = parts.create("f", {{"Publish", true}})["CodeSize"].get<int>();
  parts.create("g");
  REQUIRE(parts.run(concurrency_operations(),
                    "PutFunctionConcurrency",
                    {{"FunctionName", "f"}, {"ReservedConcurrentExecutions", 100}}));
  const auto settings = run(parts, "GetAccountSettings", Document::object()).value();
  CHECK(settings["AccountLimit"] == Document{{"TotalCodeSize", 80'530'636'800},
                                             {"CodeSizeUnzipped", 262'144'000},
                                             {"CodeSizeZipped", 52'428'800},
                                             {"ConcurrentExecutions", 1000},
                                             {"UnreservedConcurrentExecutions", 900}});
  CHECK(settings["AccountUsage"]["FunctionCount"] == 2);
  // f, its version 1 and g.
  CHECK(settings["AccountUsage"]["TotalCodeSize"] == 3 * size);
}

TEST_CASE("what is to become of recursive loops is kept", "[account]") {
  ServiceParts parts;
  const Document f = {{"FunctionName", "f"}};
  CHECK(run(parts, "GetFunctionRecursionConfig", f).error().message ==
        "Function not found: " + kArn);
  parts.create("f");
  CHECK(run(parts, "GetFunctionRecursionConfig", f).value() ==
        Document{{"RecursiveLoop", "Terminate"}});
  const Document allow = {{"RecursiveLoop", "Allow"}};
  CHECK(
      run(parts, "PutFunctionRecursionConfig", {{"FunctionName", "f"}, {"RecursiveLoop", "Allow"}})
          .value() == allow);
  CHECK(run(parts, "GetFunctionRecursionConfig", f).value() == allow);
}

TEST_CASE("when a runtime is updated is kept for each qualifier", "[account]") {
  ServiceParts parts;
  parts.create("f", {{"Publish", true}});
  const Document f = {{"FunctionName", "f"}};
  CHECK(run(parts, "GetRuntimeManagementConfig", f).value() ==
        Document{{"UpdateRuntimeOn", "Auto"}, {"FunctionArn", kArn}});
  const std::string runtime = "arn:aws:lambda:us-east-1::runtime:" + std::string(64, '0');
  const Document manual = {{"FunctionName", "f"},
                           {"Qualifier", "1"},
                           {"UpdateRuntimeOn", "Manual"},
                           {"RuntimeVersionArn", runtime}};
  const Document kept = {
      {"UpdateRuntimeOn", "Manual"}, {"RuntimeVersionArn", runtime}, {"FunctionArn", kArn + ":1"}};
  CHECK(run(parts, "PutRuntimeManagementConfig", manual).value() == kept);
  CHECK(run(parts, "GetRuntimeManagementConfig", {{"FunctionName", "f:1"}}).value() == kept);
  CHECK(run(parts, "GetRuntimeManagementConfig", f).value()["UpdateRuntimeOn"] == "Auto");
  for (const auto* changes : {R"({"UpdateRuntimeOn":"Auto"})", R"({"RuntimeVersionArn":null})"}) {
    auto input = manual;
    input.merge_patch(Document::parse(changes));
    CHECK(run(parts, "PutRuntimeManagementConfig", input).error().exception ==
          "InvalidParameterValueException");
  }
}

TEST_CASE("a function is named with its qualifier once, in its own region and account",
          "[account]") {
  ServiceParts parts;
  parts.create("f", {{"Publish", true}});
  const auto refusal = [&](const Document& input) {
    return run(parts, "GetRuntimeManagementConfig", input).error();
  };
  CHECK(refusal({{"FunctionName", "f:1"}, {"Qualifier", "$LATEST"}}).message ==
        "The derived qualifier from the function name does not match the specified qualifier.");
  CHECK(run(parts,
            "GetRuntimeManagementConfig",
            {{"FunctionName", "123456789012:function:f:1"}, {"Qualifier", "1"}}));
  const auto far = refusal({{"FunctionName", "arn:aws:lambda:eu-west-1:123456789012:function:f"}});
  CHECK(far.status == 404);
  CHECK(far.message == "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
  const auto foreign =
      refusal({{"FunctionName", "arn:aws:lambda:us-east-1:210987654321:function:f"}});
  CHECK(foreign.status == 403);
  CHECK(foreign.exception == "AccessDeniedException");
  CHECK(refusal({{"FunctionName", "f"}, {"Qualifier", "2"}}).message ==
        "Function not found: " + kArn + ":2");
}
