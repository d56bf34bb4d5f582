// hearth invoke, as a shell sees it: bytes, lines and exit statuses.
#include "tests/end_to_end/hearth_program.h"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <filesystem>

using nlohmann::json;
using tests::ScratchFolder;
using tests::Words;

namespace {

// A Python function from source text.
struct PythonFunction {
  explicit PythonFunction(const std::string& source) { folder.write("app.py", source); }
  tests::Ended invoke(Words more = {}, tests::HearthStart start = {}) const {
    Words words = {
        "--code", folder.path().string(), "--runtime", "python3.11", "--handler", "app.handler"};
    words.insert(words.end(), more.begin(), more.end());
    return tests::invoke(words, std::move(start));
  }
  ScratchFolder folder;
};

}  // namespace

TEST_CASE("what an echo answers comes out byte for byte, in every language", "[invoke]") {
  const std::string payload = R"({"text":"Grüße, 世界","n":1.5,"list":[1,null,true]})";
  for (const auto* name : {"echo-cpp", "echo-node"}) {
    INFO(name);
    const auto ended =
        tests::invoke({"--template", tests::handler_template(name), "--payload", payload});
    INFO(ended.errors);
    CHECK(ended.status == 0);
    CHECK(ended.output == payload);
    CHECK(tests::matches(ended.errors, tests::cold_log()));
  }
  // Python's client writes as json.dumps() does: up to Python 3.11 in ASCII alone, as on AWS.
  const auto ended =
      tests::invoke({"--template", tests::handler_template("echo-python"), "--payload", payload});
  INFO(ended.errors);
  CHECK(ended.status == 0);
  CHECK(ended.output ==
        R"({"text": "Gr\u00fc\u00dfe, \u4e16\u754c", "n": 1.5, "list": [1, null, true]})");
  CHECK(tests::matches(ended.errors, tests::cold_log()));
}

TEST_CASE("an event comes from a file, standard input or the command line, else it is {}",
          "[invoke]") {
  const ScratchFolder folder;
  const std::string event = "{ \"spaces\" :  [ ] }\n";
  const auto file = folder.write("event.json", event);
  const auto project = tests::handler_template("echo-cpp");
  CHECK(tests::invoke({"--template", project, "--event", file}).output == event);
  CHECK(tests::invoke({"--template", project, "-e", "-"}, {.input = event}).output == event);
  CHECK(tests::invoke({"--template", project, "-p", "null"}).output == "null");
  CHECK(tests::invoke({"--template", project}).output == "{}");
}

TEST_CASE("a template in the working folder is found, and its function named either way",
          "[invoke]") {
  const auto folder = tests::handler_folder("echo-cpp");
  CHECK(tests::invoke({}, {.folder = folder}).status == 0);
  CHECK(tests::invoke({"EchoFunction"}, {.folder = folder}).status == 0);
  CHECK(tests::invoke({"echo-cpp"}, {.folder = folder}).status == 0);
  const auto unknown = tests::invoke({"echo"}, {.folder = folder});
  CHECK(unknown.status == 2);
  CHECK(tests::is_one_sentence(unknown.errors));
  CHECK(unknown.errors.find("EchoFunction") != std::string::npos);
}

TEST_CASE("a template elsewhere is found by a relative path, and so is its code", "[invoke]") {
  for (const std::string name : {"echo-cpp", "echo-python", "echo-node"}) {
    INFO(name);
    const auto parent = std::filesystem::path(tests::handler_folder(name)).parent_path().string();
    const auto ended = tests::invoke({"--template", name + "/template.yaml", "--payload", "1"},
                                     {.folder = parent});
    CHECK(ended.output == "1");
    CHECK(ended.status == 0);
  }
}

TEST_CASE("an invocation leaves nothing in the function's folder", "[invoke]") {
  const PythonFunction function("import other\ndef handler(event, context): return other.value\n");
  function.folder.write("other.py", "value = 7\n");
  CHECK(function.invoke().output == "7");
  CHECK(function.folder.entries() == Words{"app.py", "other.py"});
}

TEST_CASE("an invocation that is interrupted ends at once and leaves nothing", "[invoke]") {
  Words words = {HEARTH_BINARY_DIR "/bin/hearth", "invoke", "--timeout", "60"};
  const auto flags = tests::testee("sleeps_forever");
  words.insert(words.end(), flags.begin(), flags.end());
  for (const int number : {SIGINT, SIGTERM}) {
    tests::RunningProgram program({.argv = words});
    program.await_errors("START RequestId");
    program.signal(number);
    CHECK(program.wait().status == 1);
    CHECK(tests::survivors().empty());
  }
}

TEST_CASE("fixtures go into the sample functions", "[invoke]") {
  for (const std::string language : {"python", "node"}) {
    INFO(language);
    const auto upload = tests::invoke({"--template",
                                       tests::handler_template("s3-upload-" + language),
                                       "--fixture",
                                       "s3/put",
                                       "--set",
                                       "bucket=photos",
                                       "--set",
                                       "key=summer/b.png"});
    INFO(upload.errors);
    REQUIRE(upload.status == 0);
    const auto object = json::parse(upload.output)["objects"].at(0);
    CHECK(object["bucket"] == "photos");
    CHECK(object["key"] == "summer/b.png");
    CHECK(object["content_type"] == "image/png");

    const auto batch = tests::invoke({"--template",
                                      tests::handler_template("sqs-batch-" + language),
                                      "--fixture",
                                      "sqs/receive-message",
                                      "--set",
                                      R"(body={"order_id":"7","quantity":0})"});
    INFO(batch.errors);
    REQUIRE(batch.status == 0);
    CHECK(json::parse(batch.output)["batchItemFailures"].size() == 1);

    const auto hello = tests::invoke({"--template",
                                      tests::handler_template("http-" + language),
                                      "--fixture",
                                      "apigateway/http-api-proxy",
                                      "--set",
                                      "method=GET",
                                      "--set",
                                      "path=items/7"});
    INFO(hello.errors);
    REQUIRE(hello.status == 0);
    CHECK(json::parse(hello.output)["body"].is_string());
  }
}

TEST_CASE("variables come from flags and from files, and the flag wins", "[invoke]") {
  const ScratchFolder folder;
  const auto file = folder.write("variables", "# comment\n\nFROM_FILE=a=b\r\nBOTH=file\n");
  auto words = tests::testee("env_printer");
  for (const auto* word : {"--env-file", file.c_str(), "--env", "BOTH=flag", "--memory", "512"}) {
    words.emplace_back(word);
  }
  const auto ended = tests::invoke(words, {.variables = {{"HOST_SECRET", "not for functions"}}});
  REQUIRE(ended.status == 0);
  const auto variables = json::parse(ended.output)["environment"];
  CHECK(variables["FROM_FILE"] == "a=b");
  CHECK(variables["BOTH"] == "flag");
  CHECK(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512");
  CHECK(variables["AWS_LAMBDA_FUNCTION_NAME"] == "testee");
  CHECK(variables["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST");
  CHECK(variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand");
  CHECK(variables["AWS_REGION"] == "us-east-1");
  CHECK(variables["_HANDLER"] == "env_printer");
  CHECK(variables["TZ"] == ":UTC");
  CHECK(variables["LAMBDA_TASK_ROOT"] == tests::seen_folder(tests::handler_folder("testees")));
  CHECK_FALSE(variables.contains("HOST_SECRET"));
  CHECK_FALSE(variables.contains("AWS_EXECUTION_ENV"));
  CHECK(ended.errors.find("Memory Size: 512 MB") != std::string::npos);
}

TEST_CASE("a function is given three descriptors and no other", "[invoke]") {
  const auto ended = tests::invoke(tests::testee("env_printer"));
  REQUIRE(ended.status == 0);
  const auto descriptors = json::parse(ended.output)["descriptors"];
  REQUIRE(descriptors.size() == 4);
  // The fourth is its own: the connection to the Runtime API.
  CHECK(descriptors["3"].get<std::string>().starts_with("socket:"));
}

TEST_CASE("a variable that Lambda reserves is refused by its name", "[invoke]") {
  for (const std::string name : {"AWS_REGION", "_HANDLER", "AWS_LAMBDA_RUNTIME_API"}) {
    auto words = tests::testee("echo");
    words.insert(words.end(), {"--env", name + "=x"});
    const auto ended = tests::invoke(words);
    CHECK(ended.status == 2);
    CHECK(ended.output.empty());
    CHECK(tests::is_one_sentence(ended.errors));
    CHECK(ended.errors.find(name) != std::string::npos);
  }
}

TEST_CASE("a command after -- is the runtime, started in the working folder", "[invoke]") {
  const ScratchFolder folder;
  const auto program = tests::handler_folder("testees") + "/bootstrap";
  std::filesystem::copy_file(program, folder.path() / "my-runtime");
  const auto ended =
      tests::invoke({"--env", "TESTEE_MODE=env_printer", "--", "./my-runtime", "arg"},
                    {.folder = folder.path().string()});
  INFO(ended.errors);
  REQUIRE(ended.status == 0);
  CHECK(json::parse(ended.output)["working_folder"] ==
        tests::seen_folder(std::filesystem::canonical(folder.path()).string()));
  const auto missing = tests::invoke({"--", "./no-such-runtime"});
  CHECK(missing.status == 1);
  CHECK(json::parse(missing.output)["errorType"] == "Runtime.InvalidEntrypoint");
}

TEST_CASE("repeated, an invocation becomes a table", "[invoke]") {
  const auto project = tests::handler_template("echo-cpp");
  const auto table = tests::invoke({"--template", project, "--count", "20", "--concurrency", "2"});
  CHECK(table.status == 0);
  CHECK(tests::matches(table.output,
                       "invocations +cold +errors +p50 ms +p90 ms +p99 ms +max ms +per second\n"
                       " +20 +[12] +0( +[0-9]+\\.[0-9]{3}){4} +[0-9]+\\.[0-9]\n"));
  const auto text = tests::invoke(
      {"--template", project, "--count", "20", "--concurrency", "2", "--output", "json"});
  CHECK(text.status == 0);
  const auto value = json::parse(text.output);
  CHECK(value["invocations"] == 20);
  CHECK(value["errors"] == 0);
  CHECK(value["cold_starts"] >= 1);
  CHECK(value["latency_ms"]["p50"] <= value["latency_ms"]["max"]);

  auto failing = tests::testee("function_error");
  failing.insert(failing.end(), {"--count", "3", "--output", "json"});
  const auto failed = tests::invoke(failing);
  CHECK(failed.status == 1);
  CHECK(json::parse(failed.output)["errors"] == 3);
}

TEST_CASE("an exception of a Python function is its answer, with the request's id", "[invoke]") {
  const PythonFunction function(
      "def handler(event, context):\n    raise ValueError('no ' + event)\n");
  const auto ended = function.invoke({"--payload", "\"luck\""});
  CHECK(ended.status == 1);
  const auto error = json::parse(ended.output);
  CHECK(error["errorType"] == "ValueError");
  CHECK(error["errorMessage"] == "no luck");
  CHECK(error["stackTrace"].size() == 1);
  CHECK(ended.errors.find("RequestId: " + error["requestId"].get<std::string>()) !=
        std::string::npos);
  CHECK(ended.errors.find("[ERROR] ValueError: no luck") != std::string::npos);
}

TEST_CASE("a Python module that cannot be imported answers with an empty request id", "[invoke]") {
  const PythonFunction function("import no_such_module\n");
  const auto ended = function.invoke({"--timeout", "20"});
  CHECK(ended.status == 1);
  const auto error = json::parse(ended.output);
  CHECK(error["errorType"] == "Runtime.ImportModuleError");
  CHECK(error["errorMessage"] == "Unable to import module 'app': No module named 'no_such_module'");
  CHECK(error["requestId"] == "");
  CHECK(
      ended.errors.find("\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n") !=
      std::string::npos);
}

TEST_CASE("a handler that the code does not hold is an error of the function", "[invoke]") {
  const PythonFunction function("");
  const auto ended = function.invoke({"--timeout", "20"});
  CHECK(ended.status == 1);
  CHECK(json::parse(ended.output)["errorType"] == "Runtime.HandlerNotFound");
}

TEST_CASE("a client context and the function's own figures reach a Python function", "[invoke]") {
  const PythonFunction function(
      "def handler(event, context):\n"
      "    return {'custom': context.client_context.custom, 'arn': context.invoked_function_arn,\n"
      "            'memory': context.memory_limit_in_mb, 'name': context.function_name,\n"
      "            'left': context.get_remaining_time_in_millis()}\n");
  const auto ended = function.invoke({"--client-context",
                                      R"({"custom":{"a":"b"}})",
                                      "--name",
                                      "own",
                                      "--memory",
                                      "256",
                                      "--timeout",
                                      "7"});
  INFO(ended.errors);
  REQUIRE(ended.status == 0);
  const auto told = json::parse(ended.output);
  CHECK(told["custom"]["a"] == "b");
  CHECK(told["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:own");
  CHECK(told["memory"] == "256");
  CHECK(told["name"] == "own");
  CHECK(told["left"] > 0);
  CHECK(told["left"] <= 7000);
}

TEST_CASE("what a Python function prints goes to standard error, between START and END",
          "[invoke]") {
  const PythonFunction function(
      "import sys\n"
      "def handler(event, context):\n"
      "    print('to out')\n"
      "    print('to err', file=sys.stderr)\n");
  const auto ended = function.invoke();
  CHECK(ended.output == "null");
  const auto start = ended.errors.find("START RequestId");
  const auto end = ended.errors.find("END RequestId");
  const auto out = ended.errors.find("to out\n");
  const auto err = ended.errors.find("to err\n");
  CHECK(start < out);
  CHECK(out < end);
  CHECK(start < err);
  CHECK(err < end);
}
