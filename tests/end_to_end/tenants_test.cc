// Tenant isolation, as callers of the API and of the command line have it.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <set>
#include <string>

using nlohmann::json;
using tests::LambdaApi;
using tests::Serving;

namespace {

// Answers with its tenant and with how often its process has served.
constexpr const char* kCounter =
    "count = 0\n"
    "def handler(event, context):\n"
    "    global count\n"
    "    count += 1\n"
    "    return [context.tenant_id, count]\n";

json isolated_counter(const std::string& name) {
  return tests::changed(tests::python_function(name, kCounter),
                        {{"TenancyConfig", {{"TenantIsolationMode", "PER_TENANT"}}}});
}

json answer_for(const LambdaApi& api, const std::string& tenant) {
  return api.invoke("counter", "{}", {{"X-Amz-Tenant-Id", tenant}}).json();
}

}  // namespace

TEST_CASE("each tenant of a served function has environments of its own", "[tenants]") {
  Serving serving({});
  const LambdaApi api(serving.port());
  CHECK(api.create(isolated_counter("counter"))["TenancyConfig"]["TenantIsolationMode"] ==
        "PER_TENANT");
  CHECK(answer_for(api, "blue") == json::array({"blue", 1}));
  CHECK(answer_for(api, "green") == json::array({"green", 1}));
  CHECK(answer_for(api, "blue") == json::array({"blue", 2}));
  std::set<std::string> shown;
  for (const auto& environment : api.shown("environments")) {
    shown.insert(environment.at("tenant_id").get<std::string>());
  }
  CHECK(shown == std::set<std::string>{"blue", "green"});
  // A caller has its answer before the report is written.
  tests::eventually("both reports of a tenant", [&] {
    const auto all = api.shown("invocations", "counter");
    return std::count_if(all.begin(), all.end(), [](const json& one) {
             return one.at("tenant_id") == "blue";
           }) == 2;
  });
  serving.stop();
}

TEST_CASE("every kind of invocation of such a function must name a tenant", "[tenants]") {
  Serving serving({});
  const LambdaApi api(serving.port());
  api.create(isolated_counter("counter"));
  api.create(tests::testee_function("shared", "echo"));
  for (const auto* type : {"RequestResponse", "Event", "DryRun"}) {
    INFO(type);
    const auto missing = api.invoke("counter", "{}", {{"X-Amz-Invocation-Type", type}});
    CHECK(missing.status == 400);
    CHECK(missing.header("x-amzn-ErrorType") == "InvalidParameterValueException");
    CHECK(missing.body.find("Add a valid tenant ID") != std::string::npos);
    const auto unexpected =
        api.invoke("shared", "{}", {{"X-Amz-Invocation-Type", type}, {"X-Amz-Tenant-Id", "blue"}});
    CHECK(unexpected.status == 400);
    CHECK(unexpected.body.find("Remove the tenant ID") != std::string::npos);
  }
  const auto accepted = api.invoke(
      "counter", "{}", {{"X-Amz-Invocation-Type", "Event"}, {"X-Amz-Tenant-Id", "blue"}});
  CHECK(accepted.status == 202);
  api.await_event_end(accepted.header("x-amzn-RequestId"));
  CHECK(answer_for(api, "blue") == json::array({"blue", 2}));
  serving.stop();
}

TEST_CASE("hearth invoke names a tenant with --tenant-id", "[tenants]") {
  const tests::ScratchFolder folder;
  folder.write("app.py", kCounter);
  const tests::Words function = {"--code",
                                 folder.path().string(),
                                 "--runtime",
                                 "python3.11",
                                 "--handler",
                                 "app.handler",
                                 "--tenant-isolation"};
  auto with_tenant = function;
  with_tenant.insert(with_tenant.end(), {"--tenant-id", "blue"});
  const auto ended = tests::invoke(with_tenant);
  INFO(ended.errors);
  CHECK(ended.output == R"(["blue", 1])");
  const auto without = tests::invoke(function);
  CHECK(without.status == 2);
  CHECK(tests::is_one_sentence(without.errors));
  CHECK(without.errors.find("--tenant-id") != std::string::npos);
}
