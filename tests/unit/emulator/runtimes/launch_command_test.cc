#include "emulator/runtimes/launch_command.h"

#include "emulator/runtimes/java_options.h"
#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::runtimes;
using emulator::functions::FunctionConfiguration;
using runtimes_test::TemporaryFolder;

namespace {

using Words = std::vector<std::string>;

FunctionConfiguration function(std::string runtime, std::string handler = "app.handler") {
  FunctionConfiguration configuration;
  configuration.name = "orders";
  configuration.runtime = std::move(runtime);
  configuration.handler = std::move(handler);
  return configuration;
}

InterpreterFinder always(std::string program, std::string version) {
  return [=](const Runtime&) -> Expected<Interpreter> { return Interpreter{program, version}; };
}

const InterpreterFinder kNone = [](const Runtime&) -> Expected<Interpreter> {
  return refuse(RuntimeError::Kind::interpreter_missing, "none");
};

const LaunchFolders kSeen{.task_root = "/nowhere/task",
                          .layers_root = "/nowhere/opt",
                          .seen_task_root = "/var/task",
                          .seen_layers_root = "/opt"};

}  // namespace

TEST_CASE("a custom runtime starts the bootstrap of its code, there or not", "[runtimes]") {
  const auto command =
      launch_command(function("provided.al2023"), kSeen, RuntimeClientCache(""), kNone);
  REQUIRE(command);
  CHECK(command->argv == Words{"/var/task/bootstrap"});
  CHECK(command->working_folder == "/var/task");
  CHECK(command->environment.empty());
  CHECK(command->hint.find("/nowhere/task") != std::string::npos);
}

TEST_CASE("a layer's bootstrap is started when the code has none", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write_program("opt/bootstrap");
  auto folders = kSeen;
  folders.task_root = folder.path() / "task";
  folders.layers_root = folder.path() / "opt";
  const auto start = [&] {
    return launch_command(function("provided.al2"), folders, RuntimeClientCache(""), kNone)
        ->argv.at(0);
  };
  CHECK(start() == "/opt/bootstrap");
  folder.write_program("task/bootstrap");
  CHECK(start() == "/var/task/bootstrap");
}

TEST_CASE("a Go function starts the executable its handler names", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write_program("task/main");
  auto folders = kSeen;
  folders.task_root = folder.path() / "task";
  const auto command =
      launch_command(function("go1.x", "main"), folders, RuntimeClientCache(""), kNone);
  REQUIRE(command);
  CHECK(command->argv == Words{"/var/task/main"});
  CHECK(command->environment.at("AWS_EXECUTION_ENV") == "AWS_Lambda_go1.x");
}

TEST_CASE("a Python function finds its code before layers before the client", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("python3.11-3.11/awslambdaric/__main__.py", "");
  const auto command = launch_command(function("python3.11"),
                                      kSeen,
                                      RuntimeClientCache(folder.path()),
                                      always("/usr/bin/python3.11", "3.11"));
  REQUIRE(command);
  CHECK(command->argv ==
        Words{"/usr/bin/python3.11", "-s", "-B", "-m", "awslambdaric", "app.handler"});
  CHECK(command->environment.at("PYTHONPATH") ==
        "/var/task:/opt/python/lib/python3.11/site-packages:/opt/python:" +
            (folder.path() / "python3.11-3.11").string());
  CHECK(command->environment.at("AWS_EXECUTION_ENV") == "AWS_Lambda_python3.11");
  CHECK_FALSE(command->remark);
  CHECK(command->host_folders.back() == folder.path() / "python3.11-3.11");
}

TEST_CASE("a Node.js function finds its layers before the client", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("nodejs20.x-20/entry.mjs", "");
  const auto client = (folder.path() / "nodejs20.x-20").string();
  const auto command = launch_command(function("nodejs20.x"),
                                      kSeen,
                                      RuntimeClientCache(folder.path()),
                                      always("/usr/bin/node", "20"));
  REQUIRE(command);
  CHECK(command->argv == Words{"/usr/bin/node", client + "/entry.mjs", "app.handler"});
  CHECK(command->environment.at("NODE_PATH") ==
        "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:" + client + "/node_modules");
  CHECK(command->environment.at("AWS_EXECUTION_ENV") == "AWS_Lambda_nodejs20.x");
}

TEST_CASE("a Java function is started through the client with options for its memory",
          "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("java21-25/lib/core.jar", "");
  const auto client = (folder.path() / "java21-25").string();
  auto configuration = function("java21", "example.Handler::handleRequest");
  configuration.memory = emulator::functions::MemorySize{512};
  const auto start = [&] {
    return launch_command(
        configuration, kSeen, RuntimeClientCache(folder.path()), always("/jvm/25/bin/java", "25"));
  };
  const auto command = start();
  REQUIRE(command);
  CHECK(command->argv == Words{"/jvm/25/bin/java",
                               "-Xmx436m",
                               "-XX:+UseSerialGC",
                               "-XX:TieredStopAtLevel=1",
                               "-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac",
                               "-cp",
                               client + "/lib/*",
                               "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
                               "example.Handler::handleRequest"});
  CHECK(command->remark);
  CHECK(command->environment.at("AWS_EXECUTION_ENV") == "AWS_Lambda_java21");
  CHECK(command->host_folders.back() == client);
  configuration.variables["JAVA_TOOL_OPTIONS"] = "-Xmx100m -XX:+UseParallelGC";
  CHECK(start()->argv.at(1) == "-XX:TieredStopAtLevel=1");
  configuration.variables["JAVA_TOOL_OPTIONS"] = "-XX:-TieredCompilation";
  CHECK(start()->argv.at(4) == "-cp");
}

TEST_CASE("a JVM's heap leaves room for what lies outside it", "[runtimes]") {
  CHECK(java_heap_mb(128) == 64);
  CHECK(java_heap_mb(256) == 192);
  CHECK(java_heap_mb(512) == 436);
  CHECK(java_heap_mb(10'240) == 8704);
  CHECK(java_heap_mb(64) == 16);
}

TEST_CASE("a Ruby function finds its code and gems before layers before the client", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("ruby3.3-3.3/bin/aws_lambda_ric", "");
  const auto client = (folder.path() / "ruby3.3-3.3").string();
  const auto command = launch_command(function("ruby3.3"),
                                      kSeen,
                                      RuntimeClientCache(folder.path()),
                                      always("/usr/bin/ruby3.3", "3.3"));
  REQUIRE(command);
  CHECK(command->argv == Words{"/usr/bin/ruby3.3", client + "/bin/aws_lambda_ric", "app.handler"});
  CHECK(command->environment.at("GEM_PATH") ==
        "/var/task/vendor/bundle/ruby/3.3.0:/opt/ruby/gems/3.3.0:" + client);
  CHECK(command->environment.at("RUBYLIB") == "/var/task:/opt/ruby/lib");
}

TEST_CASE("a wrapper is started with the command line of a managed runtime", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("nodejs20.x-20/entry.mjs", "");
  const auto client = (folder.path() / "nodejs20.x-20").string();
  auto configuration = function("nodejs20.x");
  const auto command_for = [&](const std::string& wrapper) {
    configuration.variables["AWS_LAMBDA_EXEC_WRAPPER"] = wrapper;
    return launch_command(configuration,
                          {.task_root = "/nowhere/task",
                           .layers_root = "/nowhere/opt",
                           .seen_task_root = "/seen/code",
                           .seen_layers_root = "/seen/layers"},
                          RuntimeClientCache(folder.path()),
                          always("/usr/bin/node", "20"))
        ->argv;
  };
  const auto plain = command_for("");
  CHECK(plain == Words{"/usr/bin/node", client + "/entry.mjs", "app.handler"});
  for (const auto& [named, seen] : {std::pair{"/opt/wrap", "/seen/layers/wrap"},
                                    std::pair{"/var/task/wrap", "/seen/code/wrap"},
                                    std::pair{"/optional", "/optional"}}) {
    const auto argv = command_for(named);
    REQUIRE(argv.size() == 7);
    CHECK(argv[0] == "/bin/sh");
    CHECK(argv[3] == seen);
    CHECK(Words(argv.begin() + 4, argv.end()) == plain);
  }
}

TEST_CASE("a custom runtime does not look at a wrapper", "[runtimes]") {
  auto configuration = function("provided.al2023");
  configuration.variables["AWS_LAMBDA_EXEC_WRAPPER"] = "/opt/wrap";
  const auto command = launch_command(configuration, kSeen, RuntimeClientCache(""), kNone);
  CHECK(command->argv == Words{"/var/task/bootstrap"});
}

TEST_CASE("a search path of the customer's own stays in force", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("python3.11-3.11/awslambdaric/__main__.py", "");
  auto configuration = function("python3.11");
  configuration.variables["PYTHONPATH"] = "/opt/mine";
  const auto command = launch_command(configuration,
                                      kSeen,
                                      RuntimeClientCache(folder.path()),
                                      always("/usr/bin/python3.11", "3.11"));
  REQUIRE(command);
  CHECK(command->environment.at("PYTHONPATH").find(":/opt/mine:") != std::string::npos);
}

TEST_CASE("a client that is not installed is an error that says how to install it", "[runtimes]") {
  const TemporaryFolder folder;
  const auto command = launch_command(function("python3.12"),
                                      kSeen,
                                      RuntimeClientCache(folder.path()),
                                      always("/usr/bin/python3.12", "3.12"));
  REQUIRE_FALSE(command);
  CHECK(command.error().kind == RuntimeError::Kind::client_missing);
  CHECK(command.error().message.find("hearth runtime install python3.12") != std::string::npos);
}

TEST_CASE("a client serves only the interpreter version it was installed for", "[runtimes]") {
  const TemporaryFolder folder;
  folder.write("python3.11-3.11/awslambdaric/__main__.py", "");
  folder.write("python3.11-3.12/awslambdaric/__main__.py", "");
  const auto command = launch_command(function("python3.11"),
                                      kSeen,
                                      RuntimeClientCache(folder.path()),
                                      always("/usr/bin/python3.12", "3.12"));
  REQUIRE(command);
  CHECK(command->remark);
  CHECK(command->host_folders.back().filename() == "python3.11-3.12");
}

TEST_CASE("a managed runtime without a handler is refused", "[runtimes]") {
  const auto command =
      launch_command(function("nodejs20.x", ""), kSeen, RuntimeClientCache(""), kNone);
  REQUIRE_FALSE(command);
  CHECK(command.error().kind == RuntimeError::Kind::invalid_function);
}

TEST_CASE("a command given in place of a bootstrap is started as it is", "[runtimes]") {
  auto configuration = function("no such runtime");
  configuration.command = {"./my-runtime", "argument"};
  const auto command = launch_command(configuration, kSeen, RuntimeClientCache(""), kNone);
  REQUIRE(command);
  CHECK(command->argv == configuration.command);
}
