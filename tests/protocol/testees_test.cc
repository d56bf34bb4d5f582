// The testees are what other tests hold against Hearth, so that each misbehaves as it says is
// tested here, against a Runtime API that does nothing of its own.
#include "tests/protocol/scripted_runtime_api.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

using nlohmann::json;
using protocol_test::ScriptedRuntimeApi;

namespace {

using Variables = std::map<std::string, std::string>;

// What it printed, both streams together, while it is read from a file that vanishes with it.
class Log {
 public:
  Log() : file_(::memfd_create("testee", MFD_CLOEXEC)) {}
  ~Log() { ::close(file_); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  int descriptor() const { return file_; }
  std::string text() const {
    std::ifstream stream("/proc/self/fd/" + std::to_string(file_));
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }

 private:
  int file_;
};

pid_t start(const std::string& mode, const std::string& address, Variables variables, int output) {
  variables["TESTEE_MODE"] = mode;
  variables["AWS_LAMBDA_RUNTIME_API"] = address;
  std::vector<std::string> texts;
  for (const auto& [name, value] : variables) texts.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (auto& text : texts) environment.push_back(text.data());
  environment.push_back(nullptr);
  std::string program = HEARTH_BINARY_DIR "/handlers/testees/bootstrap";
  std::array<char*, 2> arguments = {program.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  pid_t child = -1;
  const int error = ::posix_spawn(
      &child, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  REQUIRE(error == 0);
  return child;
}

// The exit status, or minus the signal, of a testee that ends by itself.
int run(ScriptedRuntimeApi& api,
        const Log& log,
        const std::string& mode,
        const Variables& variables = {}) {
  return api.serve([&](const std::string& address) {
    const auto child = start(mode, address, variables, log.descriptor());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  });
}

}  // namespace

TEST_CASE("a testee that exits or crashes does so with what it was asked for", "[testees]") {
  const Log log;
  for (const auto* mode : {"exits_in_init", "exits_during_invoke", "exits_after_response"}) {
    INFO(mode);
    ScriptedRuntimeApi api;
    api.events = {"1"};
    CHECK(run(api, log, mode, {{"TESTEE_EXIT_CODE", "23"}}) == 23);
    CHECK(api.posts.size() == (mode == std::string("exits_after_response") ? 1 : 0));
    CHECK(api.events.size() == (mode == std::string("exits_in_init") ? 1 : 0));
  }
  for (const auto* mode : {"crashes_in_init", "crashes"}) {
    INFO(mode);
    ScriptedRuntimeApi api;
    api.events = {"1"};
    CHECK(run(api, log, mode) == -SIGSEGV);
    CHECK(api.posts.empty());
    CHECK(api.events.size() == (mode == std::string("crashes") ? 0 : 1));
  }
  ScriptedRuntimeApi api;
  CHECK(run(api, log, "crashes_in_init", {{"TESTEE_SIGNAL", "6"}}) == -SIGABRT);
  CHECK(run(api, log, "no such mode") == 64);
}

TEST_CASE("a testee that reports an error posts it where it should", "[testees]") {
  const Log log;
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "function_error", {{"TESTEE_ERROR_TYPE", "Function.Mine"}});
  CHECK(run(api, log, "init_error", {{"TESTEE_EXIT_CODE", "5"}}) == 5);
  REQUIRE(api.posts.size() == 2);
  CHECK(api.posts[0].path == "/2018-06-01/runtime/invocation/id-1/error");
  CHECK(api.posts[0].error_type == "Function.Mine");
  CHECK(api.posts[1].path == "/2018-06-01/runtime/init/error");
}

TEST_CASE("a testee that speaks out of turn is still heard in turn", "[testees]") {
  const Log log;
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "responds_twice");
  CHECK(api.posts.size() == 2);
  api.events = {"2"};
  run(api, log, "garbage_speaker");
  REQUIRE(api.posts.size() == 3);
  CHECK(api.posts[2].body == "2");
  api.events = {"3", "4"};
  run(api, log, "slow_after_response", {{"TESTEE_DELAY_MS", "1"}});
  CHECK(api.posts.size() == 5);
}

TEST_CASE("a testee's response is as large as it was asked to be", "[testees]") {
  const Log log;
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "oversized_response");
  REQUIRE(api.posts.size() == 1);
  CHECK(api.posts[0].body.size() == 6'291'557);
}

TEST_CASE("a chatty testee writes many lines, a very long one and an unended one", "[testees]") {
  const Log log;
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "chatty_logger", {{"TESTEE_LINES", "7"}, {"TESTEE_BYTES", "70000"}});
  const auto text = log.text();
  CHECK(text.find("line 7\n" + std::string(70'000, 'x') + "\nno newline after this") !=
        std::string::npos);
  CHECK(api.posts.size() == 1);
}

TEST_CASE("a testee tells its surroundings", "[testees]") {
  const Log log;
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "env_printer", {{"MINE", "a=b"}});
  REQUIRE(api.posts.size() == 1);
  const auto told = json::parse(api.posts[0].body);
  CHECK(told["environment"]["MINE"] == "a=b");
  CHECK(told["working_folder"] == std::filesystem::current_path().string());
  CHECK(told["limits"]["open_files"].contains("soft"));
  CHECK(told["descriptors"].contains("1"));
  CHECK(told["user"] == ::getuid());
}

TEST_CASE("a testee that forks leaves a living child behind", "[testees]") {
  const Log log;
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "forks_child");
  REQUIRE(api.posts.size() == 1);
  const auto child = json::parse(api.posts[0].body)["child"].get<pid_t>();
  CHECK(::kill(child, SIGKILL) == 0);
}

namespace {

// The only answer of a testee that is given one event; what it left behind is ended.
json answer(const std::string& mode, const std::string& event, Variables variables = {}) {
  const Log log;
  const auto tag = tests::new_tag();
  variables["TESTEE_TAG"] = tag.substr(tag.find('=') + 1);
  ScriptedRuntimeApi api;
  api.events = {event};
  run(api, log, mode, variables);
  for (const auto pid : tests::processes_with(tag)) ::kill(pid, SIGKILL);
  REQUIRE(api.posts.size() == 1);
  INFO(api.posts[0].body);
  return json::parse(api.posts[0].body);
}

}  // namespace

TEST_CASE("a greedy testee takes what it was asked to, and says when it got all", "[testees]") {
  const tests::ScratchFolder folder;
  const auto file = (folder.path() / "filler").string();
  CHECK(answer("hogs_memory", "1", {{"TESTEE_BYTES", "3145728"}}) ==
        json{{"bytes", 3'145'728}, {"error", ""}});
  CHECK(answer("hogs_memory_in_init", "1", {{"TESTEE_BYTES", "1048576"}})["bytes"] == 1'048'576);
  CHECK(answer("hogs_memory_behind_a_descriptor", "1", {{"TESTEE_BYTES", "70000"}}) ==
        json{{"bytes", 70'000}, {"error", ""}});
  CHECK(answer("fills_disk", "1", {{"TESTEE_FILE", file}, {"TESTEE_BYTES", "70000"}}) ==
        json{{"bytes", 70'000}, {"error", ""}});
  CHECK(std::filesystem::file_size(file) == 70'000);
  CHECK(answer("hogs_descriptors", "1", {{"TESTEE_COUNT", "20"}})["descriptors"] == 20);
  CHECK(answer("bombs_threads", "1", {{"TESTEE_COUNT", "20"}}) ==
        json{{"threads", 20}, {"error", ""}});
  CHECK(answer("bombs_processes", "1", {{"TESTEE_COUNT", "20"}})["processes"] >= 20);
  CHECK(answer("breeds_processes", "1", {{"TESTEE_COUNT", "20"}})["error"] == "");
  CHECK(answer("spins_in_threads", "1", {{"TESTEE_DELAY_MS", "5"}})["cpu_ms"] > 0);
}

TEST_CASE("a greedy testee rests when it is told to", "[testees]") {
  for (const auto* mode : {"hogs_memory", "fills_disk", "bombs_processes", "attempts"}) {
    INFO(mode);
    CHECK(answer(mode, "\"rest\"") == "rest");
  }
}

TEST_CASE("a testee tells of each attempt whether it was let, or the error", "[testees]") {
  const tests::ScratchFolder folder;
  const auto file = folder.write("secret", "text");
  const auto missing = (folder.path() / "missing").string();
  const json attempts = {{{"act", "read"}, {"target", file}},
                         {{"act", "read"}, {"target", missing}},
                         {{"act", "list"}, {"target", file}},
                         {{"act", "create"}, {"target", missing}},
                         {{"act", "create"}, {"target", missing}},
                         {{"act", "remove"}, {"target", missing}},
                         {{"act", "content"}, {"target", file}},
                         {{"act", "no such act"}}};
  CHECK(answer("attempts", attempts.dump()) ==
        json{"done", "ENOENT", "ENOTDIR", "done", "EEXIST", "done", "text", "unknown act"});
}

TEST_CASE("a testee asks a Runtime API that is not its own", "[testees]") {
  // Port 1 of this host has no server.
  const json attempts = {{{"act", "ask_runtime_api"}, {"target", "127.0.0.1:1"}},
                         {{"act", "reach"}, {"target", "127.0.0.1:1"}}};
  CHECK(answer("attempts", attempts.dump()) == json{"ECONNREFUSED", "ECONNREFUSED"});
}

TEST_CASE("a testee leaves a daemon that heeds no signal", "[testees]") {
  const Log log;
  const auto tag = tests::new_tag();
  ScriptedRuntimeApi api;
  api.events = {"1"};
  run(api, log, "outlives", {{"TESTEE_TAG", tag.substr(tag.find('=') + 1)}});
  const auto left = tests::processes_with(tag);
  REQUIRE(left.size() == 1);
  CHECK(::getsid(left[0]) != ::getsid(0));
  ::kill(left[0], SIGTERM);
  ::kill(left[0], SIGHUP);
  CHECK(tests::processes_with(tag) == left);
  ::kill(left[0], SIGKILL);
  CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
}

TEST_CASE("a testee does its act once and prints it where there is no Runtime API", "[testees]") {
  const Log log;
  const auto child = start("hogs_descriptors", "", {{"TESTEE_COUNT", "5"}}, log.descriptor());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(json::parse(log.text())["descriptors"] == 5);
}
