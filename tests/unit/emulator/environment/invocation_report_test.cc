#include "emulator/environment/invocation_report.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::environment;
using namespace std::chrono_literals;

namespace {

InvocationReport warm() {
  InvocationReport report;
  report.request_id = "id-1";
  report.duration = 3'012'345ns;
  report.memory_size_mb = 128;
  report.max_memory_used_mb = 36;
  return report;
}

const std::chrono::system_clock::time_point kNow{std::chrono::milliseconds{1'752'770'184'304}};

}  // namespace

TEST_CASE("START names the request and the version", "[environment]") {
  CHECK(start_line("id-1", "$LATEST") == "START RequestId: id-1 Version: $LATEST\n");
}

TEST_CASE("END and REPORT of a warm invocation are the service's", "[environment]") {
  CHECK(end_lines(warm(), Profile::aws) ==
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tDuration: 3.01 ms\tBilled Duration: 4 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 36 MB\t\n");
}

TEST_CASE("the trace of a sampled invocation stands behind its REPORT", "[environment]") {
  auto report = warm();
  report.trace.trace_id = "1-5f84c7a1-0123456789abcdef01234567";
  report.trace.function_segment = "0123456789abcdef";
  report.trace.sampled = true;
  CHECK(end_lines(report, Profile::aws)
            .ends_with("\tMax Memory Used: 36 MB\t\n"
                       "XRAY TraceId: 1-5f84c7a1-0123456789abcdef01234567\t"
                       "SegmentId: 0123456789abcdef\tSampled: true\t\n"));
  report.trace.sampled = false;
  CHECK(end_lines(report, Profile::aws) == end_lines(warm(), Profile::aws));
}

TEST_CASE("a cold start's init stands after the memory and is billed", "[environment]") {
  auto report = warm();
  report.init_duration = 110'100us;
  CHECK(end_lines(report, Profile::aws) ==
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tDuration: 3.01 ms\tBilled Duration: 114 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n");
}

TEST_CASE("the published emulator puts init first, does not bill it and repeats the memory size",
          "[environment]") {
  auto report = warm();
  report.init_duration = 30us;
  report.memory_size_mb = 3008;
  CHECK(end_lines(report, Profile::rie) ==
        "END RequestId: id-1\n"
        "REPORT RequestId: id-1\tInit Duration: 0.03 ms\tDuration: 3.01 ms\t"
        "Billed Duration: 4 ms\tMemory Size: 3008 MB\tMax Memory Used: 3008 MB\t\n");
}

TEST_CASE("a failed invocation's REPORT tells its status", "[environment]") {
  auto report = warm();
  report.error_type = "Sandbox.Timedout";
  CHECK(end_lines(report, Profile::aws).ends_with("\tMax Memory Used: 36 MB\tStatus: timeout\n"));
  report.error_type = "Runtime.ExitError";
  CHECK(end_lines(report, Profile::aws)
            .ends_with("\tMax Memory Used: 36 MB\tStatus: error\tError Type: Runtime.ExitError\n"));
  report.error_type = "Runtime.OutOfMemory";
  CHECK(end_lines(report, Profile::aws)
            .ends_with("\tMax Memory Used: 36 MB\tStatus: error\tError Type: "
                       "Runtime.OutOfMemory\n"));
  report.error_type = "Runtime.ExitError";
  report.init_duration = 1ms;
  CHECK(end_lines(report, Profile::aws)
            .ends_with("\tInit Duration: 1.00 ms\tStatus: error\tError Type: Runtime.ExitError\n"));
}

TEST_CASE("the sum of init and duration is billed by the started millisecond", "[environment]") {
  auto report = warm();
  report.duration = 463'512us;
  report.init_duration = 1'233'960us;
  CHECK(billed_duration_ms(report, Profile::aws) == 1698);
  CHECK(billed_duration_ms(report, Profile::rie) == 464);
  report.init_duration.reset();
  report.duration = 4ms;
  CHECK(billed_duration_ms(report, Profile::aws) == 4);
  report.duration = 4'000'001ns;
  CHECK(billed_duration_ms(report, Profile::aws) == 5);
  report.duration = 1ns;
  CHECK(billed_duration_ms(report, Profile::aws) == 1);
}

TEST_CASE("REPORT tells of a restore, and bills what the runtime took of it", "[environment]") {
  auto report = warm();
  report.duration = 2'338'660us;
  report.restore_duration = 398'970us;
  report.billed_restore_duration = 182ms;
  const auto lines = end_lines(report, Profile::aws);
  CHECK(lines.find("\tDuration: 2338.66 ms\tBilled Duration: 2521 ms\t") != std::string::npos);
  CHECK(lines.ends_with("\tRestore Duration: 398.97 ms\tBilled Restore Duration: 182 ms\t\n"));
}

TEST_CASE("the lines of a snapshot and its restore are the service's", "[environment]") {
  CHECK(restore_start_line("java:21.v0", "arn:aws:lambda:us-east-1::runtime:0") ==
        "RESTORE_START Runtime Version: java:21.v0\tRuntime Version ARN: "
        "arn:aws:lambda:us-east-1::runtime:0\n");
  CHECK(init_report_line({9'908'090us}) == "INIT_REPORT Init Duration: 9908.09 ms\n");
  CHECK(restore_start_line("", "") == "RESTORE_START\n");
  CHECK(restore_report_line({511'250us}) == "RESTORE_REPORT Restore Duration: 511.25 ms\n");
  CHECK(restore_report_line({1'236'040us, "Sandbox.Timedout"}) ==
        "RESTORE_REPORT Restore Duration: 1236.04 ms\tStatus: timeout\n");
  CHECK(restore_report_line({1'236'040us, "Runtime.ExitError"}) ==
        "RESTORE_REPORT Restore Duration: 1236.04 ms\tStatus: error\tError Type: "
        "Runtime.ExitError\n");
}

TEST_CASE("only failures of init are told, with their phase", "[environment]") {
  CHECK(init_report_line({9'999'950us, FailurePhase::init, "Sandbox.Timedout"}) ==
        "INIT_REPORT Init Duration: 9999.95 ms\tPhase: init\tStatus: timeout\n");
  CHECK(init_report_line({3'003'350us, FailurePhase::invoke, "Sandbox.Timedout"}) ==
        "INIT_REPORT Init Duration: 3003.35 ms\tPhase: invoke\tStatus: timeout\n");
  CHECK(init_report_line({1'236'040us, FailurePhase::init, "Extension.Crash"}) ==
        "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: error\t"
        "Error Type: Extension.Crash\n");
}

TEST_CASE("the platform says why an invocation ended, unless the function said it",
          "[environment]") {
  CHECK(outcome_lines(TimedOut{3010ms}, "id-1", kNow) ==
        "2025-07-17T16:36:24.304Z id-1 Task timed out after 3.01 seconds\n\n");
  CHECK(outcome_lines(RuntimeExited{.exit_code = 1, .signal = {}}, "id-1", kNow) ==
        "RequestId: id-1 Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n");
  CHECK(outcome_lines(OutOfMemory{}, "id-1", kNow) ==
        "RequestId: id-1 Error: Runtime exited with error: signal: killed\nRuntime.OutOfMemory\n");
  CHECK(outcome_lines(NeverStarted{"Runtime.InvalidEntrypoint", "no such file"}, "id-1", kNow) ==
        "RequestId: id-1 Error: no such file\nRuntime.InvalidEntrypoint\n");
  CHECK(outcome_lines(
            ExtensionFailed{
                .error_type = "Extension.Crash", .name = "ext", .exit_code = 6, .signal = {}},
            "id-1",
            kNow) == "RequestId: id-1 Error: exit status 6\nExtension.Crash\n");
  CHECK(outcome_lines(Responded{"{}", ""}, "id-1", kNow).empty());
  CHECK(outcome_lines(FunctionError{"Runtime.Oops", "{}"}, "id-1", kNow).empty());
  CHECK(outcome_lines(ResponseTooLarge{7}, "id-1", kNow).empty());
  CHECK(outcome_lines(ResponseTruncated{}, "id-1", kNow).empty());
}

TEST_CASE("an extension is told with its state and its events, in one line whatever its name",
          "[environment]") {
  runtime_api::ExtensionStatus extension{.name = "ext",
                                         .kind = runtime_api::ExtensionKind::external,
                                         .state = runtime_api::ExtensionState::ready,
                                         .events = {.invoke = true, .shutdown = true},
                                         .error_type = {}};
  CHECK(extension_line(extension) ==
        "EXTENSION\tName: ext\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n");
  extension.events = {.invoke = false, .shutdown = true};
  CHECK(extension_line(extension) == "EXTENSION\tName: ext\tState: Ready\tEvents: [SHUTDOWN]\n");
  extension.name = "two\nlines";
  extension.state = runtime_api::ExtensionState::launch_error;
  extension.events = {};
  extension.error_type = "PermissionDenied";
  CHECK(extension_line(extension) ==
        "EXTENSION\tName: two?lines\tState: LaunchError\tEvents: []\t"
        "Error Type: PermissionDenied\n");
}
