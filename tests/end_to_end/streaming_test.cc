// Streamed responses through whole Hearth: real runtimes at one end, AWS's SDKs at the other.
#include "tests/end_to_end/lambda_api.h"
#include "tests/support/raw_connection.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using nlohmann::json;
using tests::boto3;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;

namespace {

constexpr const char* kModules = HEARTH_SOURCE_DIR "/.deps/js_client/node_modules";

Words sample(const std::string& name) { return {"--template", tests::handler_template(name)}; }

Words words(Words first, const Words& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

// A Node.js function from source text.
struct NodeFunction {
  explicit NodeFunction(const std::string& source) { folder.write("app.mjs", source); }
  Words flags(const Words& more = {}) const {
    return words({"--code",
                  folder.path().string(),
                  "--runtime",
                  "nodejs20.x",
                  "--handler",
                  "app.handler",
                  "--name",
                  "streams"},
                 more);
  }
  ScratchFolder folder;
};

json stream_call(const std::string& function,
                 const json& event,
                 const json& more = json::object()) {
  json arguments = {{"FunctionName", function}, {"Payload", event.dump()}};
  arguments.update(more);
  return {{"invoke_with_response_stream", arguments}};
}

// Of the events of one answer.
std::string text_of(const json& answer) {
  std::string text;
  for (const auto& event : answer.at("EventStream")) {
    if (event.contains("chunk")) text += event["chunk"].get<std::string>();
  }
  return text;
}
json complete_of(const json& answer) { return answer.at("EventStream").back().at("complete"); }

// The largest memory that the process has had so far.
long peak_kilobytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

// What came of a response that is too long to be kept.
struct LongStream {
  std::size_t bytes = 0;
  std::string last;  // the last message
};

LongStream long_stream(int port, int pieces) {
  const auto event = json{{"pieces", pieces}, {"bytes", 1048576}}.dump();
  tests::RawConnection client(port);
  client.say(
      "POST /2021-11-15/functions/stream-cpp/response-streaming-invocations HTTP/1.1\r\n"
      "Host: h\r\nContent-Length: " +
      std::to_string(event.size()) + "\r\n\r\n" + event);
  client.hear_until("\r\n\r\n");
  LongStream stream;
  while (const auto size = std::stoul(client.hear_until("\r\n"), nullptr, 16)) {
    stream.bytes += size;
    stream.last = client.hear(size);
    client.hear_until("\r\n");
  }
  return stream;
}

const std::string kThreeLines = "piece 0\npiece 1\npiece 2\n";

}  // namespace

TEST_CASE("boto3 reads what a Node.js function streams, its metadata and its late error",
          "[streaming]") {
  Serving serving(sample("stream-node"));
  const auto results =
      boto3(serving,
            {stream_call("stream-node", {{"pieces", 3}}),
             stream_call("stream-node", {{"pieces", 3}, {"http", true}}),
             stream_call("stream-node", {{"pieces", 2}, {"error", "late"}}, {{"LogType", "Tail"}}),
             stream_call("stream-node", {{"pieces", 1}}, {{"InvocationType", "DryRun"}}),
             stream_call("nowhere", json::object())});
  INFO(results.dump(1));
  CHECK(results[0]["status"] == 200);
  CHECK(results[0]["ExecutedVersion"] == "$LATEST");
  CHECK(results[0]["ResponseStreamContentType"] == "application/vnd.amazon.eventstream");
  CHECK(results[0]["headers"]["x-amzn-remapped-content-type"] == "text/plain");
  CHECK(text_of(results[0]) == kThreeLines);
  CHECK(complete_of(results[0]) == json::object());

  CHECK(results[1]["headers"]["x-amzn-remapped-content-type"] ==
        "application/vnd.awslambda.http-integration-response");
  const auto framed = text_of(results[1]);
  const auto metadata_end = framed.find(std::string(8, '\0'));
  REQUIRE(metadata_end != std::string::npos);
  CHECK(json::parse(framed.substr(0, metadata_end))["statusCode"] == 201);
  CHECK(framed.substr(metadata_end + 8) == kThreeLines);

  CHECK(text_of(results[2]) == "piece 0\npiece 1\n");
  const auto failed = complete_of(results[2]);
  CHECK(failed["ErrorCode"] == "Unhandled");
  CHECK(json::parse(failed["ErrorDetails"].get<std::string>())["errorMessage"] == "late");
  CHECK(tests::base64_decoded(failed["LogResult"].get<std::string>()).find("Status: error") !=
        std::string::npos);

  CHECK(results[3]["StatusCode"] == 204);
  CHECK(results[4]["exception"] == "ResourceNotFoundException");
  serving.stop();
}

TEST_CASE("a buffered Invoke of a function that streams has the whole response, up to 6 MB",
          "[streaming]") {
  Serving serving(sample("stream-cpp"));
  const tests::LambdaApi api(serving.port());
  CHECK(api.invoke("stream-cpp", R"({"pieces":3,"bytes":2})").body == "0\n1\n2\n");
  CHECK(api.invoke("stream-cpp", R"({"pieces":7,"bytes":1048576})").json()["errorType"] ==
        "Function.ResponseSizeTooLarge");
  const auto failed = api.invoke("stream-cpp", R"({"pieces":1,"error":"late"})");
  CHECK(failed.header("X-Amz-Function-Error") == "Unhandled");
  CHECK(failed.json()["errorMessage"] == "\"late\"");
  const auto early = api.invoke("stream-cpp", R"({"pieces":0,"error":"early"})");
  CHECK(early.json()["errorMessage"] == "\"early\"");
  CHECK(api.invoke("stream-cpp", R"({"pieces":1,"bytes":2})").body == "0\n");
  serving.stop();
}

TEST_CASE("the SDK for JavaScript reads a stream, and what a buffered function answers",
          "[streaming]") {
  if (!std::filesystem::exists(kModules)) {
    SKIP("the SDK for JavaScript is not installed; run cmake/install-dependencies");
  }
  const ScratchFolder folder;
  std::filesystem::copy(HEARTH_SOURCE_DIR "/tests/end_to_end/js_client/stream.mjs", folder.path());
  std::filesystem::create_directory_symlink(kModules, folder.path() / "node_modules");
  const auto read = [&](const Serving& serving, const std::string& function, const json& event) {
    const auto ended = tests::run_program({.argv = {"node",
                                                    (folder.path() / "stream.mjs").string(),
                                                    serving.address(),
                                                    function,
                                                    event.dump()},
                                           .input = {}});
    INFO(ended.errors);
    REQUIRE(ended.status == 0);
    return json::parse(ended.output);
  };
  Serving streams(sample("stream-cpp"));
  CHECK(read(streams, "stream-cpp", {{"pieces", 3}, {"bytes", 2}}) ==
        json{{"status", 200},
             {"version", "$LATEST"},
             {"text", "0\n1\n2\n"},
             {"complete", json::object()}});
  const auto failed = read(streams, "stream-cpp", {{"pieces", 1}, {"bytes", 2}, {"error", "late"}});
  CHECK(failed["text"] == "0\n");
  CHECK(failed["complete"]["ErrorCode"] == "Unhandled");
  streams.stop();
  Serving echoes(sample("echo-cpp"));
  const auto whole = read(echoes, "echo-cpp", {{"a", std::string(100'000, 'x')}});
  CHECK(json::parse(whole["text"].get<std::string>())["a"] == std::string(100'000, 'x'));
  echoes.stop();
}

TEST_CASE("what breaks off in mid-stream is told behind what came", "[streaming]") {
  const NodeFunction function(R"(
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  await new Promise((sent) => stream.write("half", sent));
  if (event.end === "exit") process.exit(7);
  await new Promise(() => setInterval(() => {}, 1000));
});
)");
  Serving serving(function.flags({"--timeout", "2"}));
  const auto results = boto3(serving,
                             {stream_call("streams", {{"end", "exit"}}),
                              stream_call("streams", {{"end", "hang"}}),
                              stream_call("streams", {{"end", "exit"}})});
  INFO(results.dump(1));
  const auto type_of = [&](const json& result) {
    return json::parse(complete_of(result)["ErrorDetails"].get<std::string>())["errorType"];
  };
  for (const auto& result : results) CHECK(text_of(result) == "half");
  CHECK(type_of(results[0]) == "Runtime.ExitError");
  CHECK(type_of(results[1]) == "Sandbox.Timedout");
  CHECK(type_of(results[2]) == "Runtime.ExitError");
  serving.stop();
}

TEST_CASE("hearth invoke prints a streamed response and nothing else on its standard output",
          "[streaming]") {
  for (const auto* name : {"stream-node", "stream-cpp"}) {
    INFO(name);
    const auto ended =
        tests::invoke(words(sample(name), {"--payload", R"({"pieces":3,"bytes":2})"}));
    INFO(ended.errors);
    CHECK(ended.status == 0);
    CHECK(ended.output ==
          (name == std::string("stream-node") ? kThreeLines : std::string("0\n1\n2\n")));
  }
  const auto late = tests::invoke(
      words(sample("stream-cpp"), {"--payload", R"({"pieces":2,"bytes":2,"error":"late"})"}));
  CHECK(late.status == 1);
  CHECK(late.output == "0\n1\n");
  CHECK(late.errors.find("broke off") != std::string::npos);
  const auto early =
      tests::invoke(words(sample("stream-cpp"), {"--payload", R"({"pieces":0,"error":"e"})"}));
  CHECK(early.status == 1);
  CHECK(json::parse(early.output)["errorMessage"] == "\"e\"");
  const auto wrong = tests::invoke(words(sample("stream-cpp"), {"--stream-bandwidth", "fast"}));
  CHECK(wrong.status == 2);
}

TEST_CASE("a stream of 200 MB needs no more memory than a short one; a longer one is cut",
          "[streaming]") {
  Serving serving(words(sample("stream-cpp"), {"--stream-bandwidth", "unlimited"}));
  const auto short_one = long_stream(serving.port(), 8);
  CHECK(short_one.bytes > 8U * 1024 * 1024);
  const auto before = peak_kilobytes(serving.program().pid());
  REQUIRE(before > 0);
  const auto whole = long_stream(serving.port(), 200);
  CHECK(whole.bytes > 200U * 1024 * 1024);
  CHECK(whole.last.find("InvokeComplete") != std::string::npos);
  CHECK(whole.last.find("ErrorCode") == std::string::npos);
  const auto over = long_stream(serving.port(), 201);
  CHECK(over.last.find("Function.ResponseSizeTooLarge") != std::string::npos);
  CHECK(peak_kilobytes(serving.program().pid()) - before < 16 * 1024);
  serving.stop();
}
