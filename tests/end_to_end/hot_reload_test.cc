// Code that lies in a folder of the developer's: what is saved there serves at the next invocation,
// from a new environment.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

using nlohmann::json;
using tests::LambdaApi;
using tests::ScratchFolder;
using tests::Serving;
namespace fs = std::filesystem;

namespace {

std::string answers(const std::string& word) {
  return "def handler(event, context): return '" + word + "'\n";
}

// The folder of a project, to be changed in the ways that editors and builds change one.
class Project {
 public:
  Project() { write("first"); }
  std::string folder() const { return (parent_.path() / "code").string(); }
  tests::Words flags(const tests::Words& more) const {
    tests::Words words = {
        "--code", folder(), "--runtime", "python3.11", "--handler", "app.handler", "--name", "f"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  void write(const std::string& word) const { parent_.write("code/app.py", answers(word)); }
  void replace_file(const std::string& word) const {
    const auto written = parent_.write("app.py.new", answers(word));
    fs::rename(written, folder() + "/app.py");
  }
  void make_again(const std::string& word) const {
    fs::remove_all(folder());
    write(word);
  }
  void replace_folder(const std::string& word) const {
    parent_.write("other/app.py", answers(word));
    fs::remove_all(folder());
    fs::rename(parent_.path() / "other", folder());
  }

 private:
  ScratchFolder parent_;
};

// Until the answer is that word, from a new environment; a change needs a moment to be noticed.
void await_word(const LambdaApi& api, const std::string& word) {
  tests::eventually("the answer " + word, [&] {
    return api.invoke("f", "{}", {{"X-Amz-Log-Type", "Tail"}}).body == "\"" + word + "\"";
  });
  CHECK(api.shown("invocations", "f").at(0)["cold"] == true);
}

void change_in_all_ways(const LambdaApi& api, const Project& project) {
  await_word(api, "first");
  project.write("second");
  await_word(api, "second");
  project.replace_file("third");
  await_word(api, "third");
  project.make_again("fourth");
  await_word(api, "fourth");
  project.replace_folder("fifth");
  await_word(api, "fifth");
  // With nothing changed, nothing is made anew; the last of a change's traces may still come.
  tests::eventually("a warm environment", [&] {
    api.invoke("f", "{}", {{"X-Amz-Log-Type", "Tail"}});
    return api.shown("invocations", "f").at(0)["cold"] == false;
  });
}

}  // namespace

TEST_CASE("a function that is created from a folder runs what lies there now", "[hot-reload]") {
  const Project project;
  Serving serving({});
  const LambdaApi api(serving.port());
  auto arguments = tests::python_function("f", "");
  arguments["Code"] = {{"S3Bucket", "hot-reload"}, {"S3Key", project.folder()}};
  api.create(arguments);
  change_in_all_ways(api, project);

  // A version is a copy, which later changes do not reach.
  REQUIRE(api.publish("f") == "1");
  project.write("sixth");
  await_word(api, "sixth");
  CHECK(api.invoke("f:1").body == "\"fifth\"");
  serving.stop();
}

TEST_CASE("a function that is given by --code runs what lies there now", "[hot-reload]") {
  const Project project;
  Serving serving(project.flags({"--timeout", "20"}));
  change_in_all_ways(LambdaApi(serving.port()), project);
  serving.stop();
}

TEST_CASE("on Managed Instances changed code is initialised before anybody invokes it",
          "[hot-reload][managed]") {
  const Project project;
  Serving serving(project.flags({"--managed-instances", "1"}));
  const LambdaApi api(serving.port());
  const auto ready = [&](const json& other_than) {
    json id;
    tests::eventually("a new environment", [&] {
      const auto all = api.shown("environments");
      if (all.size() != 1 || all[0]["phase"] != "idle" || all[0]["id"] == other_than) return false;
      id = all[0]["id"];
      return true;
    });
    return id;
  };
  const auto first = ready(nullptr);
  CHECK(api.invoke("f").body == "\"first\"");
  project.replace_file("second");
  ready(first);
  CHECK(api.invoke("f").body == "\"second\"");
  serving.stop();
}

TEST_CASE("an invocation that runs ends with the code it began with", "[hot-reload]") {
  const Project project;
  const ScratchFolder signs;
  const auto begun = (signs.path() / "begun").string();
  const auto go_on = (signs.path() / "go_on").string();
  const std::string waits =
      "import os, time\n"
      "def handler(event, context):\n"
      "    if event != 'wait': return 'old'\n"
      "    open('" +
      begun +
      "', 'w').close()\n"
      "    while not os.path.exists('" +
      go_on +
      "'): time.sleep(0.01)\n"
      "    return 'old'\n";
  std::ofstream(project.folder() + "/app.py") << waits;
  // Signs are given through the host's files.
  Serving serving({"--sandbox", "none"});
  const LambdaApi api(serving.port());
  auto arguments = tests::python_function("f", "");
  arguments["Code"] = {{"S3Bucket", "hot-reload"}, {"S3Key", project.folder()}};
  api.create(arguments);
  std::string answer;
  std::jthread caller([&] { answer = api.invoke("f", "\"wait\"").body; });
  tests::eventually("the invocation's begin", [&] { return fs::exists(begun); });
  project.replace_file("new");
  await_word(api, "new");
  signs.write("go_on", "");
  caller.join();
  CHECK(answer == "\"old\"");
  serving.stop();
}
