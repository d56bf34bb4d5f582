#include "emulator/invoke/error_body.h"

#include <catch2/catch_test_macros.hpp>

#include <signal.h>

#include <string>

using namespace emulator::environment;
using emulator::invoke::error_body;
using emulator::invoke::Profile;

namespace {

const std::string kId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

struct Row {
  const char* what;
  Outcome outcome;
  std::string aws;
  std::string rie;
};

std::string exit_body(const std::string& description) {
  return R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: )" + kId +
         " Error: " + description + R"("})";
}

}  // namespace

TEST_CASE("each outcome has its error document, byte for byte, in both wordings", "[invoke]") {
  const std::string posted = "{ \"errorType\" :\"Oops\"}\n";
  const auto exited = [](std::optional<int> code, std::optional<int> signal, FailurePhase phase) {
    return Outcome(RuntimeExited{code, signal, phase});
  };
  const Row rows[] = {
      {"success", Responded{"{}", ""}, "", ""},
      {"error of the function", FunctionError{"Runtime.Unknown", posted}, posted, posted},
      {"error in init",
       FunctionError{"Runtime.Unknown", posted, FailurePhase::init},
       posted,
       posted},
      {"error without a body", FunctionError{"Runtime.Unknown", ""}, "", ""},
      {"timeout",
       TimedOut{std::chrono::milliseconds(1000)},
       R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: )" + kId +
           R"( Error: Task timed out after 1.00 seconds"})",
       "Task timed out after 1.00 seconds"},
      {"exit status",
       exited(1, {}, FailurePhase::invoke),
       exit_body("Runtime exited with error: exit status 1"),
       exit_body("Runtime exited with error: exit status 1")},
      {"exit 0",
       exited(0, {}, FailurePhase::invoke),
       exit_body("Runtime exited without providing a reason"),
       exit_body("Runtime exited without providing a reason")},
      {"signal",
       exited({}, SIGSEGV, FailurePhase::invoke),
       exit_body("Runtime exited with error: signal: segmentation fault"),
       exit_body("Runtime exited with error: signal: segmentation fault")},
      {"exit in init",
       exited(127, {}, FailurePhase::init),
       exit_body("Runtime exited with error: exit status 127"),
       ""},
      {"out of memory",
       OutOfMemory{},
       R"({"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: )" + kId +
           R"( Error: Runtime exited with error: signal: killed"})",
       R"({"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: )" + kId +
           R"( Error: Runtime exited with error: signal: killed"})"},
      {"out of memory in init",
       OutOfMemory{FailurePhase::init},
       R"({"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: )" + kId +
           R"( Error: Runtime exited with error: signal: killed"})",
       ""},
      {"too large",
       ResponseTooLarge{6'291'557},
       R"({"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 )"
       R"(bytes).","errorType":"Function.ResponseSizeTooLarge"})",
       R"({"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size )"
       R"((6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)."})"},
      {"never started",
       NeverStarted{"Runtime.InvalidEntrypoint", "fork/exec \"/x\": no such file"},
       R"({"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: )" + kId +
           R"( Error: fork/exec \"/x\": no such file"})",
       ""},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    CHECK(error_body(row.outcome, kId, Profile::aws) == row.aws);
    CHECK(error_body(row.outcome, kId, Profile::rie) == row.rie);
  }
}

TEST_CASE("a truncated response is named by its type in both wordings", "[invoke]") {
  for (const auto profile : {Profile::aws, Profile::rie}) {
    const auto body = nlohmann::json::parse(error_body(ResponseTruncated{}, kId, profile));
    CHECK(body["errorType"] == "Runtime.TruncatedResponse");
    CHECK(body["errorMessage"].get<std::string>().starts_with("RequestId: " + kId + " Error: "));
  }
}

TEST_CASE("a reason that is not UTF-8 still makes a JSON document", "[invoke]") {
  const auto body =
      error_body(NeverStarted{"Runtime.InvalidEntrypoint", "bad \xFF name"}, kId, Profile::aws);
  CHECK(nlohmann::json::accept(body));
}

TEST_CASE("the message in an error document is found, or all of it is the message", "[invoke]") {
  using emulator::invoke::error_message_in;
  CHECK(error_message_in(R"({"errorMessage":"no key","errorType":"E"})") == "no key");
  for (const std::string body : {"", "no key", "[1]", R"({"errorMessage":1})", "{\"\xFF"}) {
    CHECK(error_message_in(body) == body);
  }
}
