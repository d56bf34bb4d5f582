#include "emulator/app/trace_export.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <iterator>

using namespace emulator::app;

TEST_CASE("a collector's address gets the path of traces unless it has it", "[otlp]") {
  CHECK(parse_collector("http://127.0.0.1:4318") ==
        HttpAddress{.host = "127.0.0.1", .port = 4318, .path = "/v1/traces"});
  CHECK(parse_collector("http://[::1]/otlp/") ==
        HttpAddress{.host = "::1", .port = 80, .path = "/otlp/v1/traces"});
  CHECK(parse_collector("http://here:1/v1/traces")->path == "/v1/traces");
}

TEST_CASE("an address that no collector has is refused in a sentence", "[otlp]") {
  for (const auto* url : {"",
                          "127.0.0.1:4318",
                          "https://h",
                          "http://",
                          "http://h:0",
                          "http://h:x",
                          "http://h:99999",
                          "http://h/?q",
                          "http://u@h"}) {
    INFO(url);
    const auto address = parse_collector(url);
    REQUIRE_FALSE(address);
    CHECK(address.error().exit_status == kWrongUsage);
    CHECK(address.error().message.find("--otlp-endpoint") != std::string::npos);
  }
}

TEST_CASE("documents are lines of the trace file, behind those that are there", "[otlp]") {
  const tests::ScratchFolder folder;
  const auto path = folder.write("traces.jsonl", "{\"first\":1}\n");
  auto send = to_trace_file(path);
  REQUIRE(send);
  CHECK((*send)("{\"second\":2}"));
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  CHECK(text == "{\"first\":1}\n{\"second\":2}\n");
}

TEST_CASE("a trace file that cannot be written is told before anything runs", "[otlp]") {
  const auto send = to_trace_file("/no/such/folder/traces.jsonl");
  REQUIRE_FALSE(send);
  CHECK(send.error().message.find("--trace-file") != std::string::npos);
}
