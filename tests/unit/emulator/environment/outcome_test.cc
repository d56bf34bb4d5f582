#include "emulator/environment/outcome.h"

#include <catch2/catch_test_macros.hpp>

#include <signal.h>

using namespace emulator::environment;

namespace {

std::string exit_status(int code) {
  return describe(RuntimeExited{.exit_code = code, .signal = {}});
}
std::string signal(int number) {
  return describe(RuntimeExited{.exit_code = {}, .signal = number});
}

}  // namespace

TEST_CASE("a runtime's exit is told as the service tells it", "[environment]") {
  CHECK(exit_status(0) == "Runtime exited without providing a reason");
  CHECK(describe(RuntimeExited{}) == "Runtime exited without providing a reason");
  CHECK(exit_status(1) == "Runtime exited with error: exit status 1");
  CHECK(exit_status(127) == "Runtime exited with error: exit status 127");
  CHECK(signal(SIGKILL) == "Runtime exited with error: signal: killed");
  CHECK(signal(SIGSEGV) == "Runtime exited with error: signal: segmentation fault");
  CHECK(signal(SIGABRT) == "Runtime exited with error: signal: aborted");
  CHECK(signal(SIGTERM) == "Runtime exited with error: signal: terminated");
  CHECK(describe(OutOfMemory{}) == signal(SIGKILL));
  CHECK(signal(40) == "Runtime exited with error: signal: signal 40");
}

TEST_CASE("a timeout is told in seconds with two decimals", "[environment]") {
  CHECK(describe(TimedOut{std::chrono::seconds{3}}) == "Task timed out after 3.00 seconds");
  CHECK(describe(TimedOut{std::chrono::milliseconds{1}}) == "Task timed out after 0.00 seconds");
  CHECK(describe(TimedOut{std::chrono::minutes{15}}) == "Task timed out after 900.00 seconds");
}

TEST_CASE("an extension's failure is told by how it ended, else by what is known",
          "[environment]") {
  ExtensionFailed failed{.error_type = "Extension.Crash",
                         .name = "ext",
                         .exit_code = 6,
                         .signal = {},
                         .reason = "unknown"};
  CHECK(describe(failed) == "exit status 6");
  CHECK(error_type(failed) == "Extension.Crash");
  CHECK_FALSE(succeeded(failed));
  failed.exit_code = 0;
  CHECK(describe(failed) == "exit status 0");
  failed.exit_code.reset();
  CHECK(describe(failed) == "unknown");
  failed.signal = SIGKILL;
  CHECK(describe(failed) == "signal: killed");
}

TEST_CASE("every outcome but a response has an error type", "[environment]") {
  CHECK(error_type(Responded{}).empty());
  CHECK(succeeded(Responded{}));
  CHECK(error_type(FunctionError{"Runtime.Oops", ""}) == "Runtime.Oops");
  CHECK_FALSE(succeeded(FunctionError{"Runtime.Oops", ""}));
  CHECK(error_type(TimedOut{}) == "Sandbox.Timedout");
  CHECK(error_type(RuntimeExited{}) == "Runtime.ExitError");
  CHECK(error_type(OutOfMemory{}) == "Runtime.OutOfMemory");
  CHECK_FALSE(succeeded(OutOfMemory{}));
  CHECK(error_type(ResponseTooLarge{}) == "Function.ResponseSizeTooLarge");
  CHECK(error_type(ResponseTruncated{}) == "Runtime.TruncatedResponse");
  CHECK(error_type(NeverStarted{"Runtime.InvalidWorkingDir", ""}) == "Runtime.InvalidWorkingDir");
}
