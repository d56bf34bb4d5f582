#include "emulator/environment/extension_set.h"

#include "runtime_api/extension_hub.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

using namespace emulator::environment;
using tests::ScratchFolder;
using Programs = std::vector<FoundExtensions::Program>;

TEST_CASE("every file in the layers' extensions folder is an extension, and folders are not") {
  const ScratchFolder opt;
  opt.write("extensions/second", "#!/bin/sh\n");
  opt.write("extensions/first", "not even executable");
  opt.write("extensions/library/code.py", "");
  opt.write("other/third", "");
  const auto found = find_extensions({.host = opt.path().string(), .seen = "/opt"});
  CHECK(found.programs ==
        Programs{{"first", "/opt/extensions/first"}, {"second", "/opt/extensions/second"}});
  CHECK(found.turned == FoundExtensions::Switch::on);
}

TEST_CASE("without layers, or without the folder, there are no extensions") {
  const ScratchFolder opt;
  CHECK(find_extensions({}).programs.empty());
  CHECK(find_extensions({.host = opt.path().string(), .seen = "/opt"}).programs.empty());
}

TEST_CASE("a file beside the folder turns extensions off") {
  const ScratchFolder opt;
  opt.write("extensions/first", "");
  opt.write("disable-extensions-jwigqn8j", "");
  const auto found = find_extensions({.host = opt.path().string(), .seen = "/opt"});
  CHECK(found.programs.empty());
  CHECK(found.turned == FoundExtensions::Switch::off);
}

TEST_CASE("of more extensions than allowed the first too many, by name, is the last found") {
  const ScratchFolder opt;
  for (int i = 0; i < 30; ++i) opt.write("extensions/e" + std::to_string(i), "");
  const auto found = find_extensions({.host = opt.path().string(), .seen = "/opt"});
  CHECK(found.programs.size() == runtime_api::kMaxExtensions + 1);
  CHECK(found.programs.front().name == "e0");
  CHECK(found.programs.back().name == "e18");  // e0, e1, e10, e11 … e17, e18
}

TEST_CASE("extensions are not given the variables that are for the runtime alone") {
  const std::map<std::string, std::string> variables = {
      {"AWS_EXECUTION_ENV", "AWS_Lambda_python3.13"},
      {"AWS_LAMBDA_FUNCTION_NAME", "f"},
      {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"},
      {"AWS_LAMBDA_LOG_STREAM_NAME", "s"},
      {"AWS_REGION", "eu-north-1"},
      {"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"},
      {"AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"},
      {"CUSTOMER", "own"},
      {"LAMBDA_RUNTIME_DIR", "/var/runtime"},
      {"LAMBDA_TASK_ROOT", "/var/task"},
      {"_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1"},
      {"_AWS_XRAY_DAEMON_PORT", "2000"},
      {"_HANDLER", "app.handler"}};
  using Given = std::map<std::string, std::string>;
  CHECK(extension_variables(variables, Profile::aws) == Given{{"AWS_LAMBDA_FUNCTION_NAME", "f"},
                                                              {"AWS_REGION", "eu-north-1"},
                                                              {"CUSTOMER", "own"}});
  const auto as_published = extension_variables(variables, Profile::rie);
  CHECK(as_published.count("AWS_LAMBDA_LOG_GROUP_NAME") == 1);
  CHECK(as_published.count("LAMBDA_TASK_ROOT") == 1);
  CHECK(as_published.count("AWS_XRAY_CONTEXT_MISSING") == 0);
  CHECK(as_published.count("_HANDLER") == 0);
}
