// Functions from container images, one that the tests have built of Debian's smallest system.
#include "tests/end_to_end/hearth_program.h"
#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using nlohmann::json;
using tests::Words;

namespace {

namespace fs = std::filesystem;

// The folder that build-image has filled.
fs::path built_image() {
  tests::requires_namespaces();
  const fs::path folder = HEARTH_BUILT_IMAGE;
  if (std::ifstream missing(folder / "missing"); missing) {
    std::string what;
    std::getline(missing, what);
    SKIP("SKIPPED: no image could be built; this host lacks:" << what);
  }
  REQUIRE(fs::exists(folder / "image.tar"));
  return folder;
}

json invoke_image(const std::string& image, const Words& more = {}) {
  const tests::ScratchFolder cache;
  Words words = {"--image", image, "--payload", "{}", "--timeout", "30"};
  words.insert(words.end(), more.begin(), more.end());
  const auto ended =
      tests::invoke(words, {.variables = {{"XDG_CACHE_HOME", cache.path().string()}}});
  INFO(ended.errors);
  REQUIRE(ended.status == 0);
  return json::parse(ended.output);
}

}  // namespace

TEST_CASE("an image is started as it says, from a layout and from an archive", "[built-image]") {
  const auto folder = built_image();
  for (const auto* file : {"layout", "image.tar"}) {
    const auto answer = invoke_image((folder / file).string());
    INFO(file << ": " << answer);
    CHECK(answer["words"] == json::array({"from-the-image"}));
    CHECK(answer["folder"] == "/srv/work");
    CHECK(answer["variables"]["FROM_IMAGE"] == "yes");
    CHECK(answer["variables"]["PATH"] == "/opt/app:/usr/bin:/bin");
    // Lambda's own variables are not for an image to set, and its user is Lambda's.
    CHECK(answer["variables"]["AWS_REGION"] == "us-east-1");
    CHECK(answer["user"] == 993);
  }
}

TEST_CASE("a command replaces an image's own, and a function's variables the image's",
          "[built-image]") {
  const auto layout = (built_image() / "layout").string();
  const auto answer =
      invoke_image(layout + ":described", {"--env", "BOTH=function", "--", "other", "words"});
  CHECK(answer["words"] == json::array({"other", "words"}));
  CHECK(answer["variables"]["BOTH"] == "function");
}
