// Functions that AWS's own runtime clients run, each in the sandbox that is the default.
#include "tests/end_to_end/official_runtimes.h"

#include <catch2/catch_test_macros.hpp>

#include <sys/types.h>

#include <algorithm>
#include <fstream>
#include <string>

using nlohmann::json;
using tests::built_project;
using tests::interpreted_project;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;

namespace {

const Words kFails = {"--payload", R"({"fail_with":"no such order"})"};
const Words kFailsInInit = {"--env", "ECHO_FAILS_IN_INIT=1"};

// A function from source text, which fails as those of the built projects do.
class WrittenFunction {
 public:
  WrittenFunction(const std::string& runtime, const std::string& file, const std::string& source)
      : runtime_(runtime) {
    folder_.write(file, source);
  }
  Words project() const {
    return {"--code", folder_.path().string(), "--runtime", runtime_, "--handler", "app.handler"};
  }

 private:
  ScratchFolder folder_;
  std::string runtime_;
};

// Whether the plan for this host has a system call filter; the default gives it up where it must.
bool host_filters_system_calls() {
  const auto told = tests::run_hearth({"doctor", "--json"});
  const auto steps = json::parse(told.output).at("steps");
  return std::any_of(steps.begin(), steps.end(), [](const json& step) {
    return step.at("name") == "system call filter";
  });
}

// As /proc has it: 2 is a filter.
std::string seccomp_mode(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    if (word == "Seccomp:" && status >> word) return word;
  }
  return "none told";
}

void check_answers(const std::string& function, const Words& project) {
  const json event = {{"text", "Gr\u00fc\u00dfe, \u4e16\u754c"},
                      {"list", {1, nullptr, true}},
                      {"deep", {{"number", 1.5}, {"empty", json::object()}}}};
  Serving serving(project);
  for (int i = 0; i < 3; ++i) {  // a cold one, and two of a process that was idle in between
    const auto answer = tests::invoke_function(serving.port(), function, event.dump());
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    CHECK(answer.header("X-Amz-Function-Error").empty());
    CHECK(answer.json() == event);
  }
  const auto environments = tests::http(serving.port(), "GET", "/_hearth/environments").json();
  REQUIRE(environments.at("environments").size() == 1);
  const pid_t pid = environments["environments"][0].at("pid").get<pid_t>();
  if (host_filters_system_calls()) CHECK(seccomp_mode(pid) == "2");
  CHECK(serving.stop().status == 0);
}

// What an invocation that fails answers.
json failure_of(Words project, const Words& how) {
  project.insert(project.end(), how.begin(), how.end());
  const auto ended = tests::invoke(project);
  INFO(ended.errors);
  REQUIRE(ended.status == 1);
  return json::parse(ended.output);
}

void check_failure(const Words& project,
                   const Words& how,
                   const std::string& type,
                   const std::string& message) {
  const auto error = failure_of(project, how);
  INFO(error);
  CHECK(error.at("errorType") == type);
  CHECK(error.at("errorMessage").get<std::string>().ends_with(message));
}

}  // namespace

TEST_CASE("a function on AWS's client for Python answers, fails, and fails to start",
          "[official-runtimes]") {
  check_answers("echo-python", interpreted_project("echo-python", "python3"));
  const WrittenFunction failing("python3.11", "app.py", R"(
import os
if "ECHO_FAILS_IN_INIT" in os.environ:
    raise RuntimeError("asked to fail")

def handler(event, context):
    raise KeyError(event["fail_with"])
)");
  check_failure(failing.project(), kFails, "KeyError", "'no such order'");
  check_failure(failing.project(), kFailsInInit, "RuntimeError", "asked to fail");
}

TEST_CASE("a function on AWS's client for Node.js answers, fails, and fails to start",
          "[official-runtimes]") {
  check_answers("echo-node", interpreted_project("echo-node", "node"));
  const WrittenFunction failing("nodejs20.x", "app.mjs", R"(
if (process.env.ECHO_FAILS_IN_INIT) throw new TypeError("asked to fail");
export const handler = async (event) => { throw new RangeError(event.fail_with); };
)");
  check_failure(failing.project(), kFails, "RangeError", "no such order");
  check_failure(failing.project(), kFailsInInit, "TypeError", "asked to fail");
}

TEST_CASE("a function on AWS's client for Java answers, fails, and fails to start",
          "[official-runtimes]") {
  const auto project = built_project("echo-java");
  check_answers("echo-java", project);
  check_failure(project, kFails, "java.lang.IllegalArgumentException", "no such order");
  check_failure(project, kFailsInInit, "java.lang.IllegalStateException", "before the first event");
}

TEST_CASE("a function on AWS's client for Go answers, fails, and fails to start",
          "[official-runtimes]") {
  const auto project = built_project("echo-go");
  check_answers("echo-go", project);
  check_failure(project, kFails, "errorString", "no such order");
  check_failure(project, kFailsInInit, "Runtime.ExitError", "exit status 2");
}

TEST_CASE("a function on AWS's client for Rust answers, fails, and fails to start",
          "[official-runtimes]") {
  const auto project = built_project("echo-rust");
  check_answers("echo-rust", project);
  // The client names the type of the error as the compiler does.
  const auto error = failure_of(project, kFails);
  CHECK(error.at("errorType").get<std::string>().find("core::error::Error") != std::string::npos);
  CHECK(error.at("errorMessage") == "no such order");
  check_failure(project, kFailsInInit, "Runtime.ExitError", "exit status 1");
}
