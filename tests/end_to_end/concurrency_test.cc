// How much runs at once, and who is refused: the account's concurrency, reservations, provisioned
// environments, and the two rates.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::LambdaApi;
using tests::Serving;
using tests::Words;
using namespace std::chrono_literals;

namespace {

Words small_account(const Words& more = {}) {
  Words words = {"--account-concurrency", "3", "--unreserved-minimum", "0"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words at_virtual_time(const Words& more) {
  Words words = {"--clock", "virtual", "--clock-start", "2026-01-01T00:00:00Z"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Invocations that do not end before their server does, which therefore is to be stopped first.
class Sleepers {
 public:
  // Returns once the function has begun with as many as there are now.
  void add(const Serving& serving, const std::string& function) {
    ++count_;
    callers_.emplace_back(
        [port = serving.port(), function] { tests::invoke_function(port, function, "{}"); });
    const LambdaApi api(serving.port());
    tests::eventually("an invocation that sleeps", [&] {
      const auto all = api.shown("environments");
      return std::count_if(all.begin(), all.end(), [](const json& one) {
               return one.at("phase") == "invoking";
             }) == count_;
    });
  }

 private:
  std::vector<std::jthread> callers_;
  std::ptrdiff_t count_ = 0;
};

void check_refused(const tests::Answer& answer, const std::string& reason) {
  INFO(answer.body);
  CHECK(answer.status == 429);
  CHECK(answer.header("x-amzn-ErrorType") == "TooManyRequestsException");
  CHECK(answer.json().value("Reason", "") == reason);
}

json newest_invocation(const LambdaApi& api, const std::string& function) {
  return api.shown("invocations", function).at(0);
}

tests::Answer invoke_with_log(const LambdaApi& api, const std::string& function) {
  return api.invoke(function, "1", {{"X-Amz-Log-Type", "Tail"}});
}

}  // namespace

TEST_CASE("the account's concurrency is shared, and the next invocation is refused",
          "[concurrency]") {
  Sleepers sleepers;  // end after the server
  Serving serving(small_account());
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("sleeper", "sleeps_forever"));
  api.create(tests::testee_function("other", "echo"));
  for (int at = 0; at < 3; ++at) sleepers.add(serving, "sleeper");
  check_refused(api.invoke("sleeper"), "ConcurrentInvocationLimitExceeded");
  check_refused(api.invoke("other"), "ConcurrentInvocationLimitExceeded");
  serving.stop();
}

TEST_CASE("a reservation is a share and a ceiling, and of 0 it stops the function",
          "[concurrency]") {
  Sleepers sleepers;
  Serving serving(small_account());
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("sleeper", "sleeps_forever"));
  api.create(tests::testee_function("reserved", "sleeps_forever"));
  api.create(tests::testee_function("stopped", "echo"));
  CHECK(api.reserve("reserved", 1)["ReservedConcurrentExecutions"] == 1);
  api.reserve("stopped", 0);
  for (int at = 0; at < 2; ++at) sleepers.add(serving, "sleeper");
  check_refused(api.invoke("sleeper"), "ConcurrentInvocationLimitExceeded");
  sleepers.add(serving, "reserved");
  check_refused(api.invoke("reserved"), "ReservedFunctionConcurrentInvocationLimitExceeded");
  check_refused(api.invoke("stopped"), "ReservedFunctionConcurrentInvocationLimitExceeded");
  serving.stop();
}

TEST_CASE("a provisioned environment is ready before its first invocation", "[concurrency]") {
  Serving serving({});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  REQUIRE(api.publish("f") == "1");
  const auto put = api.provision("f", "1", 2);
  CHECK(put["Status"] == "IN_PROGRESS");
  CHECK(put["RequestedProvisionedConcurrentExecutions"] == 2);
  tests::eventually("provisioned concurrency",
                    [&] { return api.provisioned("f", "1").at("Status") == "READY"; });
  const auto ready = api.provisioned("f", "1");
  CHECK(ready["AllocatedProvisionedConcurrentExecutions"] == 2);
  CHECK(ready["AvailableProvisionedConcurrentExecutions"] == 2);
  const auto provisioned = invoke_with_log(api, "f:1");
  CHECK(provisioned.body == "1");
  CHECK(tests::base64_decoded(provisioned.header("X-Amz-Log-Result")).find("Init Duration") ==
        std::string::npos);
  CHECK(newest_invocation(api, "f")["cold"] == false);
  // $LATEST has none.
  invoke_with_log(api, "f");
  CHECK(newest_invocation(api, "f")["cold"] == true);
  serving.stop();
}

TEST_CASE("what is beyond the provisioned environments runs on demand", "[concurrency]") {
  Sleepers sleepers;
  Serving serving({});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "sleeps_forever"));
  api.publish("f");
  api.provision("f", "1", 1);
  tests::eventually("provisioned concurrency",
                    [&] { return api.provisioned("f", "1").at("Status") == "READY"; });
  for (int at = 0; at < 2; ++at) sleepers.add(serving, "f:1");
  std::vector<std::string> kinds;
  for (const auto& one : api.shown("environments")) kinds.push_back(one.at("initialization"));
  std::sort(kinds.begin(), kinds.end());
  CHECK(kinds == std::vector<std::string>{"on-demand", "provisioned-concurrency"});
  CHECK(api.provisioned("f", "1")["AvailableProvisionedConcurrentExecutions"] == 1);
  serving.stop();
}

TEST_CASE("provisioned concurrency of a function whose init fails is failed, and says why",
          "[concurrency]") {
  Serving serving({});
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "exits_in_init"));
  api.publish("f");
  api.provision("f", "1", 1);
  tests::eventually("a failure",
                    [&] { return api.provisioned("f", "1").at("Status") == "FAILED"; });
  CHECK(api.provisioned("f", "1")["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE");
  serving.stop();
}

TEST_CASE("a function scales by a burst, and then as time goes by", "[concurrency]") {
  Sleepers sleepers;
  Serving serving(at_virtual_time({"--scaling-burst", "2"}));
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "sleeps_forever"));
  for (int at = 0; at < 2; ++at) sleepers.add(serving, "f");
  check_refused(api.invoke("f"), "ConcurrentInvocationLimitExceeded");
  api.advance(4999ms);
  check_refused(api.invoke("f"), "ConcurrentInvocationLimitExceeded");
  api.advance(1ms);
  sleepers.add(serving, "f");
  serving.stop();
}

TEST_CASE("requests a second are limited by concurrency, and the refusal says when to come again",
          "[concurrency]") {
  Serving serving(at_virtual_time({"--requests-per-concurrency", "2"}));
  const LambdaApi api(serving.port());
  api.create(tests::testee_function("f", "echo"));
  api.reserve("f", 1);
  CHECK(api.invoke("f").status == 200);
  CHECK(api.invoke("f").status == 200);
  const auto refused = api.invoke("f");
  check_refused(refused, "ReservedFunctionInvocationRateLimitExceeded");
  CHECK(refused.header("Retry-After") == "1");
  api.advance(1s);
  CHECK(api.invoke("f").status == 200);
  serving.stop();
}
