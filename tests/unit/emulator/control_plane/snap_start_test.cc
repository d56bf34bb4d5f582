// SnapStart as the Lambda API has it.
#include "emulator/control_plane/snap_start.h"

#include "emulator/control_plane/invoke_api.h"
#include "emulator/control_plane/version_state.h"
#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

#include <optional>

using namespace emulator::control_plane;
using emulator::environment::RestoreFailed;
using emulator::environment::VersionStatus;
using tests::ServiceParts;
using State = VersionStatus::State;

namespace {

const Document kOn = {{"SnapStart", {{"ApplyOn", "PublishedVersions"}}}};

Document with(const Document& more = Document::object()) {
  Document all = {{"Runtime", "python3.12"}, {"Handler", "app.handler"}};
  all.update(kOn);
  all.update(more);
  return all;
}

Answer create(ServiceParts& parts, const Document& more) {
  Document input = {{"FunctionName", "f"},
                    {"Role", "arn:aws:iam::123456789012:role/any"},
                    {"Code", {{"ZipFile", tests::zip_base64({{"app.py", ""}})}}}};
  input.update(with(more));
  return parts.run(function_operations(), "CreateFunction", input);
}

Document configuration(ServiceParts& parts, const std::string& qualifier) {
  return parts
      .run(function_operations(),
           "GetFunctionConfiguration",
           {{"FunctionName", "f"}, {"Qualifier", qualifier}})
      .value();
}

Document publish(ServiceParts& parts) {
  return parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}}).value();
}

}  // namespace

TEST_CASE("SnapStart is on for published versions, and off for $LATEST", "[snap start]") {
  ServiceParts parts;
  parts.create("f", with());
  CHECK(configuration(parts, "$LATEST")["SnapStart"] ==
        Document{{"ApplyOn", "PublishedVersions"}, {"OptimizationStatus", "Off"}});
  const auto published = publish(parts);
  CHECK(published["SnapStart"] ==
        Document{{"ApplyOn", "PublishedVersions"}, {"OptimizationStatus", "On"}});
  CHECK(published["State"] == "Pending");
  CHECK(published["StateReasonCode"] == "Creating");
  // Nothing has changed, so it is the same version.
  CHECK(publish(parts)["Version"] == "1");
  REQUIRE(parts.run(function_operations(),
                    "UpdateFunctionConfiguration",
                    {{"FunctionName", "f"}, {"SnapStart", {{"ApplyOn", "None"}}}}));
  const auto without = publish(parts);
  CHECK(without["Version"] == "2");
  CHECK(without["State"] == "Active");
  CHECK(without["SnapStart"]["OptimizationStatus"] == "Off");
}

TEST_CASE("a version is in the state that its snapshot is in", "[snap start]") {
  ServiceParts parts;
  std::optional<VersionStatus> status{{.state = State::pending}};
  parts.world.version_status = [&](const std::string& function, const std::string& number) {
    CHECK(function == "f");
    CHECK(number == "1");
    return status;
  };
  parts.create("f", with());
  publish(parts);
  CHECK(configuration(parts, "1")["State"] == "Pending");
  status = VersionStatus{.state = State::active};
  CHECK(configuration(parts, "1")["State"] == "Active");
  CHECK_FALSE(configuration(parts, "1").contains("StateReason"));
  CHECK(configuration(parts, "$LATEST")["State"] == "Active");
  status = VersionStatus{
      .state = State::failed,
      .failure = emulator::environment::FunctionError{"Runtime.ImportModuleError",
                                                      R"({"errorMessage":"no module named x"})",
                                                      emulator::environment::FailurePhase::init}};
  const auto failed = configuration(parts, "1");
  CHECK(failed["State"] == "Failed");
  CHECK(failed["StateReasonCode"] == "FunctionError.RuntimeInitError");
  const auto reason = failed["StateReason"].get<std::string>();
  CHECK(reason.find("Runtime.ImportModuleError") != std::string::npos);
  CHECK(reason.find("no module named x") != std::string::npos);
}

TEST_CASE("why a snapshot could not be made has the service's code", "[snap start]") {
  using namespace emulator::environment;
  const auto code = [](Outcome failure) {
    return with_version_state(Document::object(),
                              VersionStatus{.state = State::failed, .failure = std::move(failure)})
        .at("StateReasonCode")
        .get<std::string>();
  };
  CHECK(code(TimedOut{}) == "FunctionError.InitTimeout");
  CHECK(code(RuntimeExited{}) == "FunctionError.RuntimeInitError");
  CHECK(code(OutOfMemory{}) == "FunctionError.InitResourceExhausted");
  CHECK(code(ExtensionFailed{}) == "FunctionError.ExtensionInitError");
  CHECK(code(NeverStarted{"Runtime.InvalidEntrypoint", "r"}) == "FunctionError.InvalidEntryPoint");
  CHECK(code(NeverStarted{"Runtime.InvalidWorkingDir", "r"}) ==
        "FunctionError.InvalidWorkingDirectory");
  CHECK(code(NeverStarted{"Runtime.InvalidRuntime", "r"}) == "InvalidRuntime");
}

TEST_CASE("SnapStart is refused where Lambda has none", "[snap start]") {
  const auto refusal = [](const Document& more) {
    ServiceParts parts;
    const auto answer = create(parts, more);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().exception == "InvalidParameterValueException");
    return answer.error().message;
  };
  const std::string rest = " is not supported for SnapStart enabled functions.";
  for (const auto* runtime :
       {"nodejs20.x", "python3.11", "java8.al2", "dotnet6", "provided.al2023", "ruby3.3"}) {
    CHECK(refusal({{"Runtime", runtime}}) == runtime + rest);
  }
  CHECK(refusal({{"EphemeralStorage", {{"Size", 513}}}}) ==
        "EphemeralStorage greater than 512 MB" + rest);
  CHECK(refusal({{"FileSystemConfigs", {{{"Arn", "arn"}, {"LocalMountPath", "/mnt/a"}}}}}) ==
        "FileSystemConfigs" + rest);
  for (const auto* runtime :
       {"java11", "java21", "python3.12", "python3.14", "dotnet8", "dotnet10"}) {
    ServiceParts parts;
    CHECK(create(parts, {{"Runtime", runtime}}));
  }
}

TEST_CASE("an image has no SnapStart", "[snap start]") {
  Document image = kOn;
  image["PackageType"] = "Image";
  const auto checked = check_snap_start(image);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().message ==
        "ContainerImage is not supported for SnapStart enabled functions.");
}

TEST_CASE("provisioned concurrency and SnapStart do not go together", "[snap start]") {
  ServiceParts parts;
  parts.create("f", with());
  publish(parts);
  const auto answer = parts.run(
      concurrency_operations(),
      "PutProvisionedConcurrencyConfig",
      {{"FunctionName", "f"}, {"Qualifier", "1"}, {"ProvisionedConcurrentExecutions", 1}});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().exception == "InvalidParameterValueException");
  CHECK(answer.error().message ==
        "Provisioned concurrency is not supported for SnapStart enabled functions.");
}

TEST_CASE("a restore that failed is an exception, not a function's error", "[snap start]") {
  const auto reply = [](RestoreFailed failed) {
    return invocation_reply({.outcome = std::move(failed), .log_tail = {}},
                            emulator::invoke::ReleaseAt::response,
                            "id",
                            "");
  };
  const auto late = reply({.kind = RestoreFailed::Kind::timed_out,
                           .error_type = "Sandbox.Timedout",
                           .reason = "it took long"});
  CHECK(late.status == 408);
  CHECK(late.body ==
        R"({"Type":"User","Message":"The environment could not be restored from its snapshot )"
        R"((Sandbox.Timedout): it took long"})");
  const auto failed = reply({.kind = RestoreFailed::Kind::failed,
                             .error_type = "Runtime.AfterRestoreError",
                             .reason = R"({"errorMessage":"no socket"})"});
  CHECK(failed.status == 400);
  CHECK(failed.body.ends_with(R"((Runtime.AfterRestoreError): no socket"})"));
  const auto type = [](const emulator::front_doors::Reply& of) {
    for (const auto& [name, value] : of.headers) {
      if (name == "x-amzn-ErrorType") return value;
    }
    return std::string();
  };
  CHECK(type(late) == "SnapStartTimeoutException");
  CHECK(type(failed) == "SnapStartException");
}

TEST_CASE("a version without its snapshot yet is not ready, and one that failed is in conflict",
          "[snap start]") {
  using emulator::invoke::Refusal;
  const auto early =
      from_refusal(Refusal{.kind = Refusal::Kind::snapshot_not_ready, .message = "soon"}, "arn");
  CHECK(early.exception == "SnapStartNotReadyException");
  CHECK(early.status == 409);
  CHECK(early.key == MessageKey::capital);
  const auto never =
      from_refusal(Refusal{.kind = Refusal::Kind::snapshot_failed, .message = "never"}, "arn");
  CHECK(never.exception == "ResourceConflictException");
  CHECK(never.status == 409);
}
