#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(concurrency_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

Document reserve(const std::string& function, int units) {
  return {{"FunctionName", function}, {"ReservedConcurrentExecutions", units}};
}

Document provision(const std::string& qualifier, int units) {
  return {
      {"FunctionName", "f"}, {"Qualifier", qualifier}, {"ProvisionedConcurrentExecutions", units}};
}

// A function f with the versions 1 and 2 and the alias live for 1.
void create_with_alias(ServiceParts& parts) {
  parts.create("f");
  for (int memory : {129, 130}) {
    REQUIRE(parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}}));
    REQUIRE(parts.run(function_operations(),
                      "UpdateFunctionConfiguration",
                      {{"FunctionName", "f"}, {"MemorySize", memory}}));
  }
  REQUIRE(parts.run(version_operations(),
                    "CreateAlias",
                    {{"FunctionName", "f"}, {"Name", "live"}, {"FunctionVersion", "1"}}));
}

}  // namespace

TEST_CASE("reserved concurrency is put, read and taken away", "[concurrency operations]") {
  ServiceParts parts;
  parts.create("f");
  const Document f = {{"FunctionName", "f"}};
  CHECK(run(parts, "GetFunctionConcurrency", f).value().empty());
  CHECK(run(parts, "PutFunctionConcurrency", reserve("f", 0)));
  CHECK(run(parts, "GetFunctionConcurrency", f).value()["ReservedConcurrentExecutions"] == 0);
  CHECK(parts.run(function_operations(), "GetFunction", f).value()["Concurrency"] ==
        Document{{"ReservedConcurrentExecutions", 0}});
  CHECK(run(parts, "DeleteFunctionConcurrency", f));
  CHECK(run(parts, "GetFunctionConcurrency", f).value().empty());
}

TEST_CASE("no function may reserve what must stay unreserved", "[concurrency operations]") {
  ServiceParts parts;
  parts.create("f");
  parts.create("g");
  CHECK(run(parts, "PutFunctionConcurrency", reserve("f", 500)));
  CHECK(refusal(parts, "PutFunctionConcurrency", reserve("g", 401)).message ==
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].");
  CHECK(run(parts, "PutFunctionConcurrency", reserve("g", 400)));
  CHECK(run(parts, "PutFunctionConcurrency", reserve("f", 10)));
}

TEST_CASE("provisioned concurrency is for a published version or an alias of one",
          "[concurrency operations]") {
  ServiceParts parts;
  create_with_alias(parts);
  CHECK(refusal(parts, "PutProvisionedConcurrencyConfig", provision("$LATEST", 1)).message ==
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
  CHECK(refusal(parts, "PutProvisionedConcurrencyConfig", provision("none", 1)).status == 404);
  const auto put = run(parts, "PutProvisionedConcurrencyConfig", provision("live", 2)).value();
  CHECK(put["Status"] == "IN_PROGRESS");
  CHECK(put["RequestedProvisionedConcurrentExecutions"] == 2);
  CHECK(put["AllocatedProvisionedConcurrentExecutions"] == 0);
  // Its version has it by the alias already.
  CHECK(refusal(parts, "PutProvisionedConcurrencyConfig", provision("1", 1)).status == 409);
  CHECK(run(parts, "PutProvisionedConcurrencyConfig", provision("2", 1)));
  const auto listed =
      run(parts, "ListProvisionedConcurrencyConfigs", {{"FunctionName", "f"}}).value();
  CHECK(listed["ProvisionedConcurrencyConfigs"].size() == 2);
}

TEST_CASE("how far provisioned concurrency is, is asked of the machine",
          "[concurrency operations]") {
  ServiceParts parts;
  create_with_alias(parts);
  const Document live = {{"FunctionName", "f"}, {"Qualifier", "live"}};
  CHECK(refusal(parts, "GetProvisionedConcurrencyConfig", live).exception ==
        "ProvisionedConcurrencyConfigNotFoundException");
  CHECK(run(parts, "PutProvisionedConcurrencyConfig", provision("live", 2)));
  parts.world.provisioned_state = [](const std::string& function, const std::string& qualifier) {
    CHECK(function == "f");
    CHECK(qualifier == "live");
    return ProvisionedState{.status = ProvisionedState::Status::failed,
                            .allocated = 1,
                            .available = 0,
                            .reason = "FUNCTION_ERROR_INIT_FAILURE"};
  };
  const auto read = run(parts, "GetProvisionedConcurrencyConfig", live).value();
  CHECK(read["Status"] == "FAILED");
  CHECK(read["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE");
  CHECK(read["AllocatedProvisionedConcurrentExecutions"] == 1);
  CHECK(run(parts, "DeleteProvisionedConcurrencyConfig", live));
  CHECK(refusal(parts, "GetProvisionedConcurrencyConfig", live).status == 404);
}

TEST_CASE("provisioned concurrency fits into what is reserved, or into the account",
          "[concurrency operations]") {
  ServiceParts parts;
  create_with_alias(parts);
  CHECK(run(parts, "PutFunctionConcurrency", reserve("f", 3)));
  CHECK(refusal(parts, "PutProvisionedConcurrencyConfig", provision("live", 4)).message ==
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function");
  CHECK(run(parts, "PutProvisionedConcurrencyConfig", provision("live", 2)));
  CHECK(refusal(parts, "PutProvisionedConcurrencyConfig", provision("2", 2)).status == 400);
  CHECK(refusal(parts, "PutFunctionConcurrency", reserve("f", 1)).status == 400);
  CHECK(run(parts, "DeleteFunctionConcurrency", {{"FunctionName", "f"}}));
  CHECK(refusal(parts, "PutProvisionedConcurrencyConfig", provision("2", 899)).status == 400);
  CHECK(run(parts, "PutProvisionedConcurrencyConfig", provision("2", 898)));
}

TEST_CASE("a function with tenant isolation has nothing that is prepared for everybody",
          "[concurrency operations]") {
  ServiceParts parts;
  const Document isolation = {{"TenancyConfig", {{"TenantIsolationMode", "PER_TENANT"}}}};
  CHECK(parts.create("f", isolation)["TenancyConfig"] == isolation["TenancyConfig"]);
  REQUIRE(parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}}));
  const auto refused = [](const Answer& answer) {
    REQUIRE_FALSE(answer);
    CHECK(answer.error().exception == "InvalidParameterValueException");
    CHECK(answer.error().message.find("not supported for functions with tenant isolation") !=
          std::string::npos);
  };
  refused(run(parts, "PutProvisionedConcurrencyConfig", provision("1", 1)));
  refused(parts.run(
      url_operations(), "CreateFunctionUrlConfig", {{"FunctionName", "f"}, {"AuthType", "NONE"}}));
  refused(parts.run(
      mapping_operations(),
      "CreateEventSourceMapping",
      {{"FunctionName", "f"}, {"EventSourceArn", "arn:aws:sqs:us-east-1:123456789012:queue"}}));
  refused(parts.run(function_operations(),
                    "UpdateFunctionConfiguration",
                    {{"FunctionName", "f"}, {"SnapStart", {{"ApplyOn", "PublishedVersions"}}}}));
}

TEST_CASE("tenant isolation is chosen when a function is made, and stays",
          "[concurrency operations]") {
  ServiceParts parts;
  parts.create("f", {{"TenancyConfig", {{"TenantIsolationMode", "PER_TENANT"}}}});
  const auto updated = parts.run(function_operations(),
                                 "UpdateFunctionConfiguration",
                                 {{"FunctionName", "f"}, {"MemorySize", 256}});
  REQUIRE(updated);
  CHECK((*updated)["TenancyConfig"]["TenantIsolationMode"] == "PER_TENANT");
  const auto read = parts.run(function_operations(), "GetFunction", {{"FunctionName", "f"}});
  CHECK((*read)["Configuration"]["TenancyConfig"]["TenantIsolationMode"] == "PER_TENANT");
  CHECK_FALSE(parts.create("g").contains("TenancyConfig"));
}
