// Networks and roots of a function's own, through the built program.
#include "tests/end_to_end/hearth_program.h"
#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <string>

using tests::Words;
namespace fs = std::filesystem;

TEST_CASE("a function without a network is invoked like any other", "[network]") {
  tests::requires_own_network();
  const auto ended = tests::invoke({"--code",
                                    tests::handler_folder("echo-cpp"),
                                    "--network",
                                    "none",
                                    "--payload",
                                    R"({"n":1})"});
  INFO(ended.errors);
  CHECK(ended.status == 0);
  CHECK(ended.output == R"({"n":1})");
}

TEST_CASE("a function in a private network is invoked, or what is missing is told", "[network]") {
  tests::requires_outward_network();
  const auto ended = tests::invoke({"--code",
                                    tests::handler_folder("echo-cpp"),
                                    "--network",
                                    "private",
                                    "--payload",
                                    R"({"n":1})"});
  INFO(ended.errors << ended.output);
  // A host without a route has nothing that could be carried.
  if (ended.output.find("routable interface") != std::string::npos) {
    SKIP("SKIPPED: needs an interface with a default route");
  }
  CHECK(ended.status == 0);
  CHECK(ended.output == R"({"n":1})");
}

TEST_CASE("a program of an unpacked image is started in it, by path or by name", "[image]") {
  tests::requires_namespaces();
  const tests::ScratchFolder image;
  ::chmod(image.path().c_str(), 0755);
  fs::create_directories(image.path() / "usr/bin");
  fs::copy_file(tests::handler_folder("echo-cpp") + "/bootstrap", image.path() / "usr/bin/serve");
  fs::create_symlink("/usr/bin/serve", image.path() / "bootstrap");
  for (const auto* program : {"/bootstrap", "serve"}) {
    const auto ended = tests::invoke(
        {"--rootfs", image.path().string(), "--payload", R"({"n":2})", "--", program});
    INFO(program << ": " << ended.errors);
    CHECK(ended.status == 0);
    CHECK(ended.output == R"({"n":2})");
  }
  CHECK(image.entries() == Words{"bootstrap", "usr"});
}
