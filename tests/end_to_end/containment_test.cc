// Hostile functions under the built program: what their callers are told, and that nobody else
// notices. What one sandbox holds back in detail is tested in tests/isolation.
#include "tests/end_to_end/hearth_program.h"
#include "tests/support/host_requirements.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;
namespace fs = std::filesystem;

namespace {

constexpr const char* kRest = "\"rest\"";

Words hostile(const std::string& mode, const Words& more = {}) {
  auto words = tests::testee(mode);
  words.insert(words.end(), {"--sandbox", "degraded"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// With the log comes the answer after the report, so that what is asked then knows of it.
tests::Answer call(const Serving& serving, const std::string& payload) {
  return tests::invoke_function(serving.port(), "testee", payload, {{"X-Amz-Log-Type", "Tail"}});
}

std::string report_of(Serving& serving, const tests::Answer& answer) {
  return serving.program().await_output("REPORT RequestId: " + answer.header("x-amzn-RequestId"));
}

// The entries of GET /_hearth/environments.
json environments(const Serving& serving) {
  return tests::http(serving.port(), "GET", "/_hearth/environments").json()["environments"];
}

// The phase of the only environment, "frozen" for one that stands still in it.
bool is_in_phase(const Serving& serving, const std::string& phase) {
  const auto all = environments(serving);
  if (all.size() != 1) return false;
  return all[0]["frozen"] == true ? phase == "frozen" : all[0]["phase"] == phase;
}

// Functions that are testees, each in its own mode, in one server.
class Testees {
 public:
  explicit Testees(const std::vector<std::string>& modes) {
    std::string text = "Transform: AWS::Serverless-2016-10-31\nResources:\n";
    for (const auto& mode : modes) {
      std::string id;
      for (const char letter : mode) {
        if (letter != '_') id += letter;
      }
      text += "  " + id + ":\n    Type: AWS::Serverless::Function\n    Properties:\n" +
              "      FunctionName: " + mode +
              "\n      CodeUri: " + tests::handler_folder("testees") +
              "\n      Runtime: provided.al2023\n      Handler: " + mode + "\n      Timeout: 20\n";
      if (mode == "env_printer") {
        text += "      Environment:\n        Variables:\n          SECRET: victims-own-secret\n";
      }
    }
    template_ = folder_.write("template.yaml", text);
  }
  Words flags() const { return {"--template", template_, "--sandbox", "degraded"}; }

 private:
  ScratchFolder folder_;
  std::string template_;
};

std::vector<std::string> attempt(const Serving& serving, const json& attempts) {
  return tests::invoke_function(serving.port(), "attempts", attempts.dump()).json();
}

// A server that answers each line with itself, to one client.
class EchoServer {
 public:
  EchoServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket_, 1) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~EchoServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void serve() const {
    const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    std::array<char, 256> bytes{};
    for (ssize_t size = 0; (size = ::recv(client, bytes.data(), bytes.size(), 0)) > 0;) {
      ::send(client, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
    }
    ::close(client);
  }

  int socket_;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("who runs out of memory is told so as by the service, and the next start is fresh",
          "[containment]") {
  tests::requires_cgroup_memory();
  for (const auto* mode : {"hogs_memory", "child_hogs_memory", "children_hog_memory"}) {
    INFO(mode);
    Serving serving(hostile(mode, {"--timeout", "60"}));
    for (int round = 1; round <= 2; ++round) {
      const auto answer = call(serving, "{}");
      const auto id = answer.header("x-amzn-RequestId");
      CHECK(answer.status == 200);
      CHECK(answer.header("X-Amz-Function-Error") == "Unhandled");
      CHECK(answer.body == R"({"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: )" +
                               id + R"( Error: Runtime exited with error: signal: killed"})");
      const auto report = report_of(serving, answer);
      INFO(report);
      CHECK(report.find("\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t") != std::string::npos);
      CHECK(report.ends_with("\tStatus: error\tError Type: Runtime.OutOfMemory"));
    }
    CHECK(environments(serving).at(0)["phase"] == "reset");
    CHECK(call(serving, kRest).body == kRest);
    CHECK(call(serving, kRest).body == kRest);
    CHECK(environments(serving).at(0)["invocations"] == 4);
    CHECK(serving.stop().status == 0);
  }
}

TEST_CASE("who runs out of memory in init is told so", "[containment]") {
  tests::requires_cgroup_memory();
  const auto ended = tests::invoke(hostile("hogs_memory_in_init", {"--timeout", "60"}));
  INFO(ended.errors);
  CHECK(ended.status == 1);
  CHECK(json::parse(ended.output)["errorType"] == "Runtime.OutOfMemory");
  CHECK(ended.errors.find("\tPhase: init\tStatus: error\tError Type: Runtime.OutOfMemory\n") !=
        std::string::npos);
  CHECK(ended.errors.find("\tMax Memory Used: 128 MB\tStatus: error"
                          "\tError Type: Runtime.OutOfMemory\n") != std::string::npos);
}

TEST_CASE("400 MB fit into a /tmp of 512 beside 128 MB of memory, and no more than 512 do",
          "[containment]") {
  tests::requires_namespaces();
  Serving serving(hostile("fills_disk", {"--timeout", "60", "--env", "TESTEE_BYTES=419430400"}));
  const auto answer = call(serving, "{}");
  CHECK(answer.json() == json{{"bytes", 419'430'400}, {"error", ""}});
  CHECK(call(serving, kRest).body == kRest);
  CHECK(environments(serving).at(0)["invocations"] == 2);
  serving.stop();

  const auto full =
      tests::invoke(hostile("fills_disk", {"--timeout", "60", "--ephemeral-storage", "600"}));
  CHECK(json::parse(full.output) == json{{"bytes", 600L << 20}, {"error", "ENOSPC"}});
}

TEST_CASE("bombs of processes and threads meet their limit, and the function goes on",
          "[containment]") {
  tests::requires_cgroup_pids();
  for (const auto* mode : {"bombs_processes", "bombs_threads"}) {
    INFO(mode);
    Serving serving(hostile(mode, {"--memory", "1769", "--timeout", "60"}));
    const auto answer = call(serving, "{}");
    INFO(answer.body);
    CHECK(answer.json()["error"] == "EAGAIN");
    CHECK(call(serving, kRest).body == kRest);
    CHECK(serving.stop().status == 0);
  }
}

TEST_CASE("a bomb in a small function is ended with its timeout, and so is all that it started",
          "[containment]") {
  tests::requires_namespaces();
  tests::requires_cgroup_pids();
  const auto tag = tests::new_tag();
  Serving serving(hostile("bombs_processes", {"--timeout", "1", "--env", tag}));
  const auto answer = call(serving, "{}");
  INFO(answer.body);
  CHECK(answer.status == 200);
  CHECK(call(serving, kRest).body == kRest);
  CHECK(serving.stop().status == 0);
  CHECK(tests::processes_with(tag).empty());
}

TEST_CASE("processes that breed are ended with their environment", "[containment]") {
  tests::requires_namespaces();
  const auto tag = tests::new_tag();
  Serving serving(
      hostile("breeds_processes", {"--memory", "1769", "--timeout", "60", "--env", tag}));
  CHECK(call(serving, "{}").json()["error"] == "");
  CHECK(tests::http(serving.port(), "DELETE", "/_hearth/environments").status == 200);
  CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
  CHECK(call(serving, kRest).body == kRest);
  serving.stop();
}

TEST_CASE("descriptors end at 1024, and the function goes on", "[containment]") {
  Serving serving(hostile("hogs_descriptors", {"--timeout", "20"}));
  CHECK(call(serving, "{}").json()["error"] == "EMFILE");
  CHECK(call(serving, "{}").json()["highest"] == 1023);
  CHECK(environments(serving).at(0)["invocations"] == 2);
  serving.stop();
}

TEST_CASE("a function of 128 MB spins for its share of a CPU in however many threads",
          "[containment]") {
  tests::requires_cgroup_cpu();
  Serving serving(hostile("spins_in_threads", {"--timeout", "60"}));
  CHECK(call(serving, kRest).body == kRest);
  const auto answer = call(serving, "{}").json();
  INFO(answer.dump());
  CHECK(answer["cpu_ms"].get<double>() <= 0.10 * answer["wall_ms"].get<double>());
  const auto invocations =
      tests::http(serving.port(), "GET", "/_hearth/invocations?limit=1").json()["invocations"];
  INFO(invocations.dump());
  CHECK(invocations[0]["throttled_cpu_ms"].get<double>() > 0);
  serving.stop();
}

TEST_CASE("one function finds neither the code nor the variables nor the home of others",
          "[containment]") {
  tests::requires_own_proc();
  const ScratchFolder home;
  home.write(".aws/credentials", "secret");
  const Testees project({"env_printer", "attempts"});
  Serving serving(project.flags(), {.variables = {{"HOME", home.path().string()}}});
  const auto victim = tests::invoke_function(serving.port(), "env_printer", "{}").json();
  CHECK(victim["environment"]["SECRET"] == "victims-own-secret");
  const pid_t pid = environments(serving).at(0)["pid"];
  const auto process = "/proc/" + std::to_string(pid);
  const json attempts = {
      {{"act", "search_processes"}, {"target", "victims-own-secret"}},
      {{"act", "list"}, {"target", home.path().string()}},
      {{"act", "read"}, {"target", home.path().string() + "/.aws/credentials"}},
      {{"act", "list"}, {"target", tests::handler_folder("testees")}},
      {{"act", "read"}, {"target", process + "/environ"}},
      {{"act", "list"}, {"target", process + "/" + "root/var/task"}},
      {{"act", "signal"}, {"target", std::to_string(pid)}},
      {{"act", "signal"}, {"target", std::to_string(serving.program().pid())}},
      {{"act", "read"}, {"target", "/proc/" + std::to_string(serving.program().pid()) + "/maps"}},
  };
  const auto results = attempt(serving, attempts);
  CHECK(results.at(0) == "[]");
  for (std::size_t at = 1; at < results.size(); ++at) {
    INFO(attempts[at].dump() << ": " << results[at]);
    CHECK((results[at] == "ENOENT" || results[at] == "ESRCH"));
  }
  serving.stop();
}

TEST_CASE("one function's Runtime API answers no other function, and nobody of the host",
          "[containment]") {
  tests::requires_peer_check();
  const Testees project({"env_printer", "attempts"});
  Serving serving(project.flags());
  const auto victim = tests::invoke_function(serving.port(), "env_printer", "{}").json();
  const std::string address = victim["environment"]["AWS_LAMBDA_RUNTIME_API"];
  const json question = {{{"act", "ask_runtime_api"}, {"target", address}}};
  CHECK(attempt(serving, question) == std::vector<std::string>{"HTTP 403"});
  const auto own = attempt(serving, json{{{"act", "content"}, {"target", "/proc/self/environ"}}});
  CHECK(own.at(0).find(address) == std::string::npos);
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  CHECK(tests::http(port, "GET", "/2018-06-01/ping").status == 403);
  CHECK(tests::http(port, "GET", "/2018-06-01/runtime/invocation/next").status == 403);
  // The victim has not lost its turn.
  CHECK(tests::invoke_function(serving.port(), "env_printer", kRest).body == kRest);
  serving.stop();
}

TEST_CASE("a function is answered by its own Runtime API on every connection", "[containment]") {
  Serving serving(hostile("attempts"));
  const auto content =
      call(serving, json{{{"act", "content"}, {"target", "/proc/self/environ"}}}.dump()).json();
  const std::string variables = content.at(0);
  const std::string name = "AWS_LAMBDA_RUNTIME_API=";
  const auto begin = variables.find(name);
  REQUIRE(begin != std::string::npos);
  const auto from = begin + name.size();
  const auto address = variables.substr(from, variables.find('\0', from) - from);
  const json question = {{{"act", "ask_runtime_api"}, {"target", address}}};
  CHECK(call(serving, question.dump()).json() == json{"HTTP 200"});
  serving.stop();
}

TEST_CASE("a thread in the background stands still between invocations", "[containment]") {
  tests::requires_cgroup_freezer();
  Serving serving(hostile("counts_in_background", {"--memory", "1769"}));
  call(serving, "{}");
  REQUIRE(tests::soon([&] { return is_in_phase(serving, "frozen"); }));
  const auto begin = std::chrono::steady_clock::now();
  // Half a second in which a thread that runs counts to about 500.
  REQUIRE(tests::soon(
      [&] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds{500}; }));
  CHECK(is_in_phase(serving, "frozen"));
  const auto first = call(serving, "{}").json();
  const auto second = call(serving, "{}").json();
  INFO(first.dump() << second.dump());
  CHECK(first["ticks"].get<int>() < 100);
  CHECK(environments(serving).at(0)["invocations"] == 3);
  serving.stop();
}

TEST_CASE("with --freeze off a thread in the background goes on", "[containment]") {
  Serving serving(hostile("counts_in_background", {"--memory", "1769", "--freeze", "off"}));
  const int first = call(serving, "{}").json()["ticks"];
  CHECK(tests::soon([&] { return call(serving, "{}").json()["ticks"].get<int>() > first + 100; }));
  CHECK_FALSE(is_in_phase(serving, "frozen"));
  serving.stop();
}

TEST_CASE("a timer that runs out while frozen fires in the next invocation", "[containment]") {
  tests::requires_cgroup_freezer();
  Serving serving(hostile("arms_timer", {"--memory", "1769", "--env", "TESTEE_DELAY_MS=300"}));
  const auto first = call(serving, "1");
  REQUIRE(tests::soon([&] { return is_in_phase(serving, "frozen"); }));
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(tests::soon(
      [&] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds{600}; }));
  const auto next = call(serving, "2");
  const auto id = next.header("x-amzn-RequestId");
  const auto log = serving.stop().output;
  const auto fired = log.find("the timer has fired");
  CHECK(fired != std::string::npos);
  CHECK(log.find("START RequestId: " + id) < fired);
  CHECK(fired < log.find("END RequestId: " + id));
}

TEST_CASE("an open connection is still open after a freeze", "[containment]") {
  tests::requires_cgroup_freezer();
  const EchoServer server;
  Serving serving(hostile("keeps_connection"));
  const auto event = json(server.address()).dump();
  const json heard = {{"heard", "hello\n"}, {"error", ""}};
  CHECK(call(serving, event).json() == heard);
  REQUIRE(tests::soon([&] { return is_in_phase(serving, "frozen"); }));
  CHECK(call(serving, event).json() == heard);
  CHECK(environments(serving).at(0)["invocations"] == 2);
  serving.stop();
}

TEST_CASE("a function that ignores every signal, with a daemon, ends when its server does",
          "[containment]") {
  tests::requires_namespaces();
  for (const int number : {SIGTERM, SIGKILL}) {
    const auto tag = tests::new_tag();
    Serving serving(hostile("ignores_signals", {"--env", tag, "--env", "TESTEE_LEAVES_DAEMON=1"}));
    CHECK(call(serving, "1").body == "1");
    CHECK(tests::processes_with(tag).size() >= 2);
    CHECK(serving.stop(number).status == (number == SIGTERM ? 0 : 128 + SIGKILL));
    CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
  }
}

TEST_CASE("a daemon that a function leaves is ended with its environment", "[containment]") {
  tests::requires_namespaces();
  const auto tag = tests::new_tag();
  Serving serving(hostile("outlives", {"--env", tag}));
  CHECK(call(serving, "1").body == "1");
  CHECK(tests::processes_with(tag).size() == 2);
  CHECK(tests::http(serving.port(), "DELETE", "/_hearth/environments").status == 200);
  CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
  serving.stop();
}

namespace {

// Killed in a phase, and then looked at for what is left.
struct KilledWhile {
  std::string name;
  Words flags;
  bool calls = true;        // somebody invokes
  bool is_answered = true;  // and has an answer before the kill
  std::string phase;        // of the environment at the kill; empty: any
};

std::vector<KilledWhile> moments_to_kill() {
  return {
      {.name = "idle", .flags = hostile("ignores_signals", {"--freeze", "off"}), .phase = "idle"},
      {.name = "frozen", .flags = hostile("ignores_signals"), .phase = "frozen"},
      {.name = "invoking",
       .flags = hostile("sleeps_forever", {"--timeout", "60"}),
       .is_answered = false,
       .phase = "invoking"},
      {.name = "initialising",
       .flags = hostile("slow_init", {"--timeout", "60"}),
       .is_answered = false,
       .phase = "initialising"},
      {.name = "starting nothing", .flags = hostile("echo"), .calls = false, .phase = ""},
  };
}

}  // namespace

TEST_CASE("a server that is killed leaves no process, mount, control group or folder",
          "[containment]") {
  for (const auto& killed : moments_to_kill()) {
    INFO("killed while " << killed.name);
    if (killed.phase == "frozen" &&
        tests::host_plan().freeze == emulator::sandbox::FreezeMeans::none) {
      continue;
    }
    const auto tag = tests::new_tag();
    auto words = killed.flags;
    words.insert(words.end(), {"--env", tag, "--env", "TESTEE_LEAVES_DAEMON=1"});
    std::jthread caller;  // ends after the server
    Serving serving(words);
    if (killed.calls) {
      caller =
          std::jthread([port = serving.port()] { tests::invoke_function(port, "testee", "1"); });
      if (killed.is_answered) caller.join();
      INFO(environments(serving).dump());
      REQUIRE(tests::soon([&] { return is_in_phase(serving, killed.phase); }));
      REQUIRE(tests::soon([&] { return tests::processes_with(tag).size() >= 2; }));
    }
    const auto pid = serving.program().pid();
    CHECK(serving.stop(SIGKILL).status == 128 + SIGKILL);
    if (tests::host_plan().namespaces) {
      CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
    }
    CHECK(tests::soon([&] { return tests::control_groups_of(pid).empty(); }));
    CHECK(tests::mounts_with("hearth").empty());
  }
}
