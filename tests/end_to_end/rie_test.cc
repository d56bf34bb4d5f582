// hearth rie, called as aws-lambda-rie is called.
#include "tests/end_to_end/hearth_program.h"
#include "tests/support/raw_connection.h"

#include <catch2/catch_test_macros.hpp>
#include <httplib.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::RunningProgram;
using tests::ScratchFolder;
using tests::Words;

namespace {

constexpr const char* kPath = "/2015-03-31/functions/function/invocations";

int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

// A program named aws-lambda-rie, with its front door and its Runtime API on free ports. The flags
// stand where `words` has "FLAGS".
class Rie {
 public:
  explicit Rie(Words words,
               std::map<std::string, std::string> variables = {},
               std::string folder = {})
      : port_(free_port()) {
    std::filesystem::create_symlink(HEARTH_BINARY_DIR "/bin/hearth",
                                    place_.path() / "aws-lambda-rie");
    const Words flags = {"--runtime-interface-emulator-address",
                         "127.0.0.1:" + std::to_string(port_),
                         "--runtime-api-address=127.0.0.1:" + std::to_string(free_port())};
    words.insert(words.begin(), (place_.path() / "aws-lambda-rie").string());
    const auto at = std::find(words.begin(), words.end(), "FLAGS");
    REQUIRE(at != words.end());
    words.insert(words.erase(at), flags.begin(), flags.end());
    variables.emplace("TMPDIR", temporary_.path().string());
    program_.emplace(tests::ProgramStart{.argv = words,
                                         .variables = std::move(variables),
                                         .folder = std::move(folder),
                                         .input = {}});
    program_->await_errors("serving");
  }

  int port() const { return port_; }
  RunningProgram& program() { return *program_; }
  tests::Answer post(const std::string& body) const {
    return tests::http(port_, "POST", kPath, body);
  }

  tests::Ended stop() {
    program_->signal(SIGTERM);
    auto ended = program_->wait();
    CHECK(tests::survivors() == std::vector<pid_t>{});
    CHECK(temporary_.entries() == std::vector<std::string>{});
    return ended;
  }

 private:
  ScratchFolder place_;
  ScratchFolder temporary_;
  int port_;
  std::optional<RunningProgram> program_;
};

struct PythonClient {
  std::string python;
  std::string folder;
};

// The client's folder is named for the runtime and for the interpreter that it is made for.
PythonClient python_client() {
  std::string client;
  for (const auto& entry :
       std::filesystem::directory_iterator(HEARTH_RUNTIME_CACHE "/hearth/runtimes")) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("python") && entry.is_directory()) client = entry.path();
  }
  return {"python" + client.substr(client.rfind('-') + 1), client};
}

std::string testees() { return tests::handler_folder("testees") + "/bootstrap"; }

}  // namespace

TEST_CASE("flags of rie are taken out wherever they stand", "[rie]") {
  const auto bootstrap = tests::handler_folder("echo-cpp") + "/bootstrap";
  for (const auto& words : {Words{"FLAGS", bootstrap},
                            Words{bootstrap, "FLAGS"},
                            Words{"--log-level", "info", bootstrap, "FLAGS", "handler"}}) {
    Rie rie(words);
    const auto answer = rie.post(R"({"a":1})");
    CHECK(answer.status == 200);
    CHECK(answer.body == R"({"a":1})");
    CHECK(answer.header("Content-Type") == "text/plain; charset=utf-8");
    rie.program().await_output("REPORT RequestId");
    const auto ended = rie.stop();
    CHECK(ended.status == 0);
    CHECK(tests::matches(ended.output,
                         "START RequestId: ([0-9a-f-]{36}) Version: \\$LATEST\n"
                         "END RequestId: \\1\n"
                         "REPORT RequestId: \\1\tInit Duration: [0-9.]+ ms\tDuration: [0-9.]+ ms"
                         "\tBilled Duration: [0-9]+ ms\tMemory Size: 3008 MB"
                         "\tMax Memory Used: 3008 MB\t\n"));
  }
}

TEST_CASE("the command of a Python image is served by rie", "[rie]") {
  const ScratchFolder folder;
  folder.write(
      "app.py",
      "import os\n"
      "def handler(event, context):\n"
      "    print('printed')\n"
      "    return {'event': event, 'handler': os.environ['_HANDLER'],\n"
      "            'name': context.function_name, 'memory': context.memory_limit_in_mb}\n");
  const auto [python, client] = python_client();
  Rie rie({"FLAGS", python, "-m", "awslambdaric", "app.handler"},
          {{"PYTHONPATH", client},
           {"AWS_LAMBDA_FUNCTION_NAME", "image"},
           {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"}},
          folder.path().string());
  const auto answer = rie.post(R"("e")");
  INFO(answer.body);
  CHECK(answer.json() ==
        json{{"event", "e"}, {"handler", "app.handler"}, {"name", "image"}, {"memory", "256"}});
  rie.program().await_output("REPORT RequestId");
  const auto ended = rie.stop();
  CHECK(ended.status == 0);
  CHECK(ended.output.find("printed\n") != std::string::npos);
  CHECK(ended.output.find("Memory Size: 256 MB") != std::string::npos);
}

TEST_CASE("rie with --enable-init-caching restores the function before its first event", "[rie]") {
  const ScratchFolder folder;
  folder.write("app.py",
               "import json, os, urllib.request\n"
               "from snapshot_restore_py import register_after_restore, register_before_snapshot\n"
               "seen = [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']]\n"
               "register_before_snapshot(lambda: seen.append('before'))\n"
               "register_after_restore(lambda: seen.append('after'))\n"
               "def handler(event, context):\n"
               "    token = os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']\n"
               "    request = urllib.request.Request(\n"
               "        os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'],\n"
               "        headers={'Authorization': token})\n"
               "    with urllib.request.urlopen(request) as answer:\n"
               "        return seen + [json.load(answer)['SecretAccessKey']]\n");
  const auto [python, client] = python_client();
  Rie rie({"FLAGS", "--enable-init-caching", python, "-m", "awslambdaric", "app.handler"},
          {{"PYTHONPATH", client}, {"AWS_SECRET_ACCESS_KEY", "of-the-image"}},
          folder.path().string());
  const auto answer = rie.post("{}");
  INFO(answer.body);
  CHECK(answer.json() == json{"snap-start", "before", "after", "of-the-image"});
  rie.program().await_output("REPORT RequestId");
  CHECK(rie.stop().output.find("RESTORE") == std::string::npos);
}

TEST_CASE("rie's variables say what the function is", "[rie]") {
  Rie rie({"FLAGS", testees()},
          {{"TESTEE_MODE", "env_printer"},
           {"AWS_LAMBDA_FUNCTION_NAME", "named"},
           {"AWS_LAMBDA_FUNCTION_VERSION", "7"},
           {"AWS_LAMBDA_FUNCTION_HANDLER", "a.b"},
           {"HOST_VARIABLE", "a=b"}});
  const auto variables = rie.post("{}").json()["environment"];
  CHECK(variables["AWS_LAMBDA_FUNCTION_NAME"] == "named");
  CHECK(variables["AWS_LAMBDA_FUNCTION_VERSION"] == "7");
  CHECK(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "3008");
  CHECK(variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/Functions");
  CHECK(variables["_HANDLER"] == "a.b");
  CHECK(variables["HOST_VARIABLE"] == "a=b");
  CHECK(rie.stop().output.starts_with("START RequestId: "));
}

TEST_CASE("a timeout under rie is a text, and the next call is served", "[rie]") {
  Rie rie({"FLAGS", testees()},
          {{"TESTEE_MODE", "sleeps_forever"}, {"AWS_LAMBDA_FUNCTION_TIMEOUT", "1"}});
  for (int round = 0; round < 2; ++round) {
    const auto answer = rie.post("{}");
    CHECK(answer.status == 200);
    CHECK(answer.body == "Task timed out after 1.00 seconds");
  }
  CHECK(rie.stop().status == 0);
}

TEST_CASE("a runtime that exits under rie is a 502, each time", "[rie]") {
  Rie rie({"FLAGS", testees()},
          {{"TESTEE_MODE", "exits_during_invoke"}, {"TESTEE_EXIT_CODE", "4"}});
  for (int round = 0; round < 2; ++round) {
    const auto answer = rie.post("{}");
    CHECK(answer.status == 502);
    CHECK(tests::matches(answer.body,
                         R"(\{"errorType":"Runtime\.ExitError","errorMessage":"RequestId: )"
                         R"([0-9a-f-]{36} Error: Runtime exited with error: exit status 4"\})"));
  }
  CHECK(rie.stop().status == 0);
}

TEST_CASE("a call during another call to rie is served, too", "[rie]") {
  tests::Answer first;
  std::jthread thread;  // ends after rie
  Rie rie({"FLAGS", testees()}, {{"TESTEE_MODE", "sleeps_forever"}, {"TESTEE_DELAY_MS", "500"}});
  thread = std::jthread([&] { first = rie.post("1"); });
  rie.program().await_output("START RequestId");
  const auto second = rie.post("2");
  thread.join();
  CHECK(first.status == 200);
  CHECK(first.body == "1");
  CHECK(second.status == 200);
  CHECK(second.body == "2");
  CHECK(rie.stop().status == 0);
}

TEST_CASE("a caller of rie that goes away does not trouble the next", "[rie]") {
  Rie rie({"FLAGS", testees()}, {{"TESTEE_MODE", "sleeps_forever"}, {"TESTEE_DELAY_MS", "300"}});
  {
    tests::RawConnection leaves(rie.port());
    leaves.say("POST " + std::string(kPath) +
               " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    rie.program().await_output("START RequestId");
  }
  const auto answer = rie.post("\"next\"");
  CHECK(answer.status == 200);
  CHECK(answer.body == "\"next\"");
  CHECK(rie.stop().status == 0);
}

TEST_CASE("rie answers only where the original does", "[rie]") {
  Rie rie({"FLAGS", testees()}, {{"TESTEE_MODE", "echo"}});
  CHECK(tests::http(rie.port(), "POST", "/2015-03-31/functions/other/invocations", "{}").status ==
        404);
  CHECK(tests::http(rie.port(), "GET", "/").status == 404);
  CHECK(tests::http(rie.port(), "PUT", kPath, "1").body == "1");
  CHECK(tests::http(rie.port(), "POST", kPath, "1", {{"X-Amz-Invocation-Type", "Event"}}).status ==
        200);
  CHECK(tests::http(rie.port(), "POST", kPath, "1", {{"X-Amz-Client-Context", "?"}}).status == 500);
  rie.stop();
}

TEST_CASE("hearth rie refuses a log level in the original's words", "[rie]") {
  const auto ended = tests::run_hearth({"rie", "--log-level", "loud", "true"});
  CHECK(ended.status == 1);
  CHECK(ended.errors ==
        "Failed to set log level. Valid log levels are:[panic fatal error warning info debug "
        "trace]\n");
}

namespace {

// A runtime with as many threads as it is told, each with a poll of its own. "meet" answers when as
// many invocations are under way; "hold" never does.
constexpr const char* kConcurrentRuntime = R"(
import os, threading, urllib.request
polls = int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"])
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
together = threading.Barrier(polls)

def serve():
    while True:
        with urllib.request.urlopen(api + "next") as invocation:
            event = invocation.read().decode()
            name = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        if event == '"hold"':
            print("holding", flush=True)
            threading.Event().wait()
        together.wait()
        answer = '{"pid": %d}' % os.getpid()
        urllib.request.urlopen(api + name + "/response", data=answer.encode()).close()

for _ in range(polls):
    threading.Thread(target=serve).start()
)";

// The runtime is ready with its first poll; whoever comes before the others are there is turned
// away as if all were taken.
tests::Answer served(const Rie& rie, const std::string& body) {
  auto answer = rie.post(body);
  while (answer.header("Error-Type") == "Runtime.Unavailable") answer = rie.post(body);
  return answer;
}

void requires_python() {
  if (std::system("python3 --version >/dev/null 2>&1") != 0) {
    SKIP("SKIPPED: this host lacks python3 (the package of that name)");
  }
}

}  // namespace

TEST_CASE("with AWS_LAMBDA_MAX_CONCURRENCY one process serves that many invocations at once") {
  requires_python();
  const ScratchFolder folder;
  const auto runtime = folder.write("runtime.py", kConcurrentRuntime);
  Rie rie({"FLAGS", "/usr/bin/env", "python3", runtime}, {{"AWS_LAMBDA_MAX_CONCURRENCY", "8"}});
  std::vector<std::future<tests::Answer>> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(std::async(std::launch::async, [&] { return served(rie, "\"meet\""); }));
  }
  std::set<std::string> answers;
  for (auto& call : calls) {
    const auto answer = call.get();
    CHECK(answer.status == 200);
    CHECK(answer.header("Error-Type").empty());
    answers.insert(answer.body);
  }
  INFO(*answers.begin());
  CHECK(answers.size() == 1);
  CHECK(rie.stop().status == 0);
}

TEST_CASE("with every poll of a concurrent runtime taken, an invocation is turned away") {
  requires_python();
  const ScratchFolder folder;
  const auto runtime = folder.write("runtime.py", kConcurrentRuntime);
  Rie rie({"FLAGS", "/usr/bin/env", "python3", runtime},
          {{"AWS_LAMBDA_MAX_CONCURRENCY", "1"}, {"AWS_LAMBDA_FUNCTION_TIMEOUT", "2"}});
  auto held = std::async(std::launch::async, [&] { return rie.post("\"hold\""); });
  rie.program().await_output("holding");
  const auto refused = rie.post("1");
  CHECK(refused.status == 400);
  CHECK(refused.header("Error-Type") == "Runtime.Unavailable");
  const auto timed_out = held.get();
  CHECK(timed_out.status == 200);
  CHECK(timed_out.header("Error-Type") == "Sandbox.Timedout");
  CHECK(rie.program().pid() > 0);
  rie.stop();
}
