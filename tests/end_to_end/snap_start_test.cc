// SnapStart as a developer meets it: hooks of AWS's clients around a snapshot, on the command line
// and through the API.
#include "tests/end_to_end/lambda_api.h"
#include "tests/end_to_end/official_runtimes.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <string>

using nlohmann::json;
using tests::base64_decoded;
using tests::LambdaApi;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;

namespace {

namespace fs = std::filesystem;

constexpr const char* kPython = "/usr/bin/python3";

// Every hook leaves its name, and HOOK_FAILS=NAME makes one fail.
constexpr const char* kHooked = R"(
import json, os, urllib.request
from snapshot_restore_py import register_after_restore, register_before_snapshot

seen = ["init"]

def hook(name):
    def called():
        print(name, flush=True)
        seen.append(name)
        if os.environ.get("HOOK_FAILS") == name:
            raise RuntimeError(name + " was asked to fail")
    return called

if os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
    register_before_snapshot(hook("before"))
    register_after_restore(hook("after"))

def handler(event, context):
    uri = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if uri is None:
        return {"seen": seen, "credentials": os.environ["AWS_ACCESS_KEY_ID"] + " by variable"}
    token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    request = urllib.request.Request(uri, headers={"Authorization": token})
    with urllib.request.urlopen(request) as answer:
        credentials = json.load(answer)
    return {"seen": seen, "credentials": credentials["AccessKeyId"]}
)";

// The function with AWS's client for Python beside it, as a package without a runtime of AWS's: the
// oldest that has SnapStart is newer than the Python of many hosts.
class HookedFunction {
 public:
  HookedFunction() {
    const fs::path client = fs::path(HEARTH_RUNTIME_CACHE) / "hearth/runtimes/python3.11-3.11";
    if (!fs::exists(kPython) || !fs::exists(client)) {
      SKIP("needs Python 3.11 as " << kPython << " and the client of python3.11");
    }
    fs::copy(client, folder_.path(), fs::copy_options::recursive);
    folder_.write("app.py", kHooked);
  }

  Words words(const Words& more = {}) const {
    Words all = {"--code", folder_.path().string(), "--name", "hooked", "--snap-start"};
    all.insert(all.end(), more.begin(), more.end());
    all.insert(all.end(), {"--", kPython, "-m", "awslambdaric", "app.handler"});
    return all;
  }

 private:
  ScratchFolder folder_;
};

std::string state_of(const LambdaApi& api, const std::string& name) {
  return api.function(name)["Configuration"]["State"];
}

void await_active(const LambdaApi& api, const std::string& name) {
  tests::eventually("the snapshot of " + name, [&] { return state_of(api, name) == "Active"; });
}

}  // namespace

TEST_CASE("hearth invoke --snap-start calls the hooks of AWS's client for Python", "[snap-start]") {
  const HookedFunction function;
  for (const auto* network : {"host", "none"}) {
    INFO(network);
    const auto ended = tests::invoke(function.words({"--network", network}));
    INFO(ended.errors);
    REQUIRE(ended.status == 0);
    CHECK(json::parse(ended.output) ==
          json{{"seen", {"init", "before", "after"}}, {"credentials", "hearth"}});
    CHECK(tests::matches(
        ended.errors,
        "before\nINIT_REPORT Init Duration: [0-9.]+ ms\nRESTORE_START\nafter\n"
        "RESTORE_REPORT Restore Duration: [0-9.]+ ms\nSTART RequestId: [0-9a-f-]+ Version: 1\n"
        "END RequestId: [0-9a-f-]+\nREPORT RequestId: [^\n]*\tRestore Duration: [0-9.]+ ms"
        "\tBilled Restore Duration: [0-9]+ ms\t\n"));
  }
}

TEST_CASE("a published version is run from a snapshot, and $LATEST is not", "[snap-start]") {
  const HookedFunction function;
  Serving serving(function.words());
  const LambdaApi api(serving.port());
  CHECK(api.invoke("hooked").json() ==
        json{{"seen", {"init"}}, {"credentials", "hearth by variable"}});
  CHECK(api.function("hooked")["Configuration"]["SnapStart"]["OptimizationStatus"] == "Off");

  CHECK(api.publish("hooked") == "1");
  await_active(api, "hooked:1");
  CHECK(api.function("hooked:1")["Configuration"]["SnapStart"]["OptimizationStatus"] == "On");
  const auto restored = api.invoke("hooked:1", "{}", {{"X-Amz-Log-Type", "Tail"}});
  CHECK(restored.json() == json{{"seen", {"init", "before", "after"}}, {"credentials", "hearth"}});
  const auto log = base64_decoded(restored.header("X-Amz-Log-Result"));
  CHECK(log.find("\tRestore Duration: ") != std::string::npos);
  CHECK(log.find("Init Duration") == std::string::npos);
  const auto newest = api.shown("invocations", "hooked").at(0);
  CHECK(newest["cold"] == true);
  CHECK(newest["init_ms"].is_null());
  CHECK(newest["restore_ms"].is_number());
  const auto warm = api.invoke("hooked:1", "{}", {{"X-Amz-Log-Type", "Tail"}});
  CHECK(base64_decoded(warm.header("X-Amz-Log-Result")).find("Restore Duration") ==
        std::string::npos);
  // The next snapshot is kept ready.
  tests::eventually("another snapshot", [&] {
    int ready = 0;
    for (const auto& one : api.shown("environments")) {
      if (one["initialization"] == "snap-start" && one["phase"] == "idle") ++ready;
    }
    return ready == 2;
  });
  serving.stop();
}

TEST_CASE("a version whose Init fails is Failed, and cannot be invoked", "[snap-start]") {
  const HookedFunction function;
  Serving serving(function.words({"--env", "HOOK_FAILS=before"}));
  const LambdaApi api(serving.port());
  api.publish("hooked");
  tests::eventually("the failure", [&] { return state_of(api, "hooked:1") == "Failed"; });
  const auto shown = api.function("hooked:1")["Configuration"];
  CHECK(shown["StateReasonCode"] == "FunctionError.RuntimeInitError");
  CHECK(shown["StateReason"].get<std::string>().find("before was asked to fail") !=
        std::string::npos);
  const auto refused = api.invoke("hooked:1");
  CHECK(refused.status == 409);
  CHECK(refused.header("x-amzn-ErrorType") == "ResourceConflictException");
  serving.stop();
}

TEST_CASE("a hook that fails after the restore is a SnapStartException", "[snap-start]") {
  const HookedFunction function;
  Serving serving(function.words({"--env", "HOOK_FAILS=after"}));
  const LambdaApi api(serving.port());
  api.publish("hooked");
  await_active(api, "hooked:1");
  const auto refused = api.invoke("hooked:1");
  CHECK(refused.status == 400);
  CHECK(refused.header("x-amzn-ErrorType") == "SnapStartException");
  CHECK(refused.json()["Message"].get<std::string>().find("after was asked to fail") !=
        std::string::npos);
  serving.stop();
}

TEST_CASE("what Lambda does not run from a snapshot is not described so", "[snap-start]") {
  const ScratchFolder folder;
  folder.write("index.js", "exports.handler = async () => 1\n");
  const auto ended = tests::invoke({"--code",
                                    folder.path().string(),
                                    "--runtime",
                                    "nodejs20.x",
                                    "--handler",
                                    "index.handler",
                                    "--snap-start"});
  CHECK(ended.status == 2);
  CHECK(tests::is_one_sentence(ended.errors));
  CHECK(ended.errors.find("nodejs20.x has no SnapStart") != std::string::npos);
}

TEST_CASE("hooks of org.crac are called around the snapshot of a Java function of a template",
          "[official-runtimes][snap-start]") {
  const auto project = tests::built_project("snap-start-java");
  Serving serving(project);
  const LambdaApi api(serving.port());
  api.publish("snap-start-java");
  await_active(api, "snap-start-java:1");
  const auto answer = api.invoke("snap-start-java:1");
  CHECK(answer.json() == json{{"hooks", {"beforeCheckpoint", "afterRestore"}}, {"version", "1"}});

  api.configure("snap-start-java",
                {{"Environment", {{"Variables", {{"HOOK_FAILS", "afterRestore"}}}}}});
  api.publish("snap-start-java");
  await_active(api, "snap-start-java:2");
  const auto failed = api.invoke("snap-start-java:2");
  CHECK(failed.status == 400);
  CHECK(failed.header("x-amzn-ErrorType") == "SnapStartException");
  CHECK(failed.body.find("Runtime.AfterRestoreError") != std::string::npos);
  serving.stop();
}
