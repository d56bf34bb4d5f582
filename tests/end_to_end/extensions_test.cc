// Extensions as processes of their own, brought by layers.
#include "tests/end_to_end/hearth_program.h"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <filesystem>
#include <initializer_list>
#include <string>

using nlohmann::json;
using tests::ScratchFolder;
using tests::Words;

namespace {

namespace fs = std::filesystem;

// A layer with the extension program under these names.
class ExtensionLayer {
 public:
  ExtensionLayer(std::initializer_list<std::string> names) {
    fs::create_directories(folder_.path() / "extensions");
    for (const auto& name : names) {
      fs::copy_file(HEARTH_BINARY_DIR "/handlers/extensions/extension",
                    folder_.path() / "extensions" / name);
    }
  }
  // Flags for the echo function with this layer.
  Words echo(Words more = {}) const { return of(tests::handler_folder("echo-cpp"), more); }
  Words of(const std::string& code, const Words& more = {}) const {
    Words words = {"--code",
                   code,
                   "--runtime",
                   "provided.al2023",
                   "--handler",
                   "echo",
                   "--name",
                   "echo",
                   "--layer",
                   folder_.path().string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  const ScratchFolder& folder() const { return folder_; }

 private:
  ScratchFolder folder_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool in_order(const std::string& text, const std::string& first, const std::string& then) {
  const auto at = text.find(first);
  return at != std::string::npos && text.find(then, at) != std::string::npos;
}

std::string error_type_in(const std::string& body) {
  const auto parsed = json::parse(body, nullptr, false);
  return parsed.is_object() ? parsed.value("errorType", "") : "";
}

}  // namespace

TEST_CASE("a layer's extensions are told of the invocation and of the end", "[extensions]") {
  const ExtensionLayer layer({"recorder", "recorder.2"});
  for (const auto* sandbox : {"degraded", "none"}) {
    INFO(sandbox);
    const auto ended = tests::invoke(layer.echo({"--sandbox", sandbox, "--payload", "{\"a\":1}"}));
    INFO(ended.errors);
    CHECK(ended.status == 0);
    CHECK(ended.output == "{\"a\":1}");
    const auto& log = ended.errors;
    for (const std::string name : {"recorder", "recorder.2"}) {
      CHECK(has(log, "EXTENSION\tName: " + name + "\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n"));
      CHECK(in_order(log, "EXTENSION\tName: " + name + "\t", "START RequestId: "));
      CHECK(has(log, name + ": INVOKE "));
      CHECK(in_order(log, "REPORT RequestId: ", name + ": SHUTDOWN spindown\n"));
    }
  }
}

TEST_CASE("an extension that subscribed is told of init, invocation and report", "[extensions]") {
  const ExtensionLayer layer({"watcher"});
  for (const auto* sandbox : {"degraded", "none"}) {
    INFO(sandbox);
    const auto ended = tests::invoke(layer.echo({"--sandbox", sandbox, "--payload", "{\"a\":1}"}));
    INFO(ended.errors);
    CHECK(ended.status == 0);
    CHECK(ended.output == "{\"a\":1}");
    for (const std::string type : {"initStart",
                                   "initRuntimeDone",
                                   "telemetrySubscription",
                                   "extension",
                                   "initReport",
                                   "start",
                                   "runtimeDone",
                                   "report"}) {
      INFO(type);
      CHECK(has(ended.errors, "\"type\":\"platform." + type + "\""));
    }
    CHECK(has(ended.errors, "\"producedBytes\":7,"));
  }
}

TEST_CASE("a function asks for a log of JSON objects", "[extensions]") {
  const auto ended = tests::invoke({"--code",
                                    tests::handler_folder("echo-cpp"),
                                    "--runtime",
                                    "provided.al2023",
                                    "--handler",
                                    "echo",
                                    "--log-format",
                                    "JSON",
                                    "--payload",
                                    "{}"});
  INFO(ended.errors);
  CHECK(ended.status == 0);
  CHECK(has(ended.errors, "\"type\":\"platform.start\",\"record\":{\"requestId\":"));
  CHECK(has(ended.errors, "\"type\":\"platform.report\""));
  CHECK_FALSE(has(ended.errors, "REPORT RequestId"));
}

TEST_CASE("an extension is given the customer's variables and not the runtime's", "[extensions]") {
  const ExtensionLayer layer({"listing"});
  const auto ended = tests::invoke(layer.echo({"--env", "OWN=1"}));
  INFO(ended.errors);
  CHECK(ended.status == 0);
  for (const auto* name :
       {"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "OWN", "PATH"}) {
    CHECK(has(ended.errors, std::string("listing: given ") + name + "\n"));
  }
  for (const auto* name : {"_HANDLER",
                           "LAMBDA_TASK_ROOT",
                           "LAMBDA_RUNTIME_DIR",
                           "AWS_LAMBDA_LOG_GROUP_NAME",
                           "AWS_LAMBDA_LOG_STREAM_NAME",
                           "AWS_XRAY_CONTEXT_MISSING"}) {
    CHECK_FALSE(has(ended.errors, std::string("listing: given ") + name + "\n"));
  }
}

TEST_CASE("an extension that fails is the function's error, and the others are told",
          "[extensions]") {
  struct Case {
    std::string extension;
    std::string type;
    std::string reason;
  };
  for (const auto& [extension, type, reason] :
       {Case{"crash-in-init", "Extension.Crash", "exit status 6"},
        Case{"init-error", "Extension.InitError", "exit status 3"},
        Case{"exit-error", "Extension.ExitError", "exit status 3"},
        Case{"crash-in-invoke", "Extension.Crash", "exit status 6"}}) {
    INFO(extension);
    const ExtensionLayer layer({extension, "recorder"});
    // A function that never answers, so that the extension is the first to end.
    const auto ended = tests::invoke(
        layer.of(tests::handler_folder("testees"), {"--env", "TESTEE_MODE=sleeps_forever"}));
    INFO(ended.errors << ended.output);
    CHECK(ended.status == 1);
    CHECK(error_type_in(ended.output) == type);
    CHECK(has(ended.output, " Error: " + reason));
    CHECK(has(ended.errors, "\tStatus: error\tError Type: " + type + "\n"));
    if (extension.ends_with("-invoke")) CHECK(has(ended.errors, "recorder: SHUTDOWN failure\n"));
  }
}

TEST_CASE("a file that cannot be executed is a launch error", "[extensions]") {
  const ExtensionLayer layer({});
  layer.folder().write("extensions/text", "not a program");
  const auto ended = tests::invoke(layer.echo());
  INFO(ended.errors << ended.output);
  CHECK(ended.status == 1);
  CHECK(error_type_in(ended.output) == "Extension.LaunchError");
  CHECK(has(ended.errors,
            "EXTENSION\tName: text\tState: LaunchError\tEvents: []\tError Type: "
            "PermissionDenied\n"));
}

TEST_CASE("an extension that does not come back is a timeout, and the answer stays good",
          "[extensions]") {
  const ExtensionLayer layer({"stuck", "recorder"});
  tests::Serving serving(layer.echo({"--timeout", "1"}));
  const auto first = tests::invoke_function(serving.port(), "echo", "1");
  CHECK(first.status == 200);
  CHECK(first.body == "1");
  serving.program().await_output("\tStatus: timeout");
  serving.program().await_output("recorder: SHUTDOWN timeout");
  CHECK(tests::invoke_function(serving.port(), "echo", "2").body == "2");
  serving.stop();
}

TEST_CASE("who ignores the end is killed, and nothing stays behind", "[extensions]") {
  const ExtensionLayer layer({"deaf", "recorder"});
  tests::Serving serving(layer.echo());
  CHECK(tests::invoke_function(serving.port(), "echo", "1").body == "1");
  const auto ended = serving.stop();
  CHECK(has(ended.output, "deaf: SHUTDOWN spindown\n"));
  CHECK(has(ended.output, "recorder: SHUTDOWN spindown\n"));
}

TEST_CASE("an extension that never registers is an init that takes too long", "[extensions]") {
  const ExtensionLayer layer({"mute"});
  const auto ended = tests::invoke(layer.echo({"--timeout", "1"}));
  INFO(ended.errors << ended.output);
  CHECK(ended.status == 1);
  CHECK(error_type_in(ended.output) == "Sandbox.Timedout");
  CHECK(has(ended.errors, "\tPhase: init\tStatus: timeout\n"));
}
