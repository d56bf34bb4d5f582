// The life of a function through the AWS command line and the AWS SDK for JavaScript, which know of
// Hearth only its address.
#include "tests/end_to_end/lambda_api.h"
#include "tests/support/zip_bytes.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <string>

using nlohmann::json;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;

namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:walker";
constexpr const char* kModules = HEARTH_SOURCE_DIR "/.deps/js_client/node_modules";
constexpr const char* kFirst = "def handler(event, context): return 'first'\n";
constexpr const char* kSecond = "def handler(event, context): return 'second'\n";

std::string zip_file(const ScratchFolder& folder, const std::string& name, const char* source) {
  return folder.write(name, tests::zip_bytes({{"app.py", source}}));
}

// Node.js looks for modules beside the program: a folder that holds it and leads to them.
std::string javascript_client(const ScratchFolder& folder) {
  namespace fs = std::filesystem;
  fs::copy(HEARTH_SOURCE_DIR "/tests/end_to_end/js_client/walk.mjs", folder.path());
  fs::create_directory_symlink(kModules, folder.path() / "node_modules");
  return (folder.path() / "walk.mjs").string();
}

// `aws lambda` with a server.
class CommandLine {
 public:
  explicit CommandLine(const Serving& serving) : address_(serving.address()) {}

  tests::Ended run(const Words& words) const {
    Words argv = {HEARTH_SOURCE_DIR "/.venv/bin/aws", "lambda"};
    argv.insert(argv.end(), words.begin(), words.end());
    for (const auto* word : {"--endpoint-url", address_.c_str(), "--region", "us-east-1"}) {
      argv.emplace_back(word);
    }
    return tests::run_program({.argv = argv,
                               .variables = {{"AWS_ACCESS_KEY_ID", "any"},
                                             {"AWS_SECRET_ACCESS_KEY", "any"},
                                             {"AWS_PAGER", ""},
                                             {"AWS_MAX_ATTEMPTS", "1"},
                                             {"AWS_CONFIG_FILE", "/dev/null"},
                                             {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"}},
                               .input = {}});
  }

  // What it prints, which is JSON or nothing; the test fails where it does.
  json answer(const Words& words) const {
    const auto ended = run(words);
    INFO(ended.errors);
    REQUIRE(ended.status == 0);
    return ended.output.empty() ? json(nullptr) : json::parse(ended.output);
  }

 private:
  std::string address_;
};

}  // namespace

TEST_CASE("the AWS command line leads a function from its creation to its end", "[clients]") {
  const ScratchFolder folder;
  Serving serving({});
  const CommandLine aws(serving);
  const auto response = (folder.path() / "response.json").string();
  const auto invoked = [&](const std::string& name) {
    const auto told = aws.answer({"invoke", "--function-name", name, response});
    CHECK(told["StatusCode"] == 200);
    return folder.read("response.json") + " " + told["ExecutedVersion"].get<std::string>();
  };
  const auto created = aws.answer({"create-function",
                                   "--function-name",
                                   "walker",
                                   "--runtime",
                                   "python3.11",
                                   "--handler",
                                   "app.handler",
                                   "--timeout",
                                   "20",
                                   "--role",
                                   tests::kSomeRole,
                                   "--zip-file",
                                   "fileb://" + zip_file(folder, "first.zip", kFirst)});
  CHECK(created["State"] == "Pending");
  aws.answer({"wait", "function-active-v2", "--function-name", "walker"});
  CHECK(invoked("walker") == "\"first\" $LATEST");
  aws.answer({"publish-version", "--function-name", "walker"});
  aws.answer({"update-function-code",
              "--function-name",
              "walker",
              "--zip-file",
              "fileb://" + zip_file(folder, "second.zip", kSecond)});
  aws.answer({"wait", "function-updated-v2", "--function-name", "walker"});
  CHECK(invoked("walker") == "\"second\" $LATEST");
  CHECK(invoked("walker:1") == "\"first\" 1");
  aws.answer(
      {"create-alias", "--function-name", "walker", "--name", "live", "--function-version", "1"});
  CHECK(invoked("walker:live") == "\"first\" 1");
  const auto listed = aws.answer({"list-versions-by-function", "--function-name", "walker"});
  CHECK(listed["Versions"].size() == 2);
  const auto configured = aws.answer({"update-function-configuration",
                                      "--function-name",
                                      "walker",
                                      "--environment",
                                      "Variables={GREETING=b}",
                                      "--memory-size",
                                      "192"});
  CHECK(configured["MemorySize"] == 192);
  CHECK(configured["Environment"]["Variables"] == json{{"GREETING", "b"}});
  aws.run({"delete-function", "--function-name", "walker"});
  const auto gone = aws.run({"get-function", "--function-name", "walker"});
  CHECK(gone.status == 255);
  CHECK(gone.errors.find("An error occurred (ResourceNotFoundException) when calling the "
                         "GetFunction operation: Function not found: " +
                         std::string(kArn)) != std::string::npos);
  serving.stop();
}

TEST_CASE("the SDK for JavaScript leads a function from its creation to its end", "[clients]") {
  if (!std::filesystem::exists(kModules)) {
    SKIP("the SDK for JavaScript is not installed; run cmake/install-dependencies");
  }
  const ScratchFolder folder;
  Serving serving({});
  const auto ended = tests::run_program({.argv = {"node",
                                                  javascript_client(folder),
                                                  serving.address(),
                                                  zip_file(folder, "first.zip", kFirst),
                                                  zip_file(folder, "second.zip", kSecond)},
                                         .input = {}});
  INFO(ended.errors);
  REQUIRE(ended.status == 0);
  CHECK(json::parse(ended.output) ==
        json{{"created", "Pending"},
             {"active", "SUCCESS"},
             {"invoked", {200, "\"first\"", "$LATEST"}},
             {"updating", "InProgress"},
             {"updated", "SUCCESS"},
             {"invokedAgain", {200, "\"second\"", "$LATEST"}},
             {"published", "1"},
             {"configured", {192, {{"GREETING", "b"}}}},
             {"invokedByAlias", {200, "\"second\"", "1"}},
             {"functions", json::array({"walker"})},
             {"versions", {"$LATEST", "1"}},
             {"deleted", 204},
             {"missing",
              {"ResourceNotFoundException", "Function not found: " + std::string(kArn), 404}}});
  serving.stop();
}
