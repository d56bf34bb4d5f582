#include "emulator/control_plane/described_functions.h"

#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

emulator::functions::FunctionConfiguration described() {
  emulator::functions::FunctionConfiguration function;
  function.name = "f";
  function.handler = "app.handler";
  function.code = "/somewhere";
  return function;
}

Document configuration(ServiceParts& parts) {
  return parts.run(function_operations(), "GetFunctionConfiguration", {{"FunctionName", "f"}})
      .value();
}

}  // namespace

TEST_CASE("a described function is one of the service", "[described functions]") {
  ServiceParts parts;
  REQUIRE(put_described(described(), parts.world));
  CHECK(configuration(parts)["Handler"] == "app.handler");
  CHECK(parts.world.registry.find("f")->latest->code.folder == "/somewhere");
}

TEST_CASE("a described function's log is written as it is described", "[described functions]") {
  ServiceParts parts;
  auto function = described();
  function.logging = {.format = emulator::functions::LogFormat::json,
                      .application_level = "ERROR",
                      .system_level = "DEBUG"};
  REQUIRE(put_described(function, parts.world));
  CHECK(configuration(parts)["LoggingConfig"] == Document{{"LogFormat", "JSON"},
                                                          {"LogGroup", "/aws/lambda/f"},
                                                          {"ApplicationLogLevel", "ERROR"},
                                                          {"SystemLogLevel", "DEBUG"}});
}

TEST_CASE("described again as before, a function keeps what the API changed of it",
          "[described functions]") {
  ServiceParts parts;
  auto function = described();
  REQUIRE(put_described(function, parts.world));
  REQUIRE(parts.run(function_operations(),
                    "UpdateFunctionConfiguration",
                    {{"FunctionName", "f"}, {"MemorySize", 512}}));
  REQUIRE(put_described(function, parts.world));
  CHECK(configuration(parts)["MemorySize"] == 512);
  function.timeout = std::chrono::seconds{9};
  REQUIRE(put_described(function, parts.world));
  CHECK(configuration(parts)["Timeout"] == 9);
  CHECK(configuration(parts)["MemorySize"] == 128);
}

TEST_CASE("what is described in bytes that are not UTF-8 is refused", "[described functions]") {
  ServiceParts parts;
  auto function = described();
  function.handler = "h\xff.x";
  CHECK(put_described(function, parts.world).error().message.find("its handler") !=
        std::string::npos);
  function = described();
  function.code = "/tmp/bad\xff";
  CHECK_FALSE(put_described(function, parts.world));
  CHECK(parts.world.registry.size() == 0);
}

TEST_CASE("a version of a described function has copies of its local layers",
          "[described functions]") {
  ServiceParts parts;
  const tests::ScratchFolder code;
  const tests::ScratchFolder layer;
  code.write("bootstrap", "x");
  layer.write("lib/a", "first");
  auto function = described();
  function.code = code.path();
  function.layers = {layer.path()};
  REQUIRE(put_described(function, parts.world));
  const auto publish = [&] {
    return parts.run(version_operations(), "PublishVersion", {{"FunctionName", "f"}})
        .value()["Version"];
  };
  CHECK(publish() == "1");
  layer.write("lib/a", "second");
  const auto version = parts.world.registry.find("f")->version("1");
  REQUIRE(version->code.layer_packages.size() == 1);
  const auto copy = parts.world.code.folder_of(version->code.layer_packages[0]);
  std::ifstream file(*copy / "lib/a");
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == "first");
  CHECK(publish() == "2");
  CHECK(publish() == "2");
}
