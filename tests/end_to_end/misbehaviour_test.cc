// What becomes of runtimes that misbehave: the outcome, the answer, the log, and the invocation
// after it, through the built program.
#include "tests/end_to_end/hearth_program.h"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <string>

using nlohmann::json;
using tests::Serving;
using tests::Words;

namespace {

constexpr const char* kEvent = R"({"a":1})";

std::string exit_body(const std::string& reason) {
  return R"(\{"errorType":"Runtime\.ExitError","errorMessage":"RequestId: [0-9a-f-]{36} Error: )" +
         reason + R"("\})";
}

struct Misbehaviour {
  std::string mode;
  Words flags;
  std::string body;    // regular expression
  std::string status;  // of REPORT, after the memory used; a regular expression
  bool is_error = true;
};

const std::string kInit = "\tInit Duration: [0-9.]+ ms";
const std::string kExitError = "\tStatus: error\tError Type: Runtime\\.ExitError";

std::vector<Misbehaviour> misbehaviours() {
  return {
      {"exits_during_invoke",
       {"--env", "TESTEE_EXIT_CODE=3"},
       exit_body("Runtime exited with error: exit status 3"),
       kInit + kExitError},
      {"exits_during_invoke",
       {"--env", "TESTEE_EXIT_CODE=0"},
       exit_body("Runtime exited without providing a reason"),
       kInit + kExitError},
      {"crashes",
       {},
       exit_body("Runtime exited with error: signal: segmentation fault"),
       kInit + kExitError},
      {"crashes",
       {"--env", "TESTEE_SIGNAL=9"},
       exit_body("Runtime exited with error: signal: killed"),
       kInit + kExitError},
      {"exits_in_init", {}, exit_body("Runtime exited with error: exit status 1"), kExitError},
      {"crashes_in_init",
       {},
       exit_body("Runtime exited with error: signal: segmentation fault"),
       kExitError},
      {"init_error",
       {},
       R"(\{"errorMessage":"this function cannot initialize","errorType":"Runtime.InitFailed"\})",
       "\tStatus: error\tError Type: Runtime\\.InitFailed"},
      {"init_error_stays",
       {},
       R"(\{"errorMessage":"this function cannot initialize","errorType":"Runtime.InitFailed"\})",
       "\tStatus: error\tError Type: Runtime\\.InitFailed"},
      {"sleeps_forever",
       {"--timeout", "1"},
       R"(\{"errorType":"Sandbox\.Timedout","errorMessage":"RequestId: [0-9a-f-]{36} Error: )"
       R"(Task timed out after 1\.00 seconds"\})",
       kInit + "\tStatus: timeout"},
      {"spins",
       {"--timeout", "1"},
       R"(\{"errorType":"Sandbox\.Timedout","errorMessage":"RequestId: [0-9a-f-]{36} Error: )"
       R"(Task timed out after 1\.00 seconds"\})",
       kInit + "\tStatus: timeout"},
      {"function_error",
       {"--env", "TESTEE_ERROR_TYPE=Function.Odd"},
       R"(\{"errorMessage":"this function has failed","errorType":"Function\.Odd"\})",
       kInit + "\tStatus: error\tError Type: Function\\.Odd"},
      {"oversized_response",
       {},
       R"(\{.*"errorType":"Function\.ResponseSizeTooLarge".*\})",
       kInit + "\tStatus: error\tError Type: Function\\.ResponseSizeTooLarge"},
      {"truncated_response",
       {},
       R"(\{"errorType":"Runtime\.TruncatedResponse".*\})",
       kInit + "\tStatus: error\tError Type: Runtime\\.TruncatedResponse"},
      {"exits_after_response", {}, R"(\{"a":1\})", kInit + kExitError, false},
      {"responds_twice", {}, R"(\{"a":1\})", kInit + "\t", false},
      {"garbage_speaker", {}, R"(\{"a":1\})", kInit + "\t", false},
      {"slow_after_response", {}, R"(\{"a":1\})", kInit + "\t", false},
      {"forks_child", {}, R"(\{"child":[0-9]+\})", kInit + "\t", false},
      {"ignores_sigterm", {}, R"(\{"a":1\})", kInit + "\t", false},
  };
}

}  // namespace

TEST_CASE("each misbehaviour has its outcome, and the next invocation is served",
          "[misbehaviour]") {
  for (const auto& expected : misbehaviours()) {
    INFO(expected.mode);
    auto words = tests::testee(expected.mode);
    words.insert(words.end(), expected.flags.begin(), expected.flags.end());
    Serving serving(words);
    for (int round = 1; round <= 2; ++round) {
      const auto answer = tests::invoke_function(serving.port(), "testee", kEvent);
      INFO("invocation " << round << " answered " << answer.body.substr(0, 1000));
      CHECK(answer.status == 200);
      CHECK(tests::matches(answer.body, expected.body));
      CHECK((answer.header("X-Amz-Function-Error") == "Unhandled") == expected.is_error);
      const auto id = answer.header("x-amzn-RequestId");
      REQUIRE(id.size() == 36);
      const auto report = serving.program().await_output("REPORT RequestId: " + id);
      const auto memory = "REPORT RequestId: " + id +
                          "\tDuration: [0-9.]+ ms\tBilled Duration: [0-9]+ ms"
                          "\tMemory Size: 128 MB\tMax Memory Used: [0-9]+ MB";
      INFO(report);
      if (round == 1) {
        CHECK(tests::matches(report, memory + expected.status));
      } else {
        CHECK(tests::matches(report, memory + ".*"));
      }
    }
    const auto ended = serving.stop();
    CHECK(ended.status == 0);
    INFO(ended.output);
    const bool timed_out = expected.status.ends_with("timeout");
    CHECK(timed_out ==
          (ended.output.find(" Task timed out after 1.00 seconds\n\nEND RequestId: ") !=
           std::string::npos));
    // After the response too: its caller is not told, and the log is.
    const bool exited = expected.body.find("ExitError") != std::string::npos ||
                        expected.status.ends_with(kExitError);
    CHECK(exited ==
          (ended.output.find("\nRuntime.ExitError\nEND RequestId: ") != std::string::npos));
  }
}

TEST_CASE("an init that never ends is given up after ten seconds, then after the timeout",
          "[misbehaviour]") {
  auto words = tests::testee("slow_init");
  words.insert(words.end(), {"--timeout", "1"});
  const auto ended = tests::invoke(words);
  CHECK(ended.status == 1);
  CHECK(tests::matches(
      ended.errors,
      "INIT_REPORT Init Duration: 1[0-9]{4}\\.[0-9]{2} ms\tPhase: init\tStatus: timeout\n"
      "START RequestId: ([0-9a-f-]{36}) Version: \\$LATEST\n"
      "INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: invoke\tStatus: timeout\n"
      "[0-9-]{10}T[0-9:.]{12}Z \\1 Task timed out after 1\\.00 seconds\n\n"
      "END RequestId: \\1\n"
      "REPORT RequestId: \\1\tDuration: [0-9.]+ ms\tBilled Duration: [0-9]+ ms"
      "\tMemory Size: 128 MB\tMax Memory Used: [0-9]+ MB\tStatus: timeout\n"));
}

TEST_CASE("a failing init is told before START, and its second try after it", "[misbehaviour]") {
  const auto ended = tests::invoke(tests::testee("exits_in_init"));
  CHECK(ended.status == 1);
  CHECK(tests::matches(
      ended.errors,
      "INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: init\tStatus: error"
      "\tError Type: Runtime\\.ExitError\n"
      "START RequestId: ([0-9a-f-]{36}) Version: \\$LATEST\n"
      "INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: invoke\tStatus: error"
      "\tError Type: Runtime\\.ExitError\n"
      "RequestId: \\1 Error: Runtime exited with error: exit status 1\nRuntime\\.ExitError\n"
      "END RequestId: \\1\n"
      "REPORT RequestId: \\1\t[^\n]*\tStatus: error\tError Type: Runtime\\.ExitError\n"));
}

TEST_CASE("a function that logs a lot loses no line, and none stands in the platform's",
          "[misbehaviour]") {
  auto words = tests::testee("chatty_logger");
  words.insert(words.end(), {"--env", "TESTEE_LINES=1000", "--timeout", "20"});
  const auto ended = tests::invoke(words);
  CHECK(ended.status == 0);
  CHECK(ended.output == "{}");
  for (const int line : {1, 2, 500, 999, 1000}) {
    CHECK(ended.errors.find("line " + std::to_string(line) + "\n") != std::string::npos);
  }
  CHECK(std::count(ended.errors.begin(), ended.errors.end(), 'x') >= 300'000);
  CHECK(ended.errors.find("no newline after this\nEND RequestId: ") != std::string::npos);
}
