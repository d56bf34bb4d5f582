#include "emulator/runtimes/image_unpacking.h"

#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

using namespace emulator::runtimes;
using runtimes_test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

void write_layout(const fs::path& folder, char digest) {
  const std::string hex(64, digest);
  write(folder / "oci-layout", "{}");
  write(folder / "index.json", R"({"manifests":[{"digest":"sha256:)" + hex + R"("}]})");
  write(folder / "blobs/sha256" / hex, R"({"config":{"digest":"sha256:)" + hex + R"("}})");
}

// The two programs, as far as unpacking looks at what they do.
struct Tools {
  TemporaryFolder folder;
  std::vector<ChildCommand> ran;
  std::string failing;
  std::string missing;

  ImageHost host() {
    return {.cache_root = folder.path() / "cache",
            .has_program = [this](std::string_view name) { return name != missing; },
            .run = [this](const auto& command, const auto& log) { return run(command, log); },
            .progress = {},
            .superuser = false,
            .distribution = Distribution::debian};
  }

  Expected<int> run(const ChildCommand& command, const fs::path& log) {
    ran.push_back(command);
    const auto& words = command.argv;
    if (words[0] == failing) {
      write(log, "what it said\n");
      return 3;
    }
    if (words[0] == "skopeo") {
      const auto to = words.back().substr(4, words.back().rfind(':') - 4);
      fs::copy(words[words.size() - 2].substr(4), to, fs::copy_options::recursive);
    } else {
      fs::create_directories(fs::path(words.back()) / "rootfs/bin");
    }
    return 0;
  }

  std::string layout(char digest) {
    const auto place = folder.path() / (std::string("layout-") + digest);
    write_layout(place, digest);
    return place.string();
  }
};

}  // namespace

TEST_CASE("an image is unpacked once, and then kept", "[images]") {
  Tools tools;
  const auto layout = tools.layout('a');
  const auto first = unpack_image(layout, tools.host());
  REQUIRE(first);
  CHECK(fs::is_directory(first->root / "bin"));
  CHECK(tools.ran.size() == 2);
  CHECK(tools.ran[1].argv[4] == "--rootless");
  const auto second = unpack_image(layout, tools.host());
  REQUIRE(second);
  CHECK(second->root == first->root);
  CHECK(tools.ran.size() == 2);
}

TEST_CASE("a tool that is missing or fails is named, and nothing is kept", "[images]") {
  Tools tools;
  const auto layout = tools.layout('a');
  tools.missing = "umoci";
  const auto without = unpack_image(layout, tools.host());
  REQUIRE_FALSE(without);
  CHECK(without.error().kind == RuntimeError::Kind::tools_missing);
  CHECK(without.error().message.find("apt-get install umoci") != std::string::npos);

  tools.missing.clear();
  tools.failing = "umoci";
  const auto failed = unpack_image(layout, tools.host());
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find("what it said") != std::string::npos);

  tools.failing.clear();
  CHECK(unpack_image(layout, tools.host()));
}

TEST_CASE("of many images the latest are kept, and those in use", "[images]") {
  Tools tools;
  const auto used = unpack_image(tools.layout('0'), tools.host());
  REQUIRE(used);
  std::vector<fs::path> roots;
  for (std::size_t i = 1; i <= kImagesKept + 3; ++i) {
    const auto unpacked = unpack_image(tools.layout("0123456789abcdef"[i]), tools.host());
    REQUIRE(unpacked);
    roots.push_back(unpacked->root);
  }
  CHECK(fs::exists(used->root));
  CHECK(fs::exists(roots.back()));
  const auto left = std::count_if(
      roots.begin(), roots.end(), [](const fs::path& root) { return fs::exists(root); });
  CHECK(left + 1 == static_cast<std::ptrdiff_t>(kImagesKept));
}
