#include "emulator/registry/machine_configuration.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::registry;

namespace {

CodePlaces places() {
  return {.package = [](const std::string& hash) -> std::optional<std::filesystem::path> {
            if (hash == "gone") return std::nullopt;
            return "/store/" + hash;
          },
          .layer_version = [](const std::string& arn) -> std::optional<std::filesystem::path> {
            if (arn == "gone") return std::nullopt;
            return "/layers/" + arn;
          }};
}

FunctionVersion version_with(std::string configuration) {
  FunctionVersion version;
  version.function_name = "f";
  version.configuration = std::move(configuration);
  version.code.sha256_hex = "ab";
  return version;
}

}  // namespace

TEST_CASE("the machine reads what changes how a version runs", "[machine configuration]") {
  const auto read = machine_configuration(
      version_with(R"({"Runtime":"python3.12","Handler":"a.b","MemorySize":256,"Timeout":9,
                       "EphemeralStorage":{"Size":1024},"TracingConfig":{"Mode":"Active"},
                       "TenancyConfig":{"TenantIsolationMode":"PER_TENANT"},
                       "Environment":{"Variables":{"A":"1"}},"Layers":[{"Arn":"x"},{"Arn":"y"}]})"),
      places());
  REQUIRE(read);
  CHECK(read->name == "f");
  CHECK(read->runtime == "python3.12");
  CHECK(read->handler == "a.b");
  CHECK(read->memory.mebibytes == 256);
  CHECK(read->timeout == std::chrono::seconds{9});
  CHECK(read->ephemeral_storage.mebibytes == 1024);
  CHECK(read->tracing == emulator::functions::Tracing::active);
  CHECK(read->tenant_isolation == emulator::functions::TenantIsolation::per_tenant);
  CHECK(read->variables.at("A") == "1");
  CHECK(read->code == "/store/ab");
  CHECK(read->layers == std::vector<std::filesystem::path>{"/layers/x", "/layers/y"});
}

TEST_CASE("the machine reads how a version's log is written", "[machine configuration]") {
  const auto plain = machine_configuration(
      version_with(R"({"LoggingConfig":{"LogFormat":"Text","LogGroup":"/aws/lambda/f"}})"),
      places());
  REQUIRE(plain);
  CHECK(plain->logging == emulator::functions::Logging{});
  const auto json = machine_configuration(
      version_with(R"({"LoggingConfig":{"LogFormat":"JSON","ApplicationLogLevel":"DEBUG",
                       "SystemLogLevel":"WARN"}})"),
      places());
  REQUIRE(json);
  CHECK(json->logging ==
        emulator::functions::Logging{.format = emulator::functions::LogFormat::json,
                                     .application_level = "DEBUG",
                                     .system_level = "WARN"});
}

TEST_CASE("code or a layer that is gone is told by name", "[machine configuration]") {
  auto version = version_with("{}");
  version.code.sha256_hex = "gone";
  CHECK(machine_configuration(version, places()).error().find("code of f:$LATEST") !=
        std::string::npos);
  const auto layer =
      machine_configuration(version_with(R"({"Layers":[{"Arn":"gone"}]})"), places());
  REQUIRE_FALSE(layer);
  CHECK(layer.error().find("layer version gone") != std::string::npos);
}

TEST_CASE("a configuration that is none is told, not thrown", "[machine configuration]") {
  for (const auto* text :
       {"", "[", "[1]", R"({"MemorySize":"x"})", R"({"Layers":[1]})", R"({"LoggingConfig":[]})"}) {
    INFO(text);
    CHECK_FALSE(machine_configuration(version_with(text), places()));
  }
}

TEST_CASE("a dead-letter target is found where there is one", "[machine configuration]") {
  CHECK(dead_letter_target(version_with(R"({"DeadLetterConfig":{"TargetArn":"arn:q"}})")) ==
        "arn:q");
  CHECK(dead_letter_target(version_with(R"({"Handler":"a"})")).empty());
  CHECK(dead_letter_target(version_with(R"("DeadLetterConfig")")).empty());
}

TEST_CASE("versions run alike when nothing but their revision differs", "[machine configuration]") {
  const auto one = version_with(R"({"RevisionId":"a","MemorySize":128})");
  CHECK(runs_alike(one, version_with(R"({"MemorySize":128,"RevisionId":"b"})")));
  CHECK_FALSE(runs_alike(one, version_with(R"({"RevisionId":"a","MemorySize":256})")));
  auto other = one;
  other.code.sha256_hex = "cd";
  CHECK_FALSE(runs_alike(one, other));
  other = one;
  other.number = "1";
  CHECK_FALSE(runs_alike(one, other));
}
