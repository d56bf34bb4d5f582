// hearth serve, as clients of Lambda's API and the user's terminal see it.
#include "tests/end_to_end/hearth_program.h"
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <thread>

using nlohmann::json;
using tests::boto3;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;

namespace {

constexpr const char* kVenv = HEARTH_SOURCE_DIR "/.venv/bin/";

json invoke_call(json arguments) { return {{"invoke", std::move(arguments)}}; }

// A project of Python functions, all in app.py.
class PythonProject {
 public:
  PythonProject(const std::string& source,
                const std::vector<std::string>& names,
                int timeout = 20) {
    folder_.write("app.py", source);
    std::string text = "Transform: AWS::Serverless-2016-10-31\nResources:\n";
    for (const auto& name : names) {
      text += "  " + name +
              ":\n    Type: AWS::Serverless::Function\n    Properties:\n"
              "      FunctionName: " +
              name +
              "\n      CodeUri: .\n      Runtime: python3.11\n"
              "      Handler: app." +
              name + "\n      Timeout: " + std::to_string(timeout) + "\n";
    }
    template_ = folder_.write("template.yaml", text);
  }
  Words flags() const { return {"--template", template_}; }

 private:
  ScratchFolder folder_;
  std::string template_;
};

Words echo() { return {"--template", tests::handler_template("echo-cpp")}; }

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

json environments(const Serving& serving) {
  return tests::http(serving.port(), "GET", "/_hearth/environments").json()["environments"];
}

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("boto3 invokes in every way Lambda knows", "[serve]") {
  Serving serving(echo());
  const std::string arn = "arn:aws:lambda:us-east-1:123456789012:function:echo-cpp";
  const auto results = boto3(
      serving,
      {invoke_call({{"FunctionName", "echo-cpp"}, {"Payload", R"({"a":1})"}}),
       invoke_call({{"FunctionName", "echo-cpp"}, {"Payload", "1"}, {"LogType", "Tail"}}),
       invoke_call({{"FunctionName", "echo-cpp"}, {"InvocationType", "DryRun"}}),
       invoke_call({{"FunctionName", "echo-cpp"}, {"InvocationType", "Event"}, {"Payload", "2"}}),
       invoke_call({{"FunctionName", "echo-cpp"}, {"Qualifier", "$LATEST"}, {"Payload", "3"}}),
       invoke_call({{"FunctionName", "123456789012:function:echo-cpp"}, {"Payload", "4"}}),
       invoke_call({{"FunctionName", arn}, {"Payload", "5"}}),
       invoke_call({{"FunctionName", arn + ":$LATEST"}, {"Payload", "6"}}),
       invoke_call({{"FunctionName", "echo-cpp"}})});
  CHECK(results[0]["StatusCode"] == 200);
  CHECK(results[0]["Payload"] == R"({"a":1})");
  CHECK(results[0]["ExecutedVersion"] == "$LATEST");
  CHECK_FALSE(results[0].contains("FunctionError"));
  CHECK_FALSE(results[0].contains("LogResult"));
  const auto log = tests::base64_decoded(results[1].value("LogResult", ""));
  INFO(log);
  CHECK(tests::matches(log,
                       "START RequestId: ([0-9a-f-]{36}) Version: \\$LATEST\nEND RequestId: \\1\n"
                       "REPORT RequestId: \\1\tDuration: [^\n]*\t\n"));
  CHECK(log.find(results[1]["headers"]["x-amzn-requestid"].get<std::string>()) !=
        std::string::npos);
  CHECK(results[2]["StatusCode"] == 204);
  CHECK(results[3]["StatusCode"] == 202);
  CHECK(results[3]["Payload"] == "");
  for (int at = 4; at < 8; ++at) CHECK(results[at]["Payload"] == std::to_string(at - 1));
  CHECK(results[8]["Payload"] == "{}");
  const auto ended = serving.stop();
  CHECK(ended.status == 0);
}

TEST_CASE("boto3 raises the exceptions it would raise on AWS", "[serve]") {
  Serving serving(echo());
  const auto results = boto3(serving,
                             {invoke_call({{"FunctionName", "doesnotexist"}}),
                              invoke_call({{"FunctionName", "echo-cpp"}, {"Payload", "not json"}}),
                              invoke_call({{"FunctionName", "echo-cpp"}, {"Qualifier", "7"}}),
                              invoke_call({{"FunctionName", "echo-cpp"},
                                           {"Payload", '"' + std::string(6'291'455, 'x') + '"'}}),
                              invoke_call({{"FunctionName", "echo-cpp"},
                                           {"Payload", '"' + std::string(6'291'454, 'x') + '"'}})});
  CHECK(results[0]["exception"] == "ResourceNotFoundException");
  CHECK(results[0]["status"] == 404);
  CHECK(results[0]["message"] ==
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:doesnotexist:$LATEST");
  CHECK(results[1]["exception"] == "InvalidRequestContentException");
  CHECK(results[1]["status"] == 400);
  CHECK(results[1]["message"].get<std::string>().starts_with(
      "Could not parse request body into json: Could not parse payload into json: "));
  CHECK(results[2]["exception"] == "ResourceNotFoundException");
  CHECK(results[3]["exception"] == "RequestTooLargeException");
  CHECK(results[3]["status"] == 413);
  CHECK(results[3]["message"] ==
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation");
  CHECK(results[4]["Payload"].get<std::string>().size() == 6'291'456);
  serving.stop();
}

TEST_CASE("a function's error and its client context pass through boto3", "[serve]") {
  const PythonProject project(
      "def fails(event, context):\n    raise KeyError('k')\n"
      "def context_of(event, context):\n    return context.client_context.custom\n",
      {"fails", "context_of"});
  Serving serving(project.flags());
  const auto results = boto3(serving,
                             {invoke_call({{"FunctionName", "fails"}}),
                              // {"custom":{"a":"b"}}
                              invoke_call({{"FunctionName", "context_of"},
                                           {"ClientContext", "eyJjdXN0b20iOnsiYSI6ImIifX0="}})});
  INFO(results);
  CHECK(results[0]["StatusCode"] == 200);
  CHECK(results[0]["FunctionError"] == "Unhandled");
  CHECK(json::parse(results[0]["Payload"].get<std::string>())["errorType"] == "KeyError");
  CHECK(json::parse(results[1]["Payload"].get<std::string>()) == json{{"a", "b"}});
  serving.stop();
}

TEST_CASE("a call beyond the concurrency is throttled with its reason", "[serve]") {
  std::jthread first;  // ends after the server
  Serving serving(
      with(tests::testee("sleeps_forever"), {"--timeout", "60", "--max-concurrency", "1"}));
  first = std::jthread([port = serving.port()] { tests::invoke_function(port, "testee", "{}"); });
  serving.program().await_output("START RequestId");
  const auto results = boto3(serving, {invoke_call({{"FunctionName", "testee"}})});
  CHECK(results[0]["exception"] == "TooManyRequestsException");
  CHECK(results[0]["status"] == 429);
  CHECK(results[0]["reason"] == "ConcurrentInvocationLimitExceeded");
  const auto ended = serving.stop();
  CHECK(ended.status == 0);
}

TEST_CASE("the AWS command line writes the response to its file", "[serve]") {
  const ScratchFolder folder;
  Serving serving(echo());
  const auto file = (folder.path() / "response.json").string();
  const auto ended =
      tests::run_program({.argv = {std::string(kVenv) + "aws",
                                   "lambda",
                                   "invoke",
                                   "--endpoint-url",
                                   serving.address(),
                                   "--function-name",
                                   "echo-cpp",
                                   "--payload",
                                   R"({"from":"aws"})",
                                   "--region",
                                   "us-east-1",
                                   file},
                          .variables = {{"AWS_ACCESS_KEY_ID", "any"},
                                        {"AWS_SECRET_ACCESS_KEY", "any"},
                                        {"AWS_CONFIG_FILE", "/dev/null"},
                                        {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"}},
                          .input = {}});
  INFO(ended.errors);
  CHECK(ended.status == 0);
  CHECK(folder.read("response.json") == R"({"from":"aws"})");
  CHECK(json::parse(ended.output)["ExecutedVersion"] == "$LATEST");
  serving.stop();
}

TEST_CASE("what runs can be looked at and retired", "[serve]") {
  Serving serving(echo());
  const int port = serving.port();
  // With the log comes the answer after the report, so that it is listed then.
  const auto invoke_to_report = [&](const std::string& payload) {
    return tests::invoke_function(port, "echo-cpp", payload, {{"X-Amz-Log-Type", "Tail"}}).body;
  };
  CHECK(tests::http(port, "GET", "/_hearth/health").json()["status"] == "ok");
  CHECK(environments(serving).empty());
  CHECK(invoke_to_report("1") == "1");
  CHECK(invoke_to_report("2") == "2");

  const auto running = environments(serving);
  REQUIRE(running.size() == 1);
  CHECK(running[0]["function"] == "echo-cpp");
  CHECK(running[0]["version"] == "$LATEST");
  CHECK(running[0]["invocations"] == 2);
  CHECK(is_alive(running[0]["pid"]));

  const auto invocations =
      tests::http(port, "GET", "/_hearth/invocations?function=echo-cpp&limit=5")
          .json()["invocations"];
  REQUIRE(invocations.size() == 2);
  CHECK(invocations[0]["cold"] == false);
  CHECK(invocations[1]["cold"] == true);
  CHECK(invocations[0]["outcome"] == "success");
  CHECK(invocations[0]["kind"] == "RequestResponse");

  const auto metrics = tests::http(port, "GET", "/metrics").body;
  INFO(metrics);
  CHECK(metrics.find("{function=\"echo-cpp\"} 2\n") != std::string::npos);

  const auto id = running[0]["id"].get<std::string>();
  CHECK(tests::http(port, "DELETE", "/_hearth/environments/" + id).status == 200);
  CHECK(tests::http(port, "DELETE", "/_hearth/environments/" + id).status == 404);
  CHECK(environments(serving).empty());
  CHECK(tests::survivors().empty());
  CHECK(invoke_to_report("3") == "3");
  CHECK(tests::http(port, "GET", "/_hearth/invocations?limit=1").json()["invocations"][0]["cold"] ==
        true);
  CHECK(tests::http(port, "DELETE", "/_hearth/environments").status == 200);
  CHECK(environments(serving).empty());
  serving.stop();
}

TEST_CASE("two functions of a template are served, and one when it is named", "[serve]") {
  const PythonProject project(
      "def first(event, context):\n    return 'first'\n"
      "def second(event, context):\n    return 'second'\n",
      {"first", "second"});
  {
    Serving serving(project.flags());
    CHECK(tests::invoke_function(serving.port(), "first", "").body == "\"first\"");
    CHECK(tests::invoke_function(serving.port(), "second", "").body == "\"second\"");
    serving.stop();
  }
  Serving serving(with({"second"}, project.flags()));
  CHECK(tests::invoke_function(serving.port(), "first", "").status == 404);
  CHECK(tests::invoke_function(serving.port(), "second", "").status == 200);
  serving.stop();
}

TEST_CASE("a warm environment keeps its memory, and /tmp outlives a timeout", "[serve]") {
  const ScratchFolder folder;
  const PythonProject project(
      "import os, time\n"
      "count = 0\n"
      "def handler(event, context):\n"
      "    global count\n"
      "    count += 1\n"
      "    path = '/tmp/' + event['name']\n"
      "    if event.get('hang'):\n"
      "        open(path, 'w').write('kept')\n"
      "        time.sleep(600)\n"
      "    kept = open(path).read() if os.path.exists(path) else None\n"
      "    if event.get('last'): os.remove(path)\n"
      "    return [os.getpid(), count, kept]\n",
      {"handler"},
      8);  // seconds; a cold start within them, on a busy host too
  Serving serving(project.flags());
  const auto name = folder.path().filename().string() + ".kept";
  const auto call = [&](json event) {
    event["name"] = name;
    return tests::invoke_function(serving.port(), "handler", event.dump());
  };
  const auto first = call({}).json();
  const auto second = call({}).json();
  CHECK(first[0] == second[0]);
  CHECK(first[1] == 1);
  CHECK(second[1] == 2);
  const auto hung = call({{"hang", true}});
  CHECK(hung.header("X-Amz-Function-Error") == "Unhandled");
  CHECK(hung.json()["errorType"] == "Sandbox.Timedout");
  const auto after = call({{"last", true}}).json();
  CHECK(after[0] != first[0]);
  CHECK(after[1] == 1);
  CHECK(after[2] == "kept");
  serving.stop();
}

TEST_CASE("a function calls another through the endpoint it is told", "[serve]") {
  const PythonProject project(
      "import json, os, urllib.request\n"
      "def caller(event, context):\n"
      "    url = os.environ['AWS_ENDPOINT_URL_LAMBDA']\n"
      "    url += '/2015-03-31/functions/called/invocations'\n"
      "    with urllib.request.urlopen(urllib.request.Request(url, b'20', method='POST')) as "
      "answer:\n"
      "        return json.load(answer)\n"
      "def called(event, context):\n"
      "    return event + 1\n",
      {"caller", "called"});
  Serving serving(project.flags());
  const auto answer = tests::invoke_function(serving.port(), "caller", "{}");
  CHECK(answer.body == "21");
  serving.stop();
}

TEST_CASE("an event for one function is delivered once it is accepted", "[serve]") {
  const PythonProject project("def handler(event, context):\n    print('told ' + event)\n",
                              {"handler"});
  Serving serving(project.flags());
  const auto answer = tests::invoke_function(
      serving.port(), "handler", "\"once\"", {{"X-Amz-Invocation-Type", "Event"}});
  CHECK(answer.status == 202);
  CHECK(serving.program().await_output("told once") == "told once");
  serving.stop();
}

TEST_CASE("an environment that waits is shown as frozen, and serves again", "[serve]") {
  Serving serving(echo());
  for (const auto* event : {"1", "2"}) {
    CHECK(tests::invoke_function(serving.port(), "echo-cpp", event).body == event);
    while (!environments(serving).at(0)["frozen"].get<bool>()) std::this_thread::yield();
  }
  CHECK(environments(serving).at(0)["invocations"] == 2);
  serving.stop();
}

TEST_CASE("without isolation nothing is frozen and no throttling is known", "[serve]") {
  Serving serving(with(echo(), {"--sandbox", "none"}));
  CHECK(tests::invoke_function(serving.port(), "echo-cpp", "1").body == "1");
  CHECK(environments(serving).at(0)["frozen"] == false);
  json list;
  do {
    list = tests::http(serving.port(), "GET", "/_hearth/invocations").json()["invocations"];
  } while (list.empty());
  CHECK(list.at(0)["throttled_cpu_ms"].is_null());
  serving.stop();
}

TEST_CASE("a function that spins waits for its share, and is told for how long", "[serve]") {
  const PythonProject project(
      "import time\n"
      "def spins(event, context):\n"
      "    end = time.process_time() + 0.1\n"
      "    while time.process_time() < end: pass\n"
      "    return 'spun'\n",
      {"spins"});
  Serving serving(project.flags());
  CHECK(tests::invoke_function(serving.port(), "spins", "{}").body == "\"spun\"");
  json list;
  do {
    list = tests::http(serving.port(), "GET", "/_hearth/invocations").json()["invocations"];
  } while (list.empty());
  // 100 ms of CPU are more than the share of many periods.
  CHECK(list.at(0)["throttled_cpu_ms"].get<double>() > 0);
  serving.stop();
}

TEST_CASE("SIGTERM and SIGINT end a server with status 0 and all it started", "[serve]") {
  for (const int number : {SIGTERM, SIGINT}) {
    Serving serving(tests::testee("ignores_sigterm"));
    CHECK(tests::invoke_function(serving.port(), "testee", "1").body == "1");
    const pid_t pid = environments(serving).at(0)["pid"];
    CHECK(is_alive(pid));
    CHECK(serving.stop(number).status == 0);
    CHECK_FALSE(is_alive(pid));
  }
}

TEST_CASE("a server that is killed leaves no runtime behind", "[serve]") {
  Serving serving(tests::testee("ignores_sigterm"));
  CHECK(tests::invoke_function(serving.port(), "testee", "1").body == "1");
  CHECK(serving.stop(SIGKILL).status == 128 + SIGKILL);
}

TEST_CASE("a server that is killed leaves no process that a function started", "[serve]") {
  Serving serving(tests::testee("forks_child"));
  CHECK(tests::invoke_function(serving.port(), "testee", "1").status == 200);
  CHECK(serving.stop(SIGKILL).status == 128 + SIGKILL);
}

TEST_CASE("a server leaves no code that it unpacked, even when it is killed", "[serve]") {
  const ScratchFolder folder;
  const auto file = folder.write(
      "template.yaml",
      "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n"
      "      FunctionName: inline\n      Runtime: python3.11\n      Handler: index.handler\n"
      "      Role: arn:aws:iam::123456789012:role/r\n      Code:\n        ZipFile: |\n"
      "          def handler(event, context): return 5\n");
  for (const int number : {SIGTERM, SIGKILL}) {
    Serving serving({"--template", file});
    CHECK(tests::invoke_function(serving.port(), "inline", "{}").body == "5");
    serving.stop(number);
  }
}

TEST_CASE("a port that is taken is told in a sentence", "[serve]") {
  Serving serving(echo());
  const auto port = std::to_string(serving.port());
  const auto ended = tests::run_hearth(with({"serve", "--port", port}, echo()));
  CHECK(ended.status == 3);
  CHECK(ended.output.empty());
  CHECK(tests::is_one_sentence(ended.errors));
  CHECK(ended.errors.find(port) != std::string::npos);
  CHECK(ended.errors.find("--port") != std::string::npos);
  serving.stop();
}
